import { type Instant, since } from '../units.js'

/** How long what was sent counts, in milliseconds: longer than the gap between two turns at a millisecond's timer. */
const MEMORY_MS = 4
/** 200 Mbit/s: below it a timer's millisecond is at most 25 KB, which any queue takes (picoquic#1110: 2 ms of rate). */
const FAST_BYTES_A_MS = 25_000

/** Whether this process sends so fast that waits of less than a millisecond matter: a mean that fades. */
export class SendRate {
  #rate = 0
  #at: Instant | undefined

  /** @param bytes what was sent at `at`; may be 0 */
  add(bytes: number, at: Instant): void {
    if (this.#at !== undefined) this.#rate *= Math.exp(-since(this.#at, at) / MEMORY_MS)
    this.#rate += bytes / MEMORY_MS
    this.#at = at
  }

  /** As of the last `add`. */
  get isFast(): boolean {
    return this.#rate > FAST_BYTES_A_MS
  }
}
