// What comes while a long queue stands: all that the link has for us.
import { type Instant, since } from '../units.js'

export class FullRate {
  #since: Instant | undefined
  #sum = 0
  #samples = 0

  /** @param rate of a sample, octets a millisecond @param isFull a long queue stood all the time */
  onSample(rate: number, isFull: boolean, now: Instant): void {
    if (!isFull) {
      this.#since = undefined
      return
    }
    if (this.#since === undefined) {
      this.#since = now
      this.#sum = 0
      this.#samples = 0
    }
    this.#sum += rate
    this.#samples++
  }

  /** @param span ms @returns the mean, octets a millisecond; Infinity where the link was not full for so long */
  over(span: number, now: Instant): number {
    if (this.#since === undefined || since(this.#since, now) < span) return Infinity
    return this.#sum / this.#samples
  }
}
