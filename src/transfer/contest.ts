// With whom one path competes. A queue at the collector's own end is all its paths' matter, and they compete as one
// (competition.ts). One at the peer's end is the path's alone: what the others get does not take anything from those who fill it,
// so they keep it when that queue overflows, and the path has a window of its own.
import type { Instant } from '../units.js'
import type { Competition, Showing } from './competition.js'

/** The queue is not common while another path sees less than this share of it. */
const SHARE_MIN = 1 / 3
/** Octets in flight, 16 datagrams: whoever has less can't answer to a loss by itself but by a large part of its rate. */
const PRODUCT_MIN = 24_000
/** Weight of the newest sample. */
const WEIGHT = 1 / 8
/** Share of the samples from which on it is common again, and up to which it is not any more. */
const COMMON_FROM = 0.7
const OWN_UP_TO = 0.3

export class Contest {
  readonly #common: Competition
  #own: Competition | undefined
  #isCommon = true
  /** Share of the latest samples whose queue was common. */
  #share = 1

  /** @param common that of all paths of the collector */
  constructor(common: Competition) {
    this.#common = common
  }

  /** @param queue least queueing delay of a rate sample, ms @param isLow it is none @param product octets in flight */
  onSample(queue: number, isLow: boolean, product: number, now: Instant): void {
    const { queues } = this.#common
    queues.onSample(this, queue, now)
    // What is short says nothing of where it stands.
    if (isLow) return
    const isCommon = product < PRODUCT_MIN || queues.leastBeside(this, now) >= SHARE_MIN * queue
    this.#share += WEIGHT * ((isCommon ? 1 : 0) - this.#share)
    if (this.#isCommon ? this.#share < OWN_UP_TO : this.#share > COMMON_FROM) this.#move(now)
  }

  /** Another path competes for what this one needs. */
  get isUnderWay(): boolean {
    return this.#isCommon && this.#common.isUnderWay
  }

  get isMember(): boolean {
    return this.#arena.has(this)
  }

  /** Octets that may be in flight. */
  get window(): number {
    return this.#arena.windowOf(this)
  }

  /** Share of the rate that the window makes. */
  get gain(): number {
    return this.#arena.gain
  }

  /** @param octets in flight */
  join(octets: number, now: Instant): void {
    if (!this.#isCommon) this.#own ??= this.#common.forOne(now)
    this.#arena.join(this, octets, now)
  }

  onRound(showing: Showing, now: Instant): void {
    this.#arena.onRound(this, showing, now)
  }

  /** @param queue ms */
  onDelay(queue: number, isLow: boolean, roundTripMin: number, now: Instant): void {
    this.#arena.onDelay(this, queue, isLow, roundTripMin, now)
  }

  /** A loss made the path join. */
  onLossBefore(now: Instant): void {
    this.#arena.onLossBefore(now)
  }

  get #arena(): Competition {
    return this.#isCommon ? this.#common : (this.#own ?? this.#common)
  }

  /** What is in flight stays so. */
  #move(now: Instant): void {
    const { isMember, window } = this
    if (isMember) this.#arena.leave(this, now)
    this.#isCommon = !this.#isCommon
    if (isMember) this.join(window, now)
  }
}
