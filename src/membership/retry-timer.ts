import { type Milliseconds, ms } from '../units.js'

/** Floor of the wait: below it, a busy machine's own delays would look like losses. */
export const RETRY_MIN = 100
export const RETRY_MAX = 2_000
/** Before the first measurement. RFC 6298 says 1 s, for the whole internet; a lost first page should cost less. */
export const RETRY_FIRST = 250
const GAIN = 1 / 8
const DEVIATION_GAIN = 1 / 4
const DEVIATIONS = 4

/**
 * How long to wait for an answer before sending again, from measured round trips.
 *
 * @see RFC 6298, section 2; the bounds are ours: spec/membership.md, "Timers and limits"
 */
export class RetryTimer {
  #smoothed: number | undefined
  #deviation = 0
  #factor = 1

  /** Smoothed, in milliseconds; undefined before the first measurement. */
  get roundTrip(): Milliseconds | undefined {
    return this.#smoothed === undefined ? undefined : ms(this.#smoothed)
  }

  /** Milliseconds, within [RETRY_MIN, RETRY_MAX]. */
  get wait(): Milliseconds {
    const plain =
      this.#smoothed === undefined ? RETRY_FIRST : Math.max(RETRY_MIN, this.#smoothed + DEVIATIONS * this.#deviation)
    return ms(Math.min(RETRY_MAX, plain * this.#factor))
  }

  /** Takes a round trip of something sent once only: of two sendings nobody knows which was answered. */
  measure(roundTrip: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = roundTrip
      this.#deviation = roundTrip / 2
      return
    }
    this.#deviation += DEVIATION_GAIN * (Math.abs(this.#smoothed - roundTrip) - this.#deviation)
    this.#smoothed += GAIN * (roundTrip - this.#smoothed)
  }

  /** Nothing came back in time: wait twice as long. */
  backOff(): void {
    if (this.wait < RETRY_MAX) this.#factor *= 2
  }

  /** Something came back: the path is alive. */
  reset(): void {
    this.#factor = 1
  }
}
