// Whether the queue that one path sees stands before all: at the collector's own end every path meets it at the same time, at a
// peer's end the paths to others don't.
import { type Instant, since } from '../units.js'

/** What a path saw longer ago says nothing of now. */
const LATELY_MS = 200

export class CommonQueue {
  readonly #seen = new Map<object, { queue: number; at: Instant }>()

  /** @param queue least queueing delay of a rate sample of `path`, ms */
  onSample(path: object, queue: number, now: Instant): void {
    this.#seen.set(path, { queue, at: now })
  }

  /** The shortest queue that another path saw lately, ms; Infinity: there is none that something came from. */
  leastBeside(path: object, now: Instant): number {
    let least = Infinity
    for (const [other, { queue, at }] of this.#seen) {
      if (since(at, now) > LATELY_MS) this.#seen.delete(other)
      else if (other !== path) least = Math.min(least, queue)
    }
    return least
  }
}
