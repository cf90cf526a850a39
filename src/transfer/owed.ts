import { Bitmap } from '../content/bitmap.js'
import { chunkBytes } from '../content/layout.js'
import { type BlockIndex, chunkIndex } from '../units.js'
import type { OpenBlock } from './assembly.js'

/** The chunks that one source has been asked for and that have not come, oldest request first. */
export class Owed {
  /** Octets in all. */
  octets = 0
  readonly #blocks = new Map<BlockIndex, { readonly open: OpenBlock; readonly chunks: Bitmap }>()

  get isEmpty(): boolean {
    return this.#blocks.size === 0
  }

  get size(): number {
    return this.#blocks.size
  }

  entries(): IterableIterator<{ readonly open: OpenBlock; readonly chunks: Bitmap }> {
    return this.#blocks.values()
  }

  /** The newest request first. */
  newestFirst(): readonly { readonly open: OpenBlock; readonly chunks: Bitmap }[] {
    return [...this.#blocks.values()].reverse()
  }

  chunksOf(block: BlockIndex): Bitmap | undefined {
    return this.#blocks.get(block)?.chunks
  }

  /** Asks for the chunks of [first, end) that are missing. */
  wantRange(open: OpenBlock, first: number, end: number): void {
    open.have.forEachMissing(first, end, chunk => this.want(open, chunk))
  }

  want(open: OpenBlock, chunk: number): void {
    let entry = this.#blocks.get(open.index)
    if (entry === undefined) {
      entry = { open, chunks: new Bitmap(open.chunks) }
      this.#blocks.set(open.index, entry)
    }
    if (entry.chunks.set(chunk)) this.octets += octetsOf(open, chunk)
  }

  /** The chunk came, or is asked of another. @returns whether it was owed here */
  settle(open: OpenBlock, chunk: number): boolean {
    const entry = this.#blocks.get(open.index)
    if (entry === undefined || !entry.chunks.clear(chunk)) return false
    this.octets -= octetsOf(open, chunk)
    if (entry.chunks.isEmpty) this.#blocks.delete(open.index)
    return true
  }

  /** @returns the chunks of `open` that were owed here and no longer are */
  release(open: OpenBlock): Bitmap | undefined {
    const entry = this.#blocks.get(open.index)
    if (entry === undefined) return undefined
    entry.chunks.forEachSet(0, open.chunks, chunk => {
      this.octets -= octetsOf(open, chunk)
    })
    this.#blocks.delete(open.index)
    return entry.chunks
  }
}

function octetsOf(open: OpenBlock, chunk: number): number {
  return chunkBytes(open.bytes, open.chunkSize, chunkIndex(chunk))
}
