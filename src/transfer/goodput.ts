import { type Instant, since } from '../units.js'

const SPAN_MS = 1_000

/** Octets a second, over about the last second. */
export class Goodput {
  rate = 0
  #since: Instant
  #octets = 0

  constructor(now: Instant) {
    this.#since = now
  }

  /** Counts from there on. @param octets that were there before */
  start(octets: number): void {
    this.#octets = octets
  }

  /** @param octets of all time */
  update(octets: number, now: Instant): void {
    const time = since(this.#since, now)
    if (time < SPAN_MS && (this.rate !== 0 || time === 0)) return
    this.rate = ((octets - this.#octets) / time) * 1_000
    this.#since = now
    this.#octets = octets
  }
}
