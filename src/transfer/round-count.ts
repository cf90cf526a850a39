// Counts what a packet-timed round trip shows from the datagrams that arrive in it.
import { type Instant, since } from '../units.js'
import type { LossDetector } from './loss.js'
import type { Losses } from './loss-floor.js'

/** What one packet-timed round trip showed. */
export interface Round extends Losses {
  /** Least queueing delay of the round, ms. */
  readonly queue: number
  /** The largest of its samples' least queueing delays, ms. */
  readonly queueHigh: number
  /** Octets that came, IP and UDP headers counted, over the round's time. */
  readonly delivered: number
  /** Least round trip, ms. */
  readonly roundTrip: number
}

const TIME_MIN_MS = 0.05

export class RoundCount {
  /** Octets of IP datagrams that came. */
  octets = 0
  #startedAt: Instant
  #received = 0
  #lost = 0
  #runs = 0
  #queue = Infinity
  #queueHigh = 0

  constructor(now: Instant) {
    this.#startedAt = now
  }

  /** @param queue least queueing delay of a rate sample, ms */
  onSample(queue: number): void {
    this.#queue = Math.min(this.#queue, queue)
    this.#queueHigh = Math.max(this.#queueHigh, queue)
  }

  /** Milliseconds since it began. */
  time(now: Instant): number {
    return Math.max(TIME_MIN_MS, since(this.#startedAt, now))
  }

  /** @param roundTrip least, ms @returns undefined if too little came */
  result(loss: LossDetector, roundTrip: number, now: Instant): Round | undefined {
    const received = loss.received - this.#received
    const lost = Math.max(0, loss.lost - this.#lost)
    const runs = Math.min(lost, loss.runs - this.#runs)
    if (received <= 0 || !Number.isFinite(this.#queue)) return undefined
    const delivered = this.octets / this.time(now)
    return { received, lost, runs, queue: this.#queue, queueHigh: this.#queueHigh, delivered, roundTrip }
  }

  /** The next round begins. */
  start(loss: LossDetector, now: Instant): void {
    this.#startedAt = now
    this.octets = 0
    this.#received = loss.received
    this.#lost = loss.lost
    this.#runs = loss.runs
    this.#queue = Infinity
    this.#queueHigh = 0
  }
}
