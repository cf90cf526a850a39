// What comes while a queue stands: all that the link has for us.
import { type Instant, since } from '../units.js'

export class FullRate {
  #since: Instant | undefined
  #octets = 0
  #time = 0

  /** @param octets that came in a sample @param time of it, ms @param isFull a queue stood all the time */
  onSample(octets: number, time: number, isFull: boolean, now: Instant): void {
    if (!isFull) {
      this.#since = undefined
      return
    }
    if (this.#since === undefined) {
      this.#since = now
      this.#octets = 0
      this.#time = 0
    }
    this.#octets += octets
    this.#time += time
  }

  /** @param span ms @returns the mean, octets a millisecond; Infinity where the link was not full for so long */
  over(span: number, now: Instant): number {
    if (this.#since === undefined || since(this.#since, now) < span) return Infinity
    return this.#octets / this.#time
  }
}
