// What counts as a queue on one path. All is milliseconds of one-way delay above its least; rates are octets a millisecond.
import { type Instant, since } from '../units.js'

/** CRUISE holds about this much: enough that the link never idles, too little for anyone to notice. */
const TARGET_MS = 2
const TARGET_ROUND_TRIPS = 0.25
/** Less is no queue: so many ms, or half a round trip where that is less (1 ms is noise), a tenth of a long one, a datagram. */
const LOW_MS = 3
const NOISE_MS = 1
const LOW_ROUND_TRIPS = 0.1
const LOW_BYTES = 2_000
/** With more than so many ms, half a round trip of a short path (2 ms are noise), or an eighth of a long one, the link is full. */
const STANDING_MS = 5
const STANDING_NOISE_MS = 1
const STANDING_ROUND_TRIPS = 0.125
/** UP makes it grow, and ends when it stood for so long: ms, octets, or round trips. */
const PATIENCE_MS = 1
const PATIENCE_BYTES = 24_000
const PATIENCE_ROUND_TRIPS = 0.25
/** With more than so many ms, or half a round trip of a long path, the link carries less than we send, whatever we thought. */
const LONG_MS = 15
const LONG_ROUND_TRIPS = 0.5
/** A queue may overflow that has this share of the longest seen, and at least so many ms and octets. */
const FULL_SHARE = 0.75
const FULL_MS = 5
const FULL_BYTES = 4_500
/** The longest is forgotten by so much a round. */
const FORGET = 0.998
/** The least delay is known anew when the queue was this short; a drain sees to it that it is so often. */
const EMPTY_MS = 0.5
const EMPTY_EVERY_MS = 2_000

export class QueueView {
  #highest = 0
  #highBefore = 0
  #high = 0
  /** Queueing delay that stays when we hold back: other flows', or a busy machine's. Not ours to drain. */
  #foreign = 0
  /** Half of the whole queue where it was found to overflow before it seems long. */
  #short = Infinity
  #emptyAt: Instant
  /** Nothing has come since then that did not find a standing queue. */
  #standsSince: Instant | undefined

  constructor(now: Instant) {
    this.#emptyAt = now
  }

  /** The longest queue lately. */
  get highest(): number {
    return this.#highest
  }

  /** What we can drain of it. */
  own(queue: number): number {
    return Math.max(0, queue - this.#foreign)
  }

  /** Of each datagram. */
  onDelay(queue: number, roundTrip: number, now: Instant): void {
    if (this.isStanding(this.own(queue), roundTrip)) this.#standsSince ??= now
    else this.#standsSince = undefined
  }

  onSample(queue: number, now: Instant): void {
    if (queue <= EMPTY_MS) this.#emptyAt = now
  }

  /** @param least the shortest queue of a round @param high the longest */
  onRound(least: number, high: number): void {
    this.#foreign = Math.min(this.#foreign, least)
    this.#highBefore = this.#high
    this.#high = high
    // Of two rounds running: a moment in which this computer stood still is not the queue.
    this.#highest = Math.max(FORGET * this.#highest, Math.min(this.#highBefore, high))
  }

  /** A drain is over. @param left the shortest queue that it left @param stayed it did not shrink as ours would */
  onDrained(left: number, stayed: boolean, roundTrip: number): void {
    if (!Number.isFinite(left)) return
    this.#foreign = Math.min(Math.max(0, left - this.target(roundTrip)), stayed ? this.#highest / 2 : this.#foreign)
  }

  forgetForeign(): void {
    this.#foreign = 0
  }

  /** Losses came from the queue though it seemed short. */
  overflowsEarly(): void {
    this.#short = this.#highest / 2
  }

  target(roundTrip: number): number {
    return Math.min(TARGET_MS, TARGET_ROUND_TRIPS * roundTrip)
  }

  /** What a drain should leave: nothing, if that was not seen for long, or our own queue would pass for the path's delay. */
  drainTarget(roundTrip: number, now: Instant): number {
    return since(this.#emptyAt, now) > EMPTY_EVERY_MS ? 0 : this.target(roundTrip)
  }

  isLow(queue: number, roundTrip: number, rate: number): boolean {
    const short = Math.min(LOW_MS, Math.max(NOISE_MS, roundTrip / 2))
    return queue < Math.min(Math.max(short, LOW_ROUND_TRIPS * roundTrip, LOW_BYTES / rate), this.#short)
  }

  isStanding(queue: number, roundTrip: number): boolean {
    const short = Math.min(STANDING_MS, Math.max(STANDING_NOISE_MS, roundTrip / 2))
    return queue > Math.max(short, STANDING_ROUND_TRIPS * roundTrip)
  }

  /** It stood for so long that chance does not explain it. */
  stands(roundTrip: number, rate: number, now: Instant): boolean {
    const patience = Math.max(PATIENCE_MS, PATIENCE_BYTES / rate, PATIENCE_ROUND_TRIPS * roundTrip)
    return this.#standsSince !== undefined && since(this.#standsSince, now) >= patience
  }

  isLong(queue: number, roundTrip: number): boolean {
    return queue > Math.max(LONG_MS, LONG_ROUND_TRIPS * roundTrip)
  }

  /** Queueing delay that no drain leaves behind. */
  foreignMin(roundTrip: number, rate: number): number {
    return Math.max(FULL_MS, FULL_BYTES / rate, STANDING_ROUND_TRIPS * roundTrip)
  }

  /** In the last two rounds it was about as long as it ever gets. */
  wasFull(rate: number): boolean {
    const full = Math.max(FULL_MS, FULL_BYTES / rate, FULL_SHARE * this.#highest)
    return Math.max(this.#high, this.#highBefore) >= full
  }
}
