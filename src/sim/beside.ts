// The rate control beside TCP: a collector's paths and other connections behind one bottleneck, a minute long.
import { unreachable } from '../errors.js'
import { Competition } from '../transfer/competition.js'
import { type Instant, instant, ms } from '../units.js'
import { Bbr } from './bbr.js'
import { Cubic } from './cubic.js'
import { runFlows } from './flow.js'
import { Link } from './link.js'
import { PathFlow } from './path-flow.js'
import { PathLog } from './path-log.js'
import { SeededRandom } from './random.js'
import { TcpFlow } from './tcp-flow.js'

/** What comes before is not counted, ms: everyone has just begun. */
const WARM_UP_MS = 5_000
/** Flows start within this time of each other, ms. */
const START_MS = 1_000
const LOOK_MS = 10

export interface BesideOptions {
  readonly rival: 'cubic' | 'bbr'
  readonly rivals: number
  /** Of the collector, all behind the bottleneck. */
  readonly peers: number
  /** Mbit/s, and milliseconds without a queue. */
  readonly rate: number
  readonly roundTrip: number
  /** Products of the two that the queue holds. */
  readonly queue: number
  /** Share lost by chance. */
  readonly loss: number
  readonly seconds: number
  /** Seconds after which the collector starts. */
  readonly late: number
  /** So many ms later than it comes the collector sees a datagram, now and then. */
  readonly lateness: number
  /** Whether the collector yields to the others. */
  readonly background: boolean
}

export const BESIDE: BesideOptions = {
  rival: 'cubic',
  rivals: 1,
  peers: 1,
  rate: 50,
  roundTrip: 40,
  queue: 1,
  loss: 0,
  seconds: 60,
  late: 0,
  lateness: 0,
  background: false,
}

export interface BesideResult {
  /** Mbit/s of all our paths and of all rivals, IP headers counted. */
  readonly ours: number
  readonly theirs: number
  /** Ours over an equal share: all our paths together count as one connection. */
  readonly fairness: number
  /** Share of our datagrams that the queue had no room for. */
  readonly lost: number
  /** Median, ms. */
  readonly queue: number
}

export function runBeside(seed: number, options: BesideOptions, trace?: (line: string) => void): BesideResult {
  const { rivals, peers, rate, roundTrip, seconds, loss, lateness } = options
  const random = new SeededRandom(seed, 'beside')
  const queue = options.queue * rate * 125 * roundTrip
  const link = new Link(random.fork('link'), { rate, delay: ms(roundTrip / 2), queue, loss })
  const paths: PathFlow[] = []
  const competition = new Competition(instant(0), options.background)
  for (let index = 0; index < peers; index++) {
    const mayProbe = () => paths.every(other => other.path.number === 4 + index || !other.path.isProbing)
    const startsAt = instant(options.late * 1_000 + random.between(0, START_MS / 10))
    const own = { random: random.fork(`path ${index}`), index, startsAt, mayProbe, competition, lateness }
    paths.push(new PathFlow({ link, roundTrip, ...own }))
  }
  const others = Array.from({ length: rivals }, (_, i) => {
    const control = controlOf(options.rival, roundTrip, random.fork(`rival ${i}`))
    return new TcpFlow(link, roundTrip, control, random.between(0, START_MS))
  })
  const flows = [...paths, ...others]
  const logs = trace ? paths.map(path => new PathLog(path, link, trace)) : []
  const look = (now: Instant) => {
    for (const log of logs) log.look(now)
  }
  const sum = (some: readonly { readonly octets: number }[]) => some.reduce((total, { octets }) => total + octets, 0)
  const begin = WARM_UP_MS + options.late * 1_000
  const start = runFlows(flows, instant(0), begin, look)
  const before = { ours: sum(paths), theirs: sum(others), sent: sentBy(paths), overflowed: overflowOf(paths) }
  const queues: number[] = []
  let lookAt = begin
  const end = begin + seconds * 1_000
  runFlows(flows, start, end, now => {
    look(now)
    for (; lookAt <= now; lookAt += LOOK_MS) queues.push(link.wait(now))
  })
  const ours = ((sum(paths) - before.ours) * 8) / (seconds * 1e6)
  const theirs = ((sum(others) - before.theirs) * 8) / (seconds * 1e6)
  return {
    ours,
    theirs,
    fairness: (ours / (ours + theirs)) * (rivals + 1),
    lost: (overflowOf(paths) - before.overflowed) / Math.max(1, sentBy(paths) - before.sent),
    queue: queues.sort((a, b) => a - b)[queues.length >> 1]!,
  }
}

function controlOf(rival: BesideOptions['rival'], roundTrip: number, random: SeededRandom): Cubic | Bbr {
  switch (rival) {
    case 'cubic':
      return new Cubic()
    case 'bbr':
      return new Bbr(roundTrip, random)
    default:
      return unreachable(rival)
  }
}

function sentBy(paths: readonly PathFlow[]): number {
  return paths.reduce((total, { sent }) => total + sent, 0)
}

function overflowOf(paths: readonly PathFlow[]): number {
  return paths.reduce((total, { overflowed }) => total + overflowed, 0)
}
