// Which blocks of a content are to be fetched: all, or those that hold some picked file of a bundle.
import { assert } from '../errors.js'
import { type BlockIndex, blockIndex, chunkIndex, fragmentIndex } from '../units.js'
import type { Bitmap } from './bitmap.js'
import { divideIntoFragments, type FileLayout, type Fragment } from './layout.js'

export class Wanted {
  readonly count: number
  /** Octets in all. */
  readonly bytes: number
  readonly #layout: FileLayout
  readonly #blocks: Bitmap | undefined

  /** @param blocks undefined: all of them */
  constructor(layout: FileLayout, blocks?: Bitmap) {
    assert(blocks === undefined || blocks.size === layout.blockCount, 'one bit a block')
    this.#layout = layout
    this.#blocks = blocks
    this.count = blocks?.count ?? layout.blockCount
    this.bytes = this.bytesIn(0, layout.size)
  }

  has(block: BlockIndex): boolean {
    return this.#layout.hasBlock(block) && (this.#blocks?.has(block) ?? true)
  }

  /** Octets of [start, end) that lie in wanted blocks. */
  bytesIn(start: number, end: number): number {
    let bytes = 0
    this.forEachRun(start, end, (from, to) => {
      bytes += to - from
    })
    return bytes
  }

  /** Visits the octets of [start, end) that lie in wanted blocks, as runs, in order. */
  forEachRun(start: number, end: number, visit: (start: number, end: number) => void): void {
    if (this.#blocks === undefined) {
      if (start < end) visit(start, end)
      return
    }
    for (let at = start; at < end; ) {
      const first = this.#blocks.firstSet(this.#layout.blockAt(at))
      if (first === undefined) return
      const from = Math.max(at, this.#layout.blockStart(blockIndex(first)))
      at = this.#layout.blockStart(blockIndex(this.#blocks.firstMissing(first) ?? this.#blocks.size))
      if (from < end) visit(from, Math.min(at, end))
    }
  }

  /**
   * Divides what is wanted into `count` fragments, which together cover the whole content. Of the blocks between them that
   * nobody wants, each belongs to the fragment before it.
   */
  divide(count: number, chunkSize: number): readonly Fragment[] {
    const blocks = this.#blocks
    if (blocks === undefined || blocks.isFull) return divideIntoFragments(this.#layout, count, chunkSize)
    const starts = [0]
    let passed = 0
    blocks.forEachSet(0, blocks.size, block => {
      while (starts.length < count && passed >= Math.floor((starts.length * blocks.count) / count)) starts.push(block)
      passed++
    })
    while (starts.length < count) starts.push(blocks.size)
    return starts.map((first, i) => this.#fragment(i, first, starts[i + 1] ?? blocks.size))
  }

  #fragment(index: number, first: number, behind: number): Fragment {
    return {
      index: fragmentIndex(index),
      start: this.#layout.blockStart(blockIndex(first)),
      end: this.#layout.blockStart(blockIndex(behind)),
      first: { block: blockIndex(first), chunk: chunkIndex(0) },
      behind: { block: blockIndex(behind), chunk: chunkIndex(0) },
    }
  }
}
