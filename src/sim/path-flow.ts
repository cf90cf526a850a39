// One Path, as the collector uses it, and a paced sender that always has data, over one link: no hosts, no files.

import { Competition } from '../transfer/competition.js'
import { IP_UDP_BYTES, Pacer } from '../transfer/pacer.js'
import { Path } from '../transfer/path.js'
import { TRAINS } from '../transfer/train.js'
import { CREDIT_UNPROVEN } from '../transfer/upload.js'
import { type Instant, instant } from '../units.js'
import { BULK_HEADER_BYTES, HOLD_MAX, HOLD_UNIT_MICROS } from '../wire/layout.js'
import type { Flow } from './flow.js'
import type { Link } from './link.js'
import type { SeededRandom } from './random.js'

/** Octets of the IP datagram of a chunk. */
export const DATAGRAM = 1_500
const ECHO_DATAGRAM = BULK_HEADER_BYTES + IP_UDP_BYTES
/** Three quarters of a receive buffer of 4 MB. */
const BUFFER_SHARE = 1_365
/** A collector on a busy computer is late so often and for so long, ms. */
const BUSY_EVERY_MS = 1_990
const BUSY_MS = 60
/** Flights that are over and may be kept: fewer would be moved about too often. */
const FORGET_FLIGHTS = 20_000

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

export interface PathFlowOptions {
  readonly link: Link
  /** Milliseconds without a queue. */
  readonly roundTrip: number
  readonly random: SeededRandom
  /** First among the paths of a collector: 0. */
  readonly index?: number
  readonly startsAt?: Instant
  /** That of all paths of the collector. */
  readonly competition?: Competition
  /** As Collector decides it. */
  readonly mayProbe?: () => boolean
  /** So many ms later than it comes the collector sees a datagram, now and then. */
  readonly lateness?: number
}

export class PathFlow implements Flow {
  octets = 0
  /** Datagrams sent, and those that the link's queue had no room for. */
  sent = 0
  overflowed = 0
  /** Every estimate was finite and positive at every wake-up. */
  isSound = true
  readonly path: Path
  readonly #link: Link
  readonly #roundTrip: number
  readonly #mayProbe: () => boolean
  readonly #startsAt: Instant
  readonly #lateness: number
  readonly #pacer = new Pacer(TRAINS)
  /** By arrival: what landed, and what the sender could know of, up to two places in it. */
  #flights: Flight[] = []
  #landed = 0
  #known = 0
  #now: Instant
  #pulls: SentPull[] = []
  #newest: SentPull | undefined
  #credit = 0
  #isProven = false
  #echoDue = false
  #sequence = 0
  #answered = 0

  constructor(options: PathFlowOptions) {
    const { link, roundTrip, random, index = 0, startsAt = instant(0), mayProbe, lateness = 0 } = options
    const competition = options.competition ?? new Competition(startsAt)
    this.#link = link
    this.#roundTrip = roundTrip
    this.#mayProbe = mayProbe ?? (() => true)
    this.#startsAt = startsAt
    this.#lateness = lateness
    this.#now = startsAt
    const endpoint = { address: `10.0.0.${1 + index}`, port: 4_000 }
    const chunkSize = DATAGRAM - 2 * IP_UDP_BYTES
    const chance = () => random.uniform()
    const [number, session] = [4 + index, BigInt(1 + index)]
    // The manager's round trip is the first guess of a peer's; it may be quite another.
    const guess = roundTrip * random.between(0.5, 2)
    const settings = { endpoint, number, session, roundTrip: guess, chunkSize, datagramMax: 0, chance, competition }
    this.path = new Path(settings, startsAt)
  }

  step(now: Instant): void {
    if (now < this.#startsAt) return
    this.#now = now
    this.#receive()
    this.#pull()
    this.#send()
  }

  nextAt(): number {
    const mayChunk = this.#sequence < this.#credit
    return Math.max(
      this.#startsAt,
      Math.min(
        (this.#flights[this.#landed]?.at ?? Infinity) + this.#late,
        this.#pulls[0]?.at ?? Infinity,
        mayChunk ? this.#pacer.nextAt() : Infinity,
        this.path.pullDueAt(),
        this.path.timeoutAt(),
      ),
    )
  }

  /** Datagrams sent after the newest that the sender could know of, were it told at once: PULLs have their own pace. */
  get inFlight(): number {
    for (; this.#known < this.#landed; this.#known++) {
      const { at, sequence } = this.#flights[this.#known]!
      if (at + this.#roundTrip / 2 > this.#now) break
      this.#answered = Math.max(this.#answered, sequence)
    }
    return this.#sequence - this.#answered
  }

  get window(): number {
    return this.path.windowDatagrams(BUFFER_SHARE)
  }

  /** How late the collector is, ms. */
  get #late(): number {
    return this.#now % BUSY_EVERY_MS < BUSY_MS ? this.#lateness : 0
  }

  #receive(): void {
    const seen = this.#now - this.#late
    let came = 0
    for (let flight = this.#flights[this.#landed]; flight !== undefined && flight.at <= seen; came++) {
      const { sequence, sentAt, echo, hold, octets } = flight
      const isChunk = octets === DATAGRAM
      this.path.onArrival(sequence, sentAt, echo & 0xffff, hold, octets - IP_UDP_BYTES, !isChunk, this.#now)
      if (isChunk) this.octets += octets
      flight = this.#flights[++this.#landed]
    }
    if (came > 0) this.path.endBatch(this.#now, this.#mayProbe())
    else if (this.path.timeoutAt() <= this.#now) this.path.onTimeout(this.#now, 'last')
    else return
    this.#checkEstimates()
  }

  /** As Collector does it. */
  #pull(): void {
    const { path, window } = this
    if (path.pullDueAt() > this.#now && !path.isPullEarly(this.#now, window)) return
    path.loss.advance(this.#now, path.roundTrip.smoothed)
    const credit = path.extendCredit(window)
    const rate = Math.max(1, Math.round(path.congestion.pacingRate * 8)) / 8
    path.congestion.onPaced(path.congestion.pacingRate, this.#now)
    const at = this.#now + this.#roundTrip / 2
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
    if (this.#newest === undefined) return
    while (this.#sequence < this.#credit && this.#pacer.canSend(this.#now)) {
      this.#pacer.spend(DATAGRAM)
      this.#carry(this.#newest, DATAGRAM)
    }
    if (this.#echoDue && this.#sequence >= this.#credit) this.#carry(this.#newest, ECHO_DATAGRAM)
    this.#forget()
  }

  #carry(pull: SentPull, octets: number): void {
    this.#echoDue = false
    this.#sequence++
    this.sent++
    if (this.#link.carry(this.#now, octets - IP_UDP_BYTES) === 0) {
      if (this.#link.fate === 'queueFull') this.overflowed++
      return
    }
    const flight = {
      at: this.#link.arrivals[0]!,
      sequence: this.#sequence,
      sentAt: Math.round(this.#now * 1_000) >>> 0,
      echo: pull.number,
      hold: Math.min(HOLD_MAX, Math.round(((this.#now - pull.at) * 1_000) / HOLD_UNIT_MICROS)),
      octets,
    }
    // Jitter reorders, but never by far.
    let place = this.#flights.length
    while (place > this.#landed && this.#flights[place - 1]!.at > flight.at) place--
    if (place === this.#flights.length) this.#flights.push(flight)
    else this.#flights.splice(place, 0, flight)
  }

  #forget(): void {
    if (this.#known <= FORGET_FLIGHTS) return
    this.#flights = this.#flights.slice(this.#known)
    this.#landed -= this.#known
    this.#known = 0
  }

  #checkEstimates(): void {
    const { rate, target, cadence, congestion } = this.path
    const { bandwidth, pacingRate, floor } = congestion
    const least = Math.min(bandwidth, pacingRate, rate, target, cadence, this.window)
    const sum = bandwidth + pacingRate + rate + target + cadence + this.window
    if (!(least > 0 && Number.isFinite(sum) && floor >= 0 && floor < 1)) this.isSound = false
  }
}
