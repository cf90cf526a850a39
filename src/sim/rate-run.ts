// The rate control by itself: one path over one link. A seed is a link; `runRate` says how well the path used it once it had
// time to learn it, and `runSteps` how soon a path finds what a link carries when that changes. Losses are by chance, after the queue, and hit datagrams but not PULLs.
import { type Instant, instant, ms } from '../units.js'
import { runFlows } from './flow.js'
import { Link } from './link.js'
import { DATAGRAM, PathFlow } from './path-flow.js'
import { PathLog } from './path-log.js'
import { SeededRandom } from './random.js'

const LEARN_MS = 10_000
const WATCH_MS = 5_000
/** Between two looks at the queue, ms. */
const LOOK_MS = 5
const QUEUE_DATAGRAMS_MIN = 3
/** One link in so many loses nothing. */
const LOSSLESS_ONE_IN = 5

/** A new rate is found when this share of it comes for so long; looked at every so many ms. */
const STEP_SHARE = 0.9
const STEP_SPAN_MS = 500
const STEP_LOOK_MS = 10

/** The goals: share of the limit, share below which a link fails outright, and how much may be in flight. */
export const GOAL = { within: 0.1, least: 0.5, products: 3, datagrams: 64 } as const

export interface RateLink {
  /** Mbit/s. */
  readonly rate: number
  /** Milliseconds without a queue. */
  readonly roundTrip: number
  /** Share lost by chance, after the queue. */
  readonly loss: number
  /** Products of rate and round trip that the queue holds, if that is three datagrams or more. */
  readonly queue: number
}

export interface RateResult {
  /** What came while watched, over rate x (1 - loss). */
  readonly share: number
  /** Most that was sent and could not be known to have come, while watched and ever. */
  readonly inFlight: number
  readonly inFlightEver: number
  /** The same, allowed: three products or 64 datagrams. */
  readonly inFlightMax: number
  /** Share of what was sent while watched that the queue had no room for. */
  readonly overflow: number
  /** Median while watched, ms. */
  readonly queue: number
  /** Bandwidth and floor in the end, over those of the link. */
  readonly bandwidth: number
  readonly floor: number
  /** Every estimate was finite and positive at every wake-up. */
  readonly isSound: boolean
}

/** The link that a seed stands for: 1 to 1000 Mbit/s, 1 to 300 ms, 0 to 25 % loss, 0.1 to 4 products of queue. */
export function rateLinkOf(seed: number): RateLink {
  const random = new SeededRandom(seed, 'rate/link')
  const logUniform = (low: number, high: number) => low * (high / low) ** random.uniform()
  return {
    rate: logUniform(1, 1_000),
    roundTrip: logUniform(1, 300),
    loss: random.below(LOSSLESS_ONE_IN) === 0 ? 0 : random.between(0, 0.25),
    queue: logUniform(0.1, 4),
  }
}

/** Lets a path learn the link for 10 s and watches it for 5 s. @param trace gets a line for each change of state */
export function runRate(seed: number, link = rateLinkOf(seed), trace?: (line: string) => void): RateResult {
  const random = new SeededRandom(seed, 'rate/run')
  const { roundTrip, loss } = link
  const rate = link.rate * 125
  const queue = Math.max(link.queue * rate * roundTrip, QUEUE_DATAGRAMS_MIN * DATAGRAM)
  const bottleneck = new Link(random.fork('link'), { rate: link.rate, delay: ms(roundTrip / 2), queue, loss })
  const flow = new PathFlow({ link: bottleneck, roundTrip, random })
  const log = trace && new PathLog(flow, bottleneck, trace)
  let inFlight = 0
  const look = (now: Instant) => {
    inFlight = Math.max(inFlight, flow.inFlight)
    log?.look(now)
  }
  const start = runFlows([flow], instant(0), LEARN_MS, look)
  const before = { octets: flow.octets, sent: flow.sent, overflowed: flow.overflowed }
  const inFlightBefore = inFlight
  inFlight = 0
  const queues: number[] = []
  let lookAt: number = start
  runFlows([flow], start, LEARN_MS + WATCH_MS, now => {
    look(now)
    for (; lookAt <= now; lookAt += LOOK_MS) queues.push(bottleneck.wait(now))
  })
  const { congestion } = flow.path
  return {
    share: (flow.octets - before.octets) / WATCH_MS / (rate * (1 - loss)),
    inFlight,
    inFlightEver: Math.max(inFlightBefore, inFlight),
    inFlightMax: Math.max(GOAL.datagrams, (GOAL.products * rate * roundTrip) / DATAGRAM),
    overflow: (flow.overflowed - before.overflowed) / Math.max(1, flow.sent - before.sent),
    queue: queues.sort((a, b) => a - b)[queues.length >> 1]!,
    bandwidth: congestion.bandwidth / rate,
    floor: congestion.floor,
    isSound: flow.isSound,
  }
}

export interface StepsResult {
  /** Milliseconds from each change to the first half second in which 90 % of what the link then carries came; Infinity: there was none. */
  readonly found: readonly number[]
  /** Of all that the link could carry, this came. */
  readonly share: number
}

/** A path over a link that is at each of `rates` (Mbit/s) for `stayMs`, one after the other. */
export function runSteps(seed: number, link: RateLink, rates: readonly number[], stayMs: number): StepsResult {
  const random = new SeededRandom(seed, 'rate/steps')
  const { roundTrip, loss } = link
  const queue = link.queue * link.rate * 125 * roundTrip
  const bottleneck = new Link(random.fork('link'), { rate: link.rate, delay: ms(roundTrip / 2), queue, loss })
  const flow = new PathFlow({ link: bottleneck, roundTrip, random })
  const found: number[] = []
  let now = instant(0)
  for (const rate of rates) {
    bottleneck.change({ rate })
    const end = now + stayMs
    const cameBy: number[] = []
    const wanted = STEP_SHARE * rate * 125 * (1 - loss) * STEP_SPAN_MS
    const back = STEP_SPAN_MS / STEP_LOOK_MS
    while (now < end) {
      cameBy.push(flow.octets)
      now = runFlows([flow], now, now + STEP_LOOK_MS, () => {})
    }
    cameBy.push(flow.octets)
    const at = cameBy.findIndex((octets, i) => i >= back && octets - cameBy[i - back]! >= wanted)
    found.push(at < 0 ? Infinity : (at - back) * STEP_LOOK_MS)
  }
  const capacity = rates.reduce((sum, rate) => sum + rate * 125 * stayMs * (1 - loss), 0)
  return { found, share: flow.octets / capacity }
}

/** Whether a result is what the project wants of every link; the first goal allows one in twenty to miss it. */
export function misses(result: RateResult): readonly string[] {
  const missed: string[] = []
  if (!result.isSound) missed.push('unsound estimate')
  if (result.share < GOAL.least) missed.push('under half')
  else if (Math.abs(1 - result.share) > GOAL.within) missed.push('not within 10 %')
  if (result.inFlight > result.inFlightMax) missed.push('too much in flight')
  return missed
}
