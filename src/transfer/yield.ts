// Whether a queue goes away when we hold back. Ours does, and at a known speed; what stays is others'.
import { after, type Instant, NEVER, since } from '../units.js'

/** A queue that shrinks by less than this share of what it would if it were ours alone is not. */
const OURS_MIN = 0.6
/** It takes so long to tell, ms, or a round trip where that is more. */
const PATIENCE_MS = 20

export class Yield {
  readonly #gain: number
  readonly #startedAt: Instant
  readonly #lag: number
  #endedAt: Instant = NEVER
  /** Longest queue since the effect may show, ms, and the shortest after it. */
  #highest = -Infinity
  #least = Infinity

  /**
   * @param gain the share of our rate that we keep
   * @param lag after which its effect shows at the latest, ms
   */
  constructor(gain: number, lag: number, now: Instant) {
    this.#gain = gain
    this.#startedAt = now
    this.#lag = lag
  }

  /** Shortest queue that it left, ms; Infinity before it shows. */
  get least(): number {
    return this.#least
  }

  /** We hold back no more. */
  end(now: Instant): void {
    this.#endedAt = now
  }

  /** All that it does shows. */
  isOver(now: Instant): boolean {
    return this.#endedAt < NEVER && now >= after(this.#endedAt, this.#lag)
  }

  hasBegun(now: Instant): boolean {
    return now >= after(this.#startedAt, this.#lag)
  }

  /** @param queue ms */
  onDelay(queue: number, roundTripMin: number, now: Instant): void {
    if (now < after(this.#startedAt, roundTripMin) || this.isOver(now)) return
    if (queue > this.#highest) {
      this.#highest = queue
      this.#least = queue
    } else this.#least = Math.min(this.#least, queue)
  }

  /** The queue does not shrink as ours would. */
  stands(roundTripMin: number, now: Instant): boolean {
    const isOver = this.isOver(now)
    const shown = isOver ? since(this.#startedAt, this.#endedAt) : since(after(this.#startedAt, this.#lag), now)
    if (this.#least === Infinity || (!isOver && shown < Math.max(PATIENCE_MS, roundTripMin))) return false
    // A PULL says it up to a quarter of a round trip after we began.
    return this.#highest - this.#least < OURS_MIN * (1 - this.#gain) * (shown - roundTripMin / 4)
  }
}
