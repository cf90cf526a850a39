import { after, type Instant } from '../units.js'

/** The least value of about the last `span` milliseconds, from two half windows: constant time and memory. */
export class WindowedMinimum {
  readonly #half: number
  #current = Infinity
  #previous = Infinity
  #turnsAt: Instant | undefined

  constructor(span: number) {
    this.#half = span / 2
  }

  update(value: number, now: Instant): void {
    if (this.#turnsAt === undefined || now >= this.#turnsAt) {
      this.#previous = this.#turnsAt !== undefined && now < after(this.#turnsAt, this.#half) ? this.#current : Infinity
      this.#current = Infinity
      this.#turnsAt = after(now, this.#half)
    }
    if (value < this.#current) this.#current = value
  }

  /** Forgets nothing for another half of the span. */
  hold(now: Instant): void {
    if (this.#turnsAt !== undefined && now < this.#turnsAt) this.#turnsAt = after(now, this.#half)
  }

  /** Infinity before the first update. */
  get value(): number {
    return Math.min(this.#current, this.#previous)
  }
}
