// What the relay can carry on this computer: it is flooded with full datagrams before anything else is measured. Above
// its ceiling E would measure the relay, so rates that come near it are refused.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { UsageError } from '../src/errors.js'
import { IP_UDP_BYTES } from '../src/sim/link.js'
import { ms } from '../src/units.js'
import { TAG, TAG_AT } from '../src/wire/layout.js'
import { datagramsPerSecond, MTU } from './limit.js'
import type { NetworkSettings } from './relay/emulated-network.js'
import type { RelayProcess } from './relay/relay-process.js'

/** The relay does its work in bursts, shares its computer with the processes that are measured, and is given other datagrams too. */
const SHARE_USED = 0.5
/** Datagrams between two turns of the event loop of whoever floods. */
const BURST = 64
/** In the first ones the relay's code is not yet compiled for speed. */
const FLOODS = 4

/**
 * The best of a few floods: whatever else runs on the computer can only make the relay look slower than it is.
 *
 * @param duration of a flood in milliseconds
 * @returns datagrams a second that came through the relay
 */
export async function measureCeiling(relay: RelayProcess, duration: number): Promise<number> {
  const [source, sink] = [createSocket('udp4'), createSocket('udp4')]
  try {
    const ports = await Promise.all([source, sink].map(bound))
    const [, face = 0] = await relay.open(ports)
    let best = 0
    for (let i = 0; i < FLOODS; i++) {
      await relay.shape(WIDE_OPEN, NO_LUCK)
      const start = performance.now()
      await flood(source, face, duration)
      const { data } = await relay.counts()
      best = Math.max(best, (data.delivered * 1_000) / (performance.now() - start))
    }
    return best
  } finally {
    source.close()
    sink.close()
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
const COMPUTER = { up: 0, upQueue: Infinity, down: 0, downQueue: Infinity }
const WIDE_OPEN: NetworkSettings = {
  computers: [COMPUTER, COMPUTER],
  delay: ms(1),
  jitter: ms(0),
  loss: 0,
  burst: 1,
  mtu: MTU,
  probes: [],
}

async function flood(socket: Socket, port: number, duration: number): Promise<void> {
  const datagram = Buffer.alloc(MTU - IP_UDP_BYTES)
  datagram[TAG_AT] = TAG.CHUNK
  const end = performance.now() + duration
  while (performance.now() < end) {
    for (let i = 0; i < BURST; i++) socket.send(datagram, port, '127.0.0.1')
    await nextTurn()
  }
}

async function bound(socket: Socket): Promise<number> {
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket.address().port
}
