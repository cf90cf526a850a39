// Whether what is lost is lost by chance: chance does not care how fast we send. For a moment we hold back by a little more
// than what is lost; if losses cease, they were an overflow, of a queue that never empties or of a policer.
import { after, type Instant, since } from '../units.js'
import type { LossDetector } from './loss.js'
import type { LossCount } from './loss-floor.js'

/** The moment lasts until chance should have struck so many times, in bursts or not, and for so many datagrams at least. */
const EXPECTED = 20
const DATAGRAMS_MIN = 200
const DATAGRAM = 1_500
/** Standard deviations: if it struck so much less it was not all chance. */
const NO_CHANCE = 2.5
/** A PULL follows a change of rate so soon, ms, and in round trips. */
const PULL_MS = 25
const PULL_ROUND_TRIPS = 0.25
/** Of what came lately: so a queue of any length goes away. */
const KEEP = 0.85
const DELIVERED_MIN = 0.6
/** Round trips until the next test, and at least so many ms. */
const AGAIN_ROUND_TRIPS = 150
const AGAIN_MS = 20_000

export interface FloorTestResult {
  /** All that was lost before, as far as it can be told. */
  readonly isChance: boolean
  /** What was lost meanwhile. */
  readonly count: LossCount
}

export class FloorTest {
  /** The share of our rate that we keep. */
  readonly gain: number
  readonly #strikes: number
  readonly #startedAt: Instant
  readonly #showsAt: Instant
  /** It holds back until then. */
  readonly endsAt: Instant
  readonly #roundTrip: number
  #first: number | undefined
  #last: number | undefined

  /**
   * @param strikes of chance for each datagram that comes, on the average: a burst is one
   * @param rate ours, octets a millisecond
   * @param delivered what came lately, octets a millisecond
   * @param roundTrip with the queue, ms
   */
  constructor(strikes: number, rate: number, delivered: number, roundTrip: number, now: Instant) {
    this.gain = KEEP * Math.min(1, Math.max(DELIVERED_MIN, delivered / rate))
    this.#strikes = strikes
    this.#startedAt = now
    this.#roundTrip = roundTrip
    const pull = Math.min(PULL_MS, PULL_ROUND_TRIPS * roundTrip)
    this.#showsAt = after(now, roundTrip + pull)
    this.endsAt = after(now, 2 * pull + FloorTest.octets(strikes) / (rate * this.gain))
  }

  /** @param strikes see the constructor @returns octets that a test takes */
  static octets(strikes: number): number {
    return Math.max(DATAGRAMS_MIN, EXPECTED / strikes) * DATAGRAM
  }

  /** @param isNew the floor is another one by now */
  isDueAgain(isNew: boolean, now: Instant): boolean {
    const wait = Math.max(AGAIN_MS, AGAIN_ROUND_TRIPS * this.#roundTrip)
    return since(this.#startedAt, now) >= (isNew ? wait / 10 : wait)
  }

  /** @returns undefined as long as it is not known, and only once */
  onBatch(loss: LossDetector, now: Instant): FloorTestResult | undefined {
    if (this.#first === undefined && now >= this.#showsAt) this.#first = loss.largest
    if (this.#last === undefined && now >= after(this.endsAt, this.#roundTrip)) this.#last = loss.largest
    if (this.#first === undefined || this.#last === undefined || loss.horizon < this.#last) return undefined
    const count = loss.countBetween(this.#first, this.#last)
    const expected = this.#strikes * (count.total - count.lost)
    this.#last = Infinity
    return { isChance: count.runs >= expected - NO_CHANCE * Math.sqrt(expected), count }
  }
}
