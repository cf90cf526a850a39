// Octets that are anyone's: whole blocks, and parts of blocks that were left over. Where others collect the file too the
// rarest blocks are taken first, otherwise the first ones.
import { Bitmap } from '../content/bitmap.js'
import type { FileLayout } from '../content/layout.js'
import { type BlockIndex, blockIndex } from '../units.js'
import type { Availability } from './availability.js'

/** Octets [start, end) of the file. */
export interface Interval {
  start: number
  end: number
}

export class Pool {
  /** In all. */
  octets = 0
  readonly #layout: FileLayout
  readonly #availability: Availability
  readonly #blocks: Bitmap
  /** Each within one block. */
  #scraps: Interval[] = []

  constructor(layout: FileLayout, availability: Availability) {
    this.#layout = layout
    this.#availability = availability
    this.#blocks = new Bitmap(layout.blockCount)
  }

  /** @param start, end nothing of it is here yet */
  add(start: number, end: number): void {
    for (let at = start; at < end; ) {
      const block = this.#layout.blockAt(at)
      const stop = Math.min(end, this.#endOf(block))
      if (at === this.#layout.blockStart(block) && stop === this.#endOf(block)) this.#blocks.set(block)
      else this.#scraps.push({ start: at, end: stop })
      at = stop
    }
    this.octets += Math.max(0, end - start)
  }

  /** Takes octets that the source has: of one block where others collect the file too, otherwise a run of them. */
  take(source: number): Interval | undefined {
    const scrap = this.#scraps.findIndex(({ start }) => this.#availability.has(source, this.#layout.blockAt(start)))
    if (scrap >= 0) return this.#taken(this.#scraps.splice(scrap, 1)[0]!)
    const isShared = this.#availability.isShared
    const first = isShared ? this.#availability.pick(source, this.#blocks) : this.#blocks.firstSet()
    if (first === undefined) return undefined
    const end = isShared ? first + 1 : (this.#blocks.firstMissing(first) ?? this.#blocks.size)
    for (let block = first; block < end; block++) this.#blocks.clear(block)
    return this.#taken({
      start: this.#layout.blockStart(blockIndex(first)),
      end: this.#layout.blockStart(blockIndex(end)),
    })
  }

  /** Takes everything, in order. */
  drain(): readonly Interval[] {
    const all = this.#scraps
    this.#blocks.forEachSet(0, this.#blocks.size, index => {
      const block = blockIndex(index)
      all.push({ start: this.#layout.blockStart(block), end: this.#endOf(block) })
    })
    this.#scraps = []
    this.#blocks.clearAll()
    this.octets = 0
    return all.sort((a, b) => a.start - b.start)
  }

  /** Takes what is here of [start, end), which lies in one block. */
  withdraw(start: number, end: number): void {
    if (end <= start) return
    const block = this.#layout.blockAt(start)
    if (this.#blocks.clear(block)) {
      this.octets -= this.#layout.blockBytes(block)
      this.add(this.#layout.blockStart(block), start)
      this.add(end, this.#endOf(block))
      return
    }
    const overlapping = this.#scraps.filter(scrap => scrap.start < end && start < scrap.end)
    this.#scraps = this.#scraps.filter(scrap => !overlapping.includes(scrap))
    for (const scrap of overlapping) {
      this.octets -= scrap.end - scrap.start
      this.add(scrap.start, Math.min(scrap.end, start))
      this.add(Math.max(scrap.start, end), scrap.end)
    }
  }

  holds(octet: number): boolean {
    if (this.#blocks.has(this.#layout.blockAt(octet))) return true
    return this.#scraps.some(({ start, end }) => start <= octet && octet < end)
  }

  /** Whether a source has anything of it. */
  hasFor(source: number): boolean {
    return (
      this.#availability.hasAny(source, this.#blocks) ||
      this.#scraps.some(({ start }) => this.#availability.has(source, this.#layout.blockAt(start)))
    )
  }

  #taken(interval: Interval): Interval {
    this.octets -= interval.end - interval.start
    return interval
  }

  #endOf(block: BlockIndex): number {
    return this.#layout.blockStart(blockIndex(block + 1))
  }
}
