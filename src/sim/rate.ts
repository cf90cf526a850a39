// The rate control by itself: one Path and a paced sender that always has data, over one link, on a virtual clock. No
// hosts, no files, so that hundreds of random links take minutes. A seed is a link; `runRate` says how well the path
// used it once it had time to learn it. Losses are by chance, after the queue, and hit datagrams but not PULLs.
//
// `npm run rate -- --seeds 500` prints the seeds that miss the goals below and the shares by kind of link;
// `--seed 17` runs one, and `--trace` follows its states.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { assert, UsageError } from '../errors.js'
import { IP_UDP_BYTES, Pacer } from '../transfer/pacer.js'
import { Path } from '../transfer/path.js'
import { TRAINS } from '../transfer/train.js'
import { CREDIT_UNPROVEN } from '../transfer/upload.js'
import { type Instant, instant } from '../units.js'
import { BULK_HEADER_BYTES, HOLD_MAX, HOLD_UNIT_MICROS } from '../wire/layout.js'
import { SeededRandom } from './random.js'

/** Octets of the IP datagram of a chunk. */
const DATAGRAM = 1_500
const ECHO_DATAGRAM = BULK_HEADER_BYTES + IP_UDP_BYTES
/** Neither end looks more often than this, ms: what comes in between is one batch. */
const WAKE_MS = 0.1
const LEARN_MS = 10_000
const WATCH_MS = 5_000
/** Between two looks at the queue, ms. */
const LOOK_MS = 5
/** Three quarters of a receive buffer of 4 MB. */
const BUFFER_SHARE = 1_365
const QUEUE_DATAGRAMS_MIN = 3
/** Flights that are over and may be kept: fewer would be moved about too often. */
const FORGET_FLIGHTS = 20_000
/** One link in so many loses nothing. */
const LOSSLESS_ONE_IN = 5

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
  return new RateRun(seed, link, trace).run()
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

interface Flight {
  readonly at: number
  readonly sequence: number
  readonly sentAt: number
  readonly echo: number
  readonly hold: number
  readonly octets: number
}

interface SentPull {
  readonly at: number
  readonly number: number
  readonly rate: number
  readonly credit: number
  readonly proves: boolean
}

class RateRun {
  readonly #link: RateLink
  readonly #trace: ((line: string) => void) | undefined
  readonly #random: SeededRandom
  readonly #path: Path
  readonly #pacer = new Pacer(TRAINS)
  /** Oldest first: what landed, and what the sender could know of, up to two places in it. */
  #flights: Flight[] = []
  #landed = 0
  #known = 0
  /** Octets a millisecond. */
  readonly #rate: number
  readonly #queueMs: number
  readonly #queues: number[] = []
  #now: Instant = instant(0)
  #pulls: SentPull[] = []
  #newest: SentPull | undefined
  #credit = 0
  #isProven = false
  #echoDue = false
  #sequence = 0
  #answered = 0
  #busyUntil = 0
  #octets = 0
  #sent = 0
  #overflowed = 0
  #inFlight = 0
  #inFlightEver = 0
  #isSound = true
  #traced = ''
  #tracedAt = 0
  #tracedReceived = 0
  #tracedLost = 0

  constructor(seed: number, link: RateLink, trace: ((line: string) => void) | undefined) {
    this.#link = link
    this.#trace = trace
    this.#random = new SeededRandom(seed, 'rate/run')
    this.#rate = link.rate * 125
    const product = this.#rate * link.roundTrip
    const queue = Math.max(link.queue * product, QUEUE_DATAGRAMS_MIN * DATAGRAM)
    this.#queueMs = queue / this.#rate
    const endpoint = { address: '10.0.0.1', port: 4_000 }
    const chunkSize = DATAGRAM - 2 * IP_UDP_BYTES
    const chance = () => this.#random.uniform()
    // The manager's round trip is the first guess of a peer's; it may be quite another.
    const roundTrip = link.roundTrip * this.#random.between(0.5, 2)
    this.#path = new Path({ endpoint, number: 4, session: 1n, roundTrip, chunkSize, datagramMax: 0, chance }, this.#now)
  }

  run(): RateResult {
    this.#runUntil(LEARN_MS, false)
    this.#octets = 0
    this.#sent = 0
    this.#overflowed = 0
    this.#inFlight = 0
    this.#runUntil(LEARN_MS + WATCH_MS, true)
    const { congestion } = this.#path
    const product = (this.#rate * this.#link.roundTrip) / DATAGRAM
    return {
      share: this.#octets / WATCH_MS / (this.#rate * (1 - this.#link.loss)),
      inFlight: this.#inFlight,
      inFlightEver: this.#inFlightEver,
      inFlightMax: Math.max(GOAL.datagrams, GOAL.products * product),
      overflow: this.#overflowed / Math.max(1, this.#sent),
      queue: this.#queues.sort((a, b) => a - b)[this.#queues.length >> 1]!,
      bandwidth: congestion.bandwidth / this.#rate,
      floor: congestion.floor,
      isSound: this.#isSound,
    }
  }

  #runUntil(end: number, isWatched: boolean): void {
    let lookAt = this.#now + LOOK_MS
    while (this.#now < end) {
      this.#receive()
      this.#pull()
      this.#send()
      for (; isWatched && lookAt <= this.#now; lookAt += LOOK_MS) {
        this.#queues.push(Math.max(0, this.#busyUntil - this.#now))
      }
      this.#now = instant(Math.min(end, Math.max(this.#now + WAKE_MS, this.#nextAt())))
    }
  }

  #nextAt(): number {
    const mayChunk = this.#sequence < this.#credit
    return Math.min(
      this.#flights[this.#landed]?.at ?? Infinity,
      this.#pulls[0]?.at ?? Infinity,
      mayChunk ? this.#pacer.nextAt() : Infinity,
      this.#path.pullDueAt(),
      this.#path.timeoutAt(),
    )
  }

  #receive(): void {
    let came = 0
    for (let flight = this.#flights[this.#landed]; flight !== undefined && flight.at <= this.#now; came++) {
      const { sequence, sentAt, echo, hold, octets } = flight
      const isChunk = octets === DATAGRAM
      this.#path.onArrival(sequence, sentAt, echo & 0xffff, hold, octets - IP_UDP_BYTES, !isChunk, this.#now)
      if (isChunk) this.#octets += octets
      flight = this.#flights[++this.#landed]
    }
    if (came > 0) this.#path.endBatch(this.#now, true)
    else if (this.#path.timeoutAt() <= this.#now) this.#path.onTimeout(this.#now, 'last')
    else return
    if (!isSound(this.#path)) this.#isSound = false
    if (this.#trace !== undefined) this.#tell(this.#trace)
  }

  /** As Collector does it. */
  #pull(): void {
    const path = this.#path
    const window = path.windowDatagrams(BUFFER_SHARE)
    if (path.pullDueAt() > this.#now && !path.isPullEarly(this.#now, window)) return
    path.loss.advance(this.#now, path.roundTrip.smoothed)
    const credit = path.extendCredit(window)
    const rate = Math.max(1, Math.round(path.congestion.pacingRate * 8)) / 8
    path.congestion.onPaced(path.congestion.pacingRate, this.#now)
    const at = this.#now + this.#link.roundTrip / 2
    this.#pulls.push({ at, number: path.onPullSent(this.#now), rate, credit, proves: path.loss.largest > 0 })
  }

  /** As Upload does it, with all it could ever want to send. */
  #send(): void {
    for (let pull = this.#pulls[0]; pull !== undefined && pull.at <= this.#now; pull = this.#pulls[0]) {
      this.#pulls.shift()
      this.#newest = pull
      this.#isProven ||= pull.proves
      this.#credit = Math.max(this.#credit, this.#isProven ? pull.credit : Math.min(pull.credit, CREDIT_UNPROVEN))
      this.#pacer.setRate(pull.rate, this.#now)
      this.#echoDue = true
    }
    while (this.#sequence < this.#credit && this.#pacer.canSend(this.#now)) {
      this.#pacer.spend(DATAGRAM)
      this.#carry(DATAGRAM)
    }
    if (this.#echoDue && this.#sequence >= this.#credit) this.#carry(ECHO_DATAGRAM)
    this.#countInFlight()
  }

  #carry(octets: number): void {
    const pull = this.#newest
    assert(pull !== undefined, 'sent without a PULL')
    this.#echoDue = false
    this.#sequence++
    this.#sent++
    const start = Math.max(this.#now, this.#busyUntil)
    const time = octets / this.#rate
    if (start + time - this.#now > this.#queueMs) {
      this.#overflowed++
      return
    }
    this.#busyUntil = start + time
    if (this.#random.chance(this.#link.loss)) return
    this.#flights.push({
      at: this.#busyUntil + this.#link.roundTrip / 2,
      sequence: this.#sequence,
      sentAt: Math.round(this.#now * 1_000) >>> 0,
      echo: pull.number,
      hold: Math.min(HOLD_MAX, Math.round(((this.#now - pull.at) * 1_000) / HOLD_UNIT_MICROS)),
      octets,
    })
  }

  /** Datagrams sent after the newest that the sender could know of, were it told at once: PULLs have their own pace. */
  #countInFlight(): void {
    for (; this.#known < this.#landed; this.#known++) {
      const { at, sequence } = this.#flights[this.#known]!
      if (at + this.#link.roundTrip / 2 > this.#now) break
      this.#answered = sequence
    }
    if (this.#known > FORGET_FLIGHTS) {
      this.#flights = this.#flights.slice(this.#known)
      this.#landed -= this.#known
      this.#known = 0
    }
    this.#inFlight = Math.max(this.#inFlight, this.#sequence - this.#answered)
    this.#inFlightEver = Math.max(this.#inFlightEver, this.#inFlight)
  }

  #tell(trace: (line: string) => void): void {
    const { congestion, loss, roundTrip } = this.#path
    if (congestion.state === this.#traced && this.#now - this.#tracedAt < 500) return
    const [received, lost] = [loss.received - this.#tracedReceived, loss.lost - this.#tracedLost]
    const mbits = (rate: number) => (rate / 125).toPrecision(3)
    const time = Math.max(0.1, this.#now - this.#tracedAt)
    trace(
      [
        `${this.#now.toFixed(0).padStart(6)} ms  ${congestion.state.padEnd(7)}`,
        `bandwidth ${mbits(congestion.bandwidth)}, paced ${mbits(congestion.pacingRate)}`,
        `came ${mbits((received * DATAGRAM) / time)} Mbit/s`,
        `floor ${(100 * congestion.floor).toFixed(1)} %, lost ${((100 * lost) / Math.max(1, received + lost)).toFixed(1)} %`,
        `queue ${Math.max(0, this.#busyUntil - this.#now).toFixed(1)} of ${this.#queueMs.toFixed(1)} ms`,
        `round trip ${roundTrip.minimum.toFixed(1)} ms`,
        `in flight ${this.#sequence - this.#answered} of ${this.#path.windowDatagrams(BUFFER_SHARE)}`,
      ].join(', '),
    )
    this.#traced = congestion.state
    this.#tracedAt = this.#now
    this.#tracedReceived = loss.received
    this.#tracedLost = loss.lost
  }
}

function isSound(path: Path): boolean {
  const { bandwidth, pacingRate, floor } = path.congestion
  const window = path.windowDatagrams(BUFFER_SHARE)
  const least = Math.min(bandwidth, pacingRate, path.rate, path.target, path.cadence, window)
  const sum = bandwidth + pacingRate + path.rate + path.target + path.cadence + window
  return least > 0 && Number.isFinite(sum) && floor >= 0 && floor < 1
}

/** Kinds of links: a title, and the bounds that divide them. */
const CLASSES: readonly { readonly of: keyof RateLink; readonly bounds: readonly number[]; readonly unit: string }[] = [
  { of: 'loss', bounds: [0, 1e-9, 0.05, 0.15, 0.25], unit: '' },
  { of: 'queue', bounds: [0.1, 0.25, 0.5, 1, 4], unit: 'products' },
  { of: 'roundTrip', bounds: [1, 5, 20, 80, 300], unit: 'ms' },
  { of: 'rate', bounds: [1, 5, 30, 180, 1_000], unit: 'Mbit/s' },
]

interface Ran {
  readonly seed: number
  readonly link: RateLink
  readonly result: RateResult
}

/** Rows of a table: how many links of each kind met which goal. */
export function summarise(runs: readonly Ran[]): readonly string[] {
  const rows = [
    'link'.padEnd(28) +
      ['seeds', 'within 10 %', 'under half', 'flight > 3', 'median share', 'queue ms', 'overflow'].map(pad).join(''),
  ]
  rows.push(rowOf('all', runs))
  for (const { of, bounds, unit } of CLASSES) {
    for (let i = 0; i + 1 < bounds.length; i++) {
      const [low, high] = [bounds[i]!, bounds[i + 1]!]
      const title = of === 'loss' ? (i === 0 ? 'loss 0' : `loss to ${100 * high} %`) : `${of} ${low} to ${high} ${unit}`
      const ofKind = runs.filter(({ link }) => link[of] >= low && link[of] < high)
      if (ofKind.length > 0) rows.push(rowOf(title, ofKind))
    }
  }
  return rows
}

function rowOf(title: string, runs: readonly Ran[]): string {
  const percent = (is: (result: RateResult) => boolean) =>
    `${((100 * runs.filter(({ result }) => is(result)).length) / runs.length).toFixed(1)} %`
  const cells = [
    `${runs.length}`,
    percent(({ share }) => Math.abs(1 - share) <= GOAL.within),
    percent(({ share }) => share < GOAL.least),
    percent(({ inFlight, inFlightMax }) => inFlight > inFlightMax),
    median(runs.map(({ result }) => result.share)).toFixed(3),
    median(runs.map(({ result }) => result.queue)).toFixed(1),
    `${(100 * mean(runs.map(({ result }) => result.overflow))).toFixed(1)} %`,
  ]
  return title.padEnd(28) + cells.map(pad).join('')
}

function pad(cell: string): string {
  return cell.padStart(14)
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, n) => sum + n, 0) / numbers.length
}

function describe({ seed, link, result }: Ran): string {
  return [
    `seed ${seed}: ${misses(result).join(', ') || 'well'}`,
    `${link.rate.toPrecision(3)} Mbit/s, ${link.roundTrip.toPrecision(3)} ms, loss ${(100 * link.loss).toFixed(1)} %`,
    `queue ${link.queue.toFixed(2)} products`,
    `share ${result.share.toFixed(3)}, bandwidth ${result.bandwidth.toFixed(2)} of the link's`,
    `floor ${(100 * result.floor).toFixed(1)} %, median queue ${result.queue.toFixed(1)} ms`,
    `overflow ${(100 * result.overflow).toFixed(1)} %`,
    `in flight ${result.inFlight}, ever ${result.inFlightEver}, allowed ${result.inFlightMax.toFixed(0)}`,
    `replay: npm run rate -- --seed ${seed} --trace`,
  ].join('; ')
}

const USAGE = 'usage: npm run rate -- [--seeds COUNT] [--seed FIRST] [--trace]'

/** @returns whether every link met every goal */
export function runRates(argv: readonly string[], print: (line: string) => void): boolean {
  const { first, count, isTraced } = readRateArguments(argv)
  const runs: Ran[] = []
  for (let seed = first; seed < first + count; seed++) {
    const link = rateLinkOf(seed)
    const run = { seed, link, result: runRate(seed, link, isTraced ? print : undefined) }
    runs.push(run)
    if (count === 1 || misses(run.result).length > 0) print(describe(run))
  }
  if (count > 1) for (const row of summarise(runs)) print(row)
  return runs.every(({ result }) => misses(result).length === 0)
}

function readRateArguments(argv: readonly string[]): { first: number; count: number; isTraced: boolean } {
  const string = { type: 'string' } as const
  const read = () => {
    try {
      return parseArgs({ args: [...argv], options: { seeds: string, seed: string, trace: { type: 'boolean' } } }).values
    } catch (error) {
      throw new UsageError(`${(error as Error).message.split('. ')[0]}; ${USAGE}`)
    }
  }
  const { seeds, seed, trace } = read()
  const wholeNumber = (text: string) => {
    if (/^\d{1,9}$/.test(text)) return Number(text)
    throw new UsageError(`not a whole number: '${text}'; ${USAGE}`)
  }
  const count = seeds === undefined ? (seed === undefined ? 100 : 1) : Math.max(1, wholeNumber(seeds))
  return { first: seed === undefined ? 1 : wholeNumber(seed), count, isTraced: trace === true }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = runRates(process.argv.slice(2), line => console.log(line)) ? 0 : 1
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(error.message)
    process.exitCode = error.exitCode
  }
}
