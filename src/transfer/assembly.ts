// Blocks that are being put together. Each has one buffer, into which a chunk is copied once, at its place.
import { Bitmap } from '../content/bitmap.js'
import { chunkAt, chunkBytes, chunkCount, type FileLayout } from '../content/layout.js'
import { assert } from '../errors.js'
import { type BlockIndex, chunkIndex } from '../units.js'
import { BLOCK_BYTES } from '../wire/layout.js'

/** Buffers alive at once: 64 MiB, enough for 2.5 Gbit/s over 200 ms. */
export const OPEN_BLOCKS_MAX = 1_024

/** parked: whole, but its leaf hash is not known yet. */
export type BlockState = 'receiving' | 'parked' | 'storing'

export interface OpenBlock {
  readonly index: BlockIndex
  /** Octets of the block. */
  readonly bytes: number
  readonly chunkSize: number
  readonly chunks: number
  /** The block's octets, as far as `have` says. */
  readonly data: Uint8Array
  readonly have: Bitmap
  /** By chunk: the number of the source that gave it, 0 = none yet. */
  readonly sources: Uint16Array
  /** Chunks that their source had sent before. */
  readonly resent: Bitmap
  state: BlockState
  /** It was bad when several gave it: now one source gives all of it, so that it answers for it. */
  isUndivided: boolean
  /** The tree gives its leaf hash. */
  isLeafKnown: boolean
}

/** What became of a chunk: `undefined` for octets that fit no chunk of an open block. */
export type Placed = 'placed' | 'duplicate' | undefined

export class Assembly {
  readonly #layout: FileLayout
  readonly #blocks = new Map<BlockIndex, OpenBlock>()
  /** The block that was asked for before: chunks come in runs. */
  #last: OpenBlock | undefined
  /** Buffers for reuse: no more than were ever open at once. */
  readonly #spare: Uint8Array[] = []
  readonly #memory: () => Uint8Array

  /** @param memory makes BLOCK_BYTES for a block; what another thread may hash without a copy, if nothing is said */
  constructor(layout: FileLayout, memory: () => Uint8Array = sharedMemory) {
    this.#layout = layout
    this.#memory = memory
  }

  /** Blocks opened so far, those that were closed since included. */
  opened = 0

  get open(): number {
    return this.#blocks.size
  }

  get isFull(): boolean {
    return this.#blocks.size >= OPEN_BLOCKS_MAX
  }

  find(block: BlockIndex): OpenBlock | undefined {
    if (this.#last?.index !== block) this.#last = this.#blocks.get(block)
    return this.#last
  }

  all(): IterableIterator<OpenBlock> {
    return this.#blocks.values()
  }

  /** The open block, opened with `chunkSize` where it was not. */
  ensure(block: BlockIndex, chunkSize: number): OpenBlock {
    const known = this.#blocks.get(block)
    if (known !== undefined) return known
    assert(!this.isFull, 'open blocks overflow')
    const bytes = this.#layout.blockBytes(block)
    const chunks = chunkCount(bytes, chunkSize)
    const opened: OpenBlock = {
      index: block,
      bytes,
      chunkSize,
      chunks,
      data: (this.#spare.pop() ?? this.#memory()).subarray(0, bytes),
      have: new Bitmap(chunks),
      sources: new Uint16Array(chunks),
      resent: new Bitmap(chunks),
      state: 'receiving',
      isUndivided: false,
      isLeafKnown: false,
    }
    this.#blocks.set(block, opened)
    this.opened++
    return opened
  }

  /** Copies a datagram's payload to its place if it is exactly one missing chunk. */
  place(open: OpenBlock, offset: number, payload: Uint8Array, source: number, resent: boolean): Placed {
    const chunk = chunkAt(offset, open.chunkSize)
    if (chunk === undefined || payload.length !== chunkBytes(open.bytes, open.chunkSize, chunk)) return undefined
    if (open.state !== 'receiving' || !open.have.set(chunk)) return 'duplicate'
    open.data.set(payload, offset)
    open.sources[chunk] = source
    if (resent) open.resent.set(chunk)
    return 'placed'
  }

  /** The chunks [first, end), none of which was there, have been put into `data`. */
  onPlaced(open: OpenBlock, first: number, end: number, source: number, resent: boolean): void {
    open.have.setRange(first, end)
    open.sources.fill(source, first, end)
    if (resent) open.resent.setRange(first, end)
  }

  /** Copies the chunks in `wanted` that are still missing out of the whole block `data`. @returns octets taken */
  fillFrom(open: OpenBlock, data: Uint8Array, wanted: Bitmap, source: number): number {
    let taken = 0
    wanted.forEachSet(0, open.chunks, chunk => {
      if (!open.have.set(chunk)) return
      const start = chunk * open.chunkSize
      const end = start + chunkBytes(open.bytes, open.chunkSize, chunkIndex(chunk))
      open.data.set(data.subarray(start, end), start)
      open.sources[chunk] = source
      taken += end - start
    })
    return taken
  }

  /** Forgets what has come of a block: it was bad. */
  reset(open: OpenBlock): void {
    open.have.clearAll()
    open.resent.clearAll()
    open.sources.fill(0)
    open.state = 'receiving'
  }

  close(open: OpenBlock): void {
    this.#blocks.delete(open.index)
    this.#last = undefined
    this.#spare.push(new Uint8Array(open.data.buffer, 0, BLOCK_BYTES))
  }
}

/** Memory that another thread may hash without a copy. */
function sharedMemory(): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(BLOCK_BYTES))
}
