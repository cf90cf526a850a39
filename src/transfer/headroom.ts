// Whether a link that was full has no queue any more, though we send all that it carried: then it carries more by now.
import { type Instant, since } from '../units.js'

/** So many rounds running without a queue tell, and so many ms: a round on a short path is soon over. */
const ROUNDS = 4
const TIME_MS = 100
/** Below this share of the queue that CRUISE holds there is none. */
const EMPTY_SHARE = 0.25

export class Headroom {
  #wasFull = false
  #rounds = 0
  #since: Instant | undefined

  /** @param high the longest queue of a round, ms @param target what CRUISE holds, ms */
  onRound(high: number, target: number, now: Instant): void {
    if (high >= target) this.#wasFull = true
    if (high > EMPTY_SHARE * target) {
      this.#rounds = 0
      this.#since = undefined
    } else {
      this.#rounds++
      this.#since ??= now
    }
  }

  /** What the link carries will show. */
  onProbe(): void {
    this.#wasFull = false
    this.#rounds = 0
    this.#since = undefined
  }

  /** It was full since the last probe, and is not any more. A sender that has no more, and a limit of ours, never fill it. */
  isThere(now: Instant): boolean {
    return this.#wasFull && this.#rounds >= ROUNDS && this.#since !== undefined && since(this.#since, now) >= TIME_MS
  }
}
