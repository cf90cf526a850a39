// What was lost on one path, from the sequence numbers that arrived. A number is lost when a later one arrived a
// reordering window ago and it did not (RACK's rule, RFC 8985, with a window that grows where a path reorders).
import { type Instant, since } from '../units.js'
import type { LossCount } from './loss-floor.js'

/** Sequence numbers remembered; what comes later than that is a duplicate for all we know. A power of two. */
const REMEMBERED = 1 << 17
const CHECKPOINTS = 256

export type Arrival = 'new' | 'late' | 'duplicate'

export class LossDetector {
  /** Largest sequence number received; 0 = none. */
  largest = 0
  /** Every number up to this one is either received or lost. */
  horizon = 0
  received = 0
  lost = 0
  /** Runs of numbers one after the other that were declared lost. */
  runs = 0
  /** Numbers declared lost that arrived after all. */
  spurious = 0
  readonly #seen = new Uint32Array(REMEMBERED / 32)
  readonly #checkpointLargest = new Float64Array(CHECKPOINTS)
  readonly #checkpointAt = new Float64Array(CHECKPOINTS)
  #oldest = 0
  #checkpoints = 0
  /** The reordering window as a multiple of an eighth of the round trip. */
  #eighths = 1

  /** Share of datagrams lost so far, 0 to 1. */
  get ratio(): number {
    const total = this.received + this.lost
    return total === 0 ? 0 : Math.max(0, this.lost) / total
  }

  onArrival(sequence: number): Arrival {
    if (sequence > this.largest) {
      this.#forget(this.largest + 1, sequence)
      this.largest = sequence
    } else if (sequence <= this.largest - REMEMBERED || this.#has(sequence)) return 'duplicate'
    this.#seen[(sequence >>> 5) & (REMEMBERED / 32 - 1)]! |= 1 << (sequence & 31)
    this.received++
    if (sequence > this.horizon) return 'new'
    this.spurious++
    this.lost--
    if (this.#eighths < 8) this.#eighths++
    return 'late'
  }

  /** So many numbers right above the largest arrived. */
  onMore(count: number): void {
    const first = this.largest + 1
    this.largest += count
    for (let from = first; from <= this.largest; ) {
      const end = Math.min(this.largest + 1, (from | 31) + 1)
      const bits = (0xffff_ffff >>> (32 - (end - from))) << (from & 31)
      this.#seen[(from >>> 5) & (REMEMBERED / 32 - 1)]! |= bits
      from = end
    }
    this.received += count
  }

  /** To be called once for each wake-up in which something arrived. */
  checkpoint(now: Instant): void {
    const last = (this.#oldest + this.#checkpoints - 1) % CHECKPOINTS
    if (this.#checkpoints > 0 && this.#checkpointLargest[last] === this.largest) return
    if (this.#checkpoints === CHECKPOINTS) {
      // Full: the newest two become one, which makes their loss a little later known and nothing worse.
      this.#checkpointLargest[last] = this.largest
      this.#checkpointAt[last] = now
      return
    }
    const slot = (this.#oldest + this.#checkpoints) % CHECKPOINTS
    this.#checkpointLargest[slot] = this.largest
    this.#checkpointAt[slot] = now
    this.#checkpoints++
  }

  /** Moves the horizon as far as `now` allows. @returns how many numbers were newly declared lost */
  advance(now: Instant, roundTrip: number): number {
    const window = Math.max(1, (roundTrip * this.#eighths) / 8)
    let to = this.horizon
    while (this.#checkpoints > 0 && since(this.#checkpointAt[this.#oldest]! as Instant, now) >= window) {
      // The largest of that wake-up is itself received; only what lies below it is decided.
      to = this.#checkpointLargest[this.#oldest]!
      this.#oldest = (this.#oldest + 1) % CHECKPOINTS
      this.#checkpoints--
    }
    let lost = 0
    for (let sequence = this.horizon + 1; sequence <= to; sequence++) {
      if (this.#has(sequence)) continue
      lost++
      if (this.#has(sequence - 1)) this.runs++
    }
    this.horizon = Math.max(this.horizon, to)
    this.lost += lost
    return lost
  }

  /** What became of the numbers above `from`, up to `to`. */
  countBetween(from: number, to: number): LossCount {
    const count = { lost: 0, runs: 0, total: to - from }
    for (let sequence = from + 1; sequence <= to; sequence++) {
      if (this.#has(sequence)) continue
      count.lost++
      if (this.#has(sequence - 1)) count.runs++
    }
    return count
  }

  #has(sequence: number): boolean {
    return (this.#seen[(sequence >>> 5) & (REMEMBERED / 32 - 1)]! & (1 << (sequence & 31))) !== 0
  }

  /** Clears the memory that numbers from `from` to `to` will use. */
  #forget(from: number, to: number): void {
    if (to - from >= REMEMBERED) this.#seen.fill(0)
    else
      for (let sequence = from; sequence <= to; sequence++) {
        this.#seen[(sequence >>> 5) & (REMEMBERED / 32 - 1)]! &= ~(1 << (sequence & 31))
      }
  }
}
