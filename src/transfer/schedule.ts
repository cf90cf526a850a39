// Who owes which octets that nobody has been asked for yet. Fragments are the first assignment; a worker that runs
// out takes what is anyone's, then the far part of what would finish last. Where others collect the file too, all is
// anyone's. Every octet of the file that is not yet taken stands in exactly one interval here, or in the pool.
import { BLOCK_BYTES } from '../wire/layout.js'
import type { Interval, Pool } from './pool.js'

/** Where a worker stands, as the schedule needs to know it. */
export interface WorkerView {
  /** Octets a millisecond; above 0. */
  readonly rate: number
  /** Octets asked of it that have not come. */
  readonly outstanding: number
  /** Others may take what it has not begun. */
  readonly stealable: boolean
}

const blockEnd = (octet: number) => (Math.floor(octet / BLOCK_BYTES) + 1) * BLOCK_BYTES

export class Schedule {
  /** Told what a worker took from another. */
  onSteal: ((from: number, to: number, octets: number) => void) | undefined
  readonly #pool: Pool
  readonly #owned = new Map<number, Interval[]>()
  /** Workers from this number on own nothing: all that they could have is in the pool. */
  #sharedFrom = Infinity

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** From now on all that workers from the number `from` on have, or would get, is anyone's. */
  share(from: number): void {
    this.#sharedFrom = from
    for (const worker of [...this.#owned.keys()]) if (worker >= from) this.abandon(worker)
  }

  assign(worker: number, start: number, end: number): void {
    if (end <= start) return
    if (worker >= this.#sharedFrom) {
      this.#pool.add(start, end)
      return
    }
    const mine = this.#owned.get(worker)
    if (mine === undefined) this.#owned.set(worker, [{ start, end }])
    else mine.push({ start, end })
  }

  /** Gives back octets that were taken and will not come. */
  orphan(start: number, end: number): void {
    this.#pool.add(start, end)
  }

  /** What `worker` still had becomes anyone's. */
  abandon(worker: number): void {
    for (const { start, end } of this.#owned.get(worker) ?? []) this.#pool.add(start, end)
    this.#owned.delete(worker)
  }

  /** What `from` still had becomes `to`'s; without `from`, all that is anyone's. */
  inherit(to: number, from?: number): void {
    const intervals = from === undefined ? this.#pool.drain() : (this.#owned.get(from) ?? [])
    if (from !== undefined) this.#owned.delete(from)
    for (const { start, end } of intervals) this.assign(to, start, end)
  }

  /**
   * Takes the next octets of one block that `worker` should be asked for.
   * @param view how the workers stand: with it `worker` takes what is anyone's, then steals; without it, only what is its own
   */
  take(worker: number, view?: (worker: number) => WorkerView): Interval | undefined {
    const mine = this.#own(worker)
    if (mine.length === 0) {
      if (view === undefined) return undefined
      const found = this.#pool.take(worker)
      if (found !== undefined) mine.push(found)
      else if (!this.#steal(worker, mine, view)) return undefined
    }
    const next = mine[0]!
    const end = Math.min(next.end, blockEnd(next.start))
    const taken = { start: next.start, end }
    next.start = end
    if (next.start >= next.end) mine.shift()
    return taken
  }

  /** Takes [start, end), which lies in one block, back from whoever has it. */
  withdraw(start: number, end: number): void {
    for (const [worker, intervals] of this.#owned) this.#owned.set(worker, without(intervals, start, end))
    this.#pool.withdraw(start, end)
  }

  /** Whether nobody has been asked for this octet yet. */
  holds(octet: number): boolean {
    const isInside = ({ start, end }: Interval) => start <= octet && octet < end
    for (const intervals of this.#owned.values()) if (intervals.some(isInside)) return true
    return this.#pool.holds(octet)
  }

  /** Octets that `worker` has not begun. */
  remaining(worker: number): number {
    return sum(this.#owned.get(worker) ?? [])
  }

  get orphaned(): number {
    return this.#pool.octets
  }

  /** Whether `worker` could take anything, but by stealing. */
  hasFor(worker: number): boolean {
    return this.remaining(worker) > 0 || this.#pool.hasFor(worker)
  }

  /** Octets nobody has been asked for. */
  get untaken(): number {
    let total = this.orphaned
    for (const intervals of this.#owned.values()) total += sum(intervals)
    return total
  }

  #own(worker: number): Interval[] {
    let mine = this.#owned.get(worker)
    if (mine === undefined) {
      mine = []
      this.#owned.set(worker, mine)
    }
    return mine
  }

  /** Takes the far part, in proportion to both rates, of the work that would finish last. */
  #steal(thief: number, into: Interval[], view: (worker: number) => WorkerView): boolean {
    let victim: Interval[] | undefined
    let from = 0
    let latest = 0
    let victimRate = 1
    for (const [worker, intervals] of this.#owned) {
      if (worker === thief || intervals.length === 0) continue
      const { rate, outstanding, stealable } = view(worker)
      if (!stealable) continue
      const finishes = (sum(intervals) + outstanding) / rate
      if (finishes > latest) {
        latest = finishes
        victim = intervals
        from = worker
        victimRate = rate
      }
    }
    if (victim === undefined) return false
    const { rate } = view(thief)
    // A thief so slow that its first block would come last makes the end later, not earlier.
    if (BLOCK_BYTES / rate > latest) return false
    const share = rate / (rate + victimRate)
    const far = victim[victim.length - 1]!
    // A cut inside one block would make two sources for it, which costs more to blame than it saves.
    const cut = far.end - Math.max(BLOCK_BYTES, (far.end - far.start) * share)
    const start = Math.max(far.start, Math.ceil(cut / BLOCK_BYTES) * BLOCK_BYTES)
    if (start >= far.end) {
      const last = Math.max(far.start, (Math.ceil(far.end / BLOCK_BYTES) - 1) * BLOCK_BYTES)
      into.push({ start: last, end: far.end })
      far.end = last
    } else {
      into.push({ start, end: far.end })
      far.end = start
    }
    if (far.start >= far.end) victim.pop()
    this.onSteal?.(from, thief, sum(into))
    return true
  }
}

/** What is left of `intervals` without [start, end). */
function without(intervals: readonly Interval[], start: number, end: number): Interval[] {
  return intervals
    .flatMap(interval => [
      { start: interval.start, end: Math.min(interval.end, start) },
      { start: Math.max(interval.start, end), end: interval.end },
    ])
    .filter(interval => interval.start < interval.end)
}

function sum(intervals: readonly Interval[]): number {
  let total = 0
  for (const { start, end } of intervals) total += end - start
  return total
}
