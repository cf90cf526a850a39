// One file, one peer that has it, and many that collect it at once and give it to one another: how long until the last of
// them has it, and how often the first had to send it.
//
// `npm run spread -- --collectors 8 --size 16 --rate 10` prints a line for each number of collectors. The bound is that of
// a fluid: nobody gets more than its link carries, the first must send the file once, and all must get what all can send.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { UsageError } from '../errors.js'
import { ManagerHost } from '../host/manager-host.js'
import { PeerHost } from '../host/peer-host.js'
import { instant, ms } from '../units.js'
import type { LinkSettings } from './link.js'
import { type MemoryFile, memoryFile } from './memory-file.js'
import { MirrorTarget } from './mirror-target.js'
import { SeededRandom } from './random.js'
import type { Station } from './station.js'
import type { HostFactory } from './surroundings.js'
import type { Watcher } from './trace.js'
import { World } from './world.js'

export interface SpreadOptions {
  readonly seed: number
  readonly collectors: number
  /** Octets. */
  readonly size: number
  /** Mbit/s of each link, both ways. */
  readonly rate: number
  /** Milliseconds between any two. */
  readonly roundTrip: number
  /** Share of datagrams lost on the way from one to another. */
  readonly loss: number
  /** Collectors report what their transfers do, to the watchers. */
  readonly trace?: boolean
  /** The first leaves when it has sent so many copies. */
  readonly leavesAfter?: number
}

export interface SpreadResult {
  /** From the first HELLO of a collector to the last file that is there. */
  readonly seconds: number
  /** The same for each collector, from its own HELLO. */
  readonly each: readonly number[]
  /** What the fluid bound says. */
  readonly bound: number
  /** Octets of IP packets that the first sent, in files. */
  readonly seedCopies: number
  readonly datagrams: number
  /** Of them, those that were chunks, and chunks that came twice. */
  readonly duplicates: number
}

const NAME = 'file'
const RECEIVE_BUFFER = 4 * 1024 * 1024
const MANAGER = { address: '10.0.0.1', port: 5_000 }
const LIMIT_SECONDS = 3_600
/** When collectors start: not at one instant, as processes don't. */
const START_MS = 1_000
const START_SPAN_MS = 100

export interface Spread {
  readonly options: SpreadOptions
  readonly world: World
  readonly first: Station
  readonly others: readonly Station[]
}

export function makeSpread(options: SpreadOptions, watchers: readonly Watcher[] = []): Spread {
  const { seed, size, collectors, rate, roundTrip, loss } = options
  const replay = `npm run spread -- --seed ${seed} --collectors ${collectors} --size ${size / 1e6} --rate ${rate}`
  const world = new World({ seed, replay, watchers, stepLimit: Infinity })
  const random = new SeededRandom(seed, 'spread')
  const file = memoryFile(NAME, random.octets(size))
  const quarter = ms(roundTrip / 4)
  // As much as the link carries in a round trip.
  const queue = (rate * 125 * roundTrip) | 0
  const link: Partial<LinkSettings> = { rate, queue, delay: quarter }
  const links = { up: { ...link, loss }, down: link }
  const makeManager: HostFactory = environment => new ManagerHost(environment)
  world.addHost('manager', makeManager, { endpoint: MANAGER, up: { delay: quarter }, down: { delay: quarter } })
  const first = addPeer(world, 'first', 0, links, file)
  const others = Array.from({ length: collectors }, (_, i) =>
    addPeer(
      world,
      `c${i + 1}`,
      START_MS + random.between(0, START_SPAN_MS),
      links,
      undefined,
      file.content,
      options.trace,
    ),
  )
  return { options, world, first, others }
}

/** @throws SimulationError where a collector fails */
export function runSpread(spread: Spread): SpreadResult {
  const { options, world, first, others } = spread
  const { size, leavesAfter = Infinity } = options
  let hasLeft = false
  const isOver = () => {
    if (!hasLeft && first.up.counters.octets > leavesAfter * size) {
      hasLeft = true
      first.step({ kind: 'stop' })
    }
    return others.every(other => resultOf(other) !== undefined)
  }
  for (let time = 0; !isOver(); time += 50) {
    if (time > LIMIT_SECONDS * 1_000) throw world.failure('no end')
    world.run({ until: instant(time) })
  }
  return summarise(spread)
}

function addPeer(
  world: World,
  name: string,
  starts: number,
  links: { readonly up: Partial<LinkSettings>; readonly down: Partial<LinkSettings> },
  file: MemoryFile | undefined,
  original?: Uint8Array,
  trace?: boolean,
): Station {
  const collect = file === undefined ? { collect: { name: NAME, once: false, ownFile: undefined } } : {}
  const factory: HostFactory = ({ random, digests, now }) =>
    new PeerHost(
      {
        manager: MANAGER,
        ttl: 0,
        files: file === undefined ? [] : [file],
        ...collect,
        receiveBuffer: RECEIVE_BUFFER,
        wait: false,
        trace,
        random,
        digests,
      },
      now,
    )
  const index = world.stations.length
  const endpoint = { address: `10.${1 + (index >> 8)}.${index & 255}.1`, port: 4_000 }
  const files = file === undefined ? [] : [file]
  const station = world.addHost(name, factory, { endpoint, starts: instant(starts), files, ...links })
  if (original !== undefined) station.disk.target = new MirrorTarget(original)
  return station
}

function resultOf({ events }: Station) {
  for (let i = events.length - 1; i >= 0; i--) {
    const { at, event } = events[i]!
    if (event.kind === 'result') return { at, result: event.result }
  }
  return undefined
}

function summarise({ options, world, first, others }: Spread): SpreadResult {
  const { size, rate, collectors } = options
  const ends = others.map(other => {
    const { at, result } = resultOf(other)!
    if (result.failure !== undefined) throw world.failure(`${other.name}: ${JSON.stringify(result.failure)}`)
    return { at, seconds: result.seconds }
  })
  const bytesASecond = rate * 125_000
  const bound = Math.max(size / bytesASecond, (collectors * size) / (bytesASecond * (collectors + 1)))
  const start = Math.min(...ends.map(({ at, seconds }) => at - seconds * 1_000))
  return {
    seconds: (Math.max(...ends.map(({ at }) => at)) - start) / 1_000,
    each: ends.map(({ seconds }) => seconds),
    bound,
    seedCopies: first.up.counters.octets / size,
    datagrams: world.trace.datagrams,
    duplicates: others.reduce((sum, other) => sum + (other.host.counters().duplicateChunks ?? 0), 0),
  }
}

const USAGE =
  'usage: npm run spread -- [--collectors N,N,...] [--size MB] [--rate MBIT] [--rtt MS] [--loss PERCENT] [--seed N]'

export function runSpreads(argv: readonly string[], print: (line: string) => void): void {
  const { collectors, ...options } = readArguments(argv)
  const { size, rate, roundTrip, loss } = options
  print(`${size / 1e6} MB, links of ${rate} Mbit/s, ${roundTrip} ms, ${100 * loss} % loss`)
  print(
    ['collectors', 'seconds', 'bound', 'ratio', 'copies sent', 'first done', 'duplicates', 'datagrams', 'took']
      .map(pad)
      .join(''),
  )
  for (const count of collectors) {
    const start = performance.now()
    const result = runSpread(makeSpread({ ...options, collectors: count }))
    const cells = [
      `${count}`,
      result.seconds.toFixed(2),
      result.bound.toFixed(2),
      (result.seconds / result.bound).toFixed(3),
      result.seedCopies.toFixed(3),
      Math.min(...result.each).toFixed(2),
      `${((100 * result.duplicates * 1_444) / (size * count)).toFixed(2)} %`,
      `${result.datagrams}`,
      `${((performance.now() - start) / 1_000).toFixed(1)} s`,
    ]
    print(cells.map(pad).join(''))
  }
}

function pad(cell: string): string {
  return cell.padStart(13)
}

function readArguments(argv: readonly string[]) {
  const string = { type: 'string' } as const
  const names = { collectors: string, size: string, rate: string, rtt: string, loss: string, seed: string }
  const read = () => {
    try {
      return parseArgs({ args: [...argv], options: names }).values
    } catch (error) {
      throw new UsageError(`${(error as Error).message.split('. ')[0]}; ${USAGE}`)
    }
  }
  const values = read()
  const number = (text: string | undefined, usual: number) => {
    const value = text === undefined ? usual : Number(text)
    if (value >= 0 && Number.isFinite(value)) return value
    throw new UsageError(`not a number: '${text}'; ${USAGE}`)
  }
  const counts = (values.collectors ?? '1,2,4,8').split(',').map(text => Math.max(1, Math.round(number(text, 1))))
  return {
    collectors: counts,
    size: Math.max(1, Math.round(number(values.size, 16) * 1e6)),
    rate: Math.max(0.1, number(values.rate, 10)),
    roundTrip: number(values.rtt, 40),
    loss: Math.min(0.9, number(values.loss, 1) / 100),
    seed: Math.round(number(values.seed, 1)),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    runSpreads(process.argv.slice(2), line => console.log(line))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(error.message)
    process.exitCode = error.exitCode
  }
}
