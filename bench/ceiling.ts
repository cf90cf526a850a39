// What the relay can carry on this computer: it is flooded with full datagrams before anything else is measured. Above
// its ceiling E would measure the relay, so rates that come near it are refused.
import { fileURLToPath } from 'node:url'
import { UsageError } from '../src/errors.js'
import { ms } from '../src/units.js'
import { datagramsPerSecond, MTU } from './limit.js'
import { addressText, type Places } from './places/places.js'
import type { NetworkSettings } from './relay/emulated-network.js'
import type { RelayProcess } from './relay/relay-process.js'
import { Processes } from './transfer/transfer.js'

const FLOOD = fileURLToPath(new URL('./places/flood.js', import.meta.url))
/** The relay does its work in bursts, shares its computer with the processes that are measured, and is given other datagrams too. */
const SHARE_USED = 0.5
/** In the first ones the relay's code is not yet compiled for speed. */
const FLOODS = 4

/**
 * The best of a few floods: whatever else runs on the computer can only make the relay look slower than it is.
 *
 * @param count places that will be used
 * @param duration of a flood in milliseconds
 * @returns datagrams a second that came through the relay
 */
export async function measureCeiling(
  relay: RelayProcess,
  places: Places,
  count: number,
  duration: number,
): Promise<number> {
  const [source, sink] = await places.open(count)
  if (source === undefined || sink === undefined) throw new Error('a flood needs two places')
  const processes = new Processes()
  const start = (role: string, { prefix, own }: typeof source, ...more: string[]) =>
    processes.start([...prefix, process.execPath, FLOOD, role, addressText(own), ...more])
  try {
    const sleeper = start('sink', sink)
    await sleeper.saw('started')
    // Its socket overflows, and it takes no core away: a reader would be one more of those that share the computer with the relay.
    sleeper.signal('SIGSTOP')
    let best = 0
    for (let i = 0; i < FLOODS; i++) {
      await relay.shape(wideOpen(count), 'chunks', NO_LUCK)
      const flood = start('source', source, addressText(sink.seen), `${duration}`)
      await flood.saw('started')
      const began = performance.now()
      await flood.saw('result')
      const { data } = await relay.counts()
      best = Math.max(best, (data.delivered * 1_000) / (performance.now() - began))
      await flood.ended
    }
    return best
  } finally {
    processes.kill()
    await processes.end(undefined)
  }
}

/** The highest rate in Mbit/s that may be asked for where the relay carries `ceiling` datagrams a second. */
export function highestRate(ceiling: number): number {
  return (ceiling * SHARE_USED * MTU * 8) / 1e6
}

/** @throws UsageError where the relay would limit what is measured */
export function checkRate(rate: number, ceiling: number): void {
  const highest = Math.floor(highestRate(ceiling))
  if (rate <= highest) return
  throw new UsageError(
    `--rate ${rate} is ${Math.round(datagramsPerSecond(rate))} datagrams/s, and the relay carries ${Math.round(ceiling)} here: ` +
      `half of that is kept free, so ask for ${highest} Mbit/s at most`,
  )
}

const NO_LUCK = { seed: 0, label: 'ceiling' }

function wideOpen(count: number): NetworkSettings {
  const computer = { up: 0, upQueue: Infinity, down: 0, downQueue: Infinity }
  return {
    computers: Array(count).fill(computer),
    delay: ms(1),
    jitter: ms(0),
    loss: 0,
    burst: 1,
    mtu: MTU,
    probes: [],
  }
}
