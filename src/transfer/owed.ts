import { Bitmap } from '../content/bitmap.js'
import { chunkBytes } from '../content/layout.js'
import { assert } from '../errors.js'
import { type BlockIndex, chunkIndex } from '../units.js'
import type { OpenBlock } from './assembly.js'

interface Entry {
  readonly open: OpenBlock
  readonly chunks: Bitmap
  /** The highest chunk that this source brought; -1: none. */
  highest: number
}

/** The chunks that one source has been asked for and that have not come, oldest request first. */
export class Owed {
  /** Octets in all. */
  octets = 0
  readonly #blocks = new Map<BlockIndex, Entry>()
  /** What was settled before: chunks come in runs. */
  #last: Entry | undefined

  get isEmpty(): boolean {
    return this.#blocks.size === 0
  }

  get size(): number {
    return this.#blocks.size
  }

  entries(): IterableIterator<Readonly<Entry>> {
    return this.#blocks.values()
  }

  /** Chunks that were overtaken by a later one of their block: each of them was lost once, or is late. */
  overtaken(): readonly { readonly open: OpenBlock; readonly chunks: Bitmap }[] {
    const all: { open: OpenBlock; chunks: Bitmap }[] = []
    for (const { open, chunks, highest } of this.#blocks.values()) {
      const lower = new Bitmap(open.chunks)
      chunks.forEachSet(0, Math.max(0, highest), chunk => lower.set(chunk))
      if (!lower.isEmpty) all.push({ open, chunks: lower })
    }
    return all
  }

  /** The newest request first. */
  newestFirst(): readonly Readonly<Entry>[] {
    return [...this.#blocks.values()].reverse()
  }

  chunksOf(block: BlockIndex): Bitmap | undefined {
    return this.#blocks.get(block)?.chunks
  }

  /** Asks for the chunks of [first, end) that are missing. */
  wantRange(open: OpenBlock, first: number, end: number): void {
    // What is usual: a block that nobody has given anything of, and that was not asked for here.
    if (open.have.isEmpty && first < end && !this.#blocks.has(open.index)) {
      const chunks = new Bitmap(open.chunks)
      chunks.setRange(first, end)
      this.#blocks.set(open.index, { open, chunks, highest: -1 })
      this.octets += Math.min(open.bytes, end * open.chunkSize) - first * open.chunkSize
    } else open.have.forEachMissing(first, end, chunk => this.want(open, chunk))
  }

  want(open: OpenBlock, chunk: number): void {
    let entry = this.#blocks.get(open.index)
    if (entry === undefined) {
      entry = { open, chunks: new Bitmap(open.chunks), highest: -1 }
      this.#blocks.set(open.index, entry)
    }
    if (entry.chunks.set(chunk)) this.octets += octetsOf(open, chunk)
  }

  /** The source brought the chunk. @returns whether it was owed */
  bring(open: OpenBlock, chunk: number): boolean {
    const entry = this.#find(open)
    if (entry === undefined) return false
    if (chunk > entry.highest) entry.highest = chunk
    return this.#settle(entry, chunk)
  }

  /** The source brought the chunks [first, end), all of which it owed. */
  bringRange(open: OpenBlock, first: number, end: number): void {
    const entry = this.#find(open)
    assert(entry !== undefined, `nothing of block ${open.index} is owed`)
    entry.highest = Math.max(entry.highest, end - 1)
    entry.chunks.clearRange(first, end)
    this.octets -= Math.min(open.bytes, end * open.chunkSize) - first * open.chunkSize
    if (entry.chunks.isEmpty) this.#remove(entry)
  }

  /** The chunk came, or is asked of another. @returns whether it was owed here */
  settle(open: OpenBlock, chunk: number): boolean {
    const entry = this.#find(open)
    return entry !== undefined && this.#settle(entry, chunk)
  }

  /** @returns the chunks of `open` that were owed here and no longer are */
  release(open: OpenBlock): Bitmap | undefined {
    const entry = this.#blocks.get(open.index)
    if (entry === undefined) return undefined
    entry.chunks.forEachSet(0, open.chunks, chunk => {
      this.octets -= octetsOf(open, chunk)
    })
    this.#remove(entry)
    return entry.chunks
  }

  #find(open: OpenBlock): Entry | undefined {
    if (this.#last?.open !== open) this.#last = this.#blocks.get(open.index)
    return this.#last
  }

  #remove({ open }: Entry): void {
    this.#blocks.delete(open.index)
    this.#last = undefined
  }

  #settle(entry: Entry, chunk: number): boolean {
    const { open, chunks } = entry
    if (!chunks.clear(chunk)) return false
    this.octets -= octetsOf(open, chunk)
    if (chunks.isEmpty) this.#remove(entry)
    return true
  }
}

function octetsOf(open: OpenBlock, chunk: number): number {
  return chunkBytes(open.bytes, open.chunkSize, chunkIndex(chunk))
}
