import { after, type Instant, instant } from '../units.js'

/**
 * How many datagrams may go out of our own accord in each stretch of time, so that one change told to thousands of
 * members does not overflow a socket's buffer. Answers are not counted: there are no more of them than of questions.
 */
export class Budget {
  readonly #max: number
  readonly #every: number
  #left: number
  #renewsAt: Instant = instant(-Infinity)

  /** @param max datagrams in each `every` milliseconds */
  constructor(max: number, every: number) {
    this.#max = max
    this.#every = every
    this.#left = max
  }

  take(now: Instant): boolean {
    if (now >= this.#renewsAt) {
      this.#left = this.#max
      this.#renewsAt = after(now, this.#every)
    }
    if (this.#left === 0) return false
    this.#left--
    return true
  }

  isSpent(now: Instant): boolean {
    return this.#left === 0 && now < this.#renewsAt
  }

  /** `wanted`, or the time from which `take` gives again if that is later. */
  opensAt(wanted: Instant): Instant {
    return this.#left === 0 && this.#renewsAt > wanted ? this.#renewsAt : wanted
  }
}
