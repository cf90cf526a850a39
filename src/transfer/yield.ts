// Whether a queue goes away when we hold back. Ours does, and at a known speed; what stays is others'.
import { after, type Instant, NEVER, since } from '../units.js'

/** A queue that shrinks by less than this share of what it would if it were ours alone is not. */
const OURS_MIN = 0.6
/** Measured delays are so wrong, ms. */
const NOISE_MS = 1
/** It takes so long to tell, ms, or a round trip where that is more. */
const PATIENCE_MS = 20

/** A PULL says it so much later, round trips, and it takes one more until what is sent then is here. */
const SAID_ROUND_TRIPS = 0.25

export class Yield {
  readonly #gain: number
  readonly #startedAt: Instant
  /** When what was sent before had all come. */
  #shownFrom: Instant | undefined
  #endedAt: Instant = NEVER
  #isOver = false
  /** Longest queue since the effect may show, ms, and the shortest after it. */
  #highest = -Infinity
  #highestAt: Instant = NEVER
  #least = Infinity

  /** @param gain the share of our rate that we keep */
  constructor(gain: number, now: Instant) {
    this.#gain = gain
    this.#startedAt = now
  }

  /** Shortest queue that it left, ms; Infinity before it shows. */
  get least(): number {
    return this.#least
  }

  /** We hold back no more. */
  end(now: Instant): void {
    this.#endedAt = now
  }

  /** What it does has begun to show. */
  get hasBegun(): boolean {
    return this.#shownFrom !== undefined
  }

  /** @param queue that what has just come waited in, ms */
  onDelay(queue: number, roundTripMin: number, now: Instant): void {
    const askedAt = after(now, -queue - (1 + SAID_ROUND_TRIPS) * roundTripMin)
    if (this.#isOver || now < after(this.#startedAt, roundTripMin)) return
    this.#isOver = askedAt >= this.#endedAt
    if (askedAt >= this.#startedAt) this.#shownFrom ??= now
    if (queue >= this.#highest) {
      this.#highest = queue
      this.#highestAt = now
      this.#least = queue
    } else this.#least = Math.min(this.#least, queue)
  }

  /** The queue does not shrink as ours would. */
  stands(roundTripMin: number, now: Instant): boolean {
    if (this.#least === Infinity || this.#shownFrom === undefined) return false
    const shown = this.#isOver ? since(this.#startedAt, this.#endedAt) : since(this.#shownFrom, now)
    if (!this.#isOver && shown < Math.max(PATIENCE_MS, roundTripMin)) return false
    return this.#highest - this.#least < OURS_MIN * (1 - this.#gain) * (shown - SAID_ROUND_TRIPS * roundTripMin)
  }

  /** It shrank as fast as ours would, since it was longest. */
  shrinks(now: Instant): boolean {
    if (this.#least === Infinity) return false
    return this.#highest - this.#least >= OURS_MIN * (1 - this.#gain) * since(this.#highestAt, now) - NOISE_MS
  }
}
