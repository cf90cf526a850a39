// A block's way at the collector, from its chunks to the disk:
//
//   chunk -> its place in the block's buffer -> [parked until its leaf hash is known] -> hashed and written -> done
//
// Nothing is written that the tree does not confirm. What the local file gave was checked when it was read.
import type { Bitmap } from '../content/bitmap.js'
import type { FileLayout } from '../content/layout.js'
import type { PartialTree } from '../content/tree.js'
import type { Wanted } from '../content/wanted.js'
import { type BlockIndex, blockIndex, type Instant } from '../units.js'
import type { ReceiveBatch } from '../wire/batch.js'
import * as bulk from '../wire/bulk.js'
import { BLOCK_BYTES, TREE_HEADER_BYTES } from '../wire/layout.js'
import type { OpenBlock } from './assembly.js'
import type { EffectSink } from './effect.js'
import type { Have } from './have.js'
import type { JournalKeeper } from './journal-keeper.js'
import { type Ledger, PATH_SOURCES_FROM } from './ledger.js'
import type { Path } from './path.js'
import type { Work } from './work.js'

export class Blocks {
  readonly counters = { strayChunks: 0, duplicateChunks: 0, badBlocks: 0, badPages: 0 }
  /** Octets written. */
  bytes = 0
  readonly #layout: FileLayout
  readonly #wanted: Wanted
  readonly #tree: PartialTree
  readonly #work: Work
  readonly #ledger: Ledger
  readonly #journal: JournalKeeper
  readonly #have: Have
  /** Wanted blocks that are not done. */
  #left: number
  /** Blocks that are to be stored when there is a file to write to. */
  #waiting: OpenBlock[] | undefined = []
  /** Blocks whose last chunk came in this turn. */
  #whole: OpenBlock[] = []
  #parked = 0
  readonly #pagesAsked = new Map<string, Path>()
  /** What may make a page wanted: how often it happened, and how often it had when a path was last asked. */
  #changes = 0
  readonly #askedAt = new WeakMap<Path, number>()

  constructor(
    layout: FileLayout,
    wanted: Wanted,
    tree: PartialTree,
    work: Work,
    ledger: Ledger,
    journal: JournalKeeper,
    have: Have,
  ) {
    this.#layout = layout
    this.#wanted = wanted
    this.#tree = tree
    this.#work = work
    this.#ledger = ledger
    this.#journal = journal
    this.#have = have
    this.#left = wanted.count
  }

  get isComplete(): boolean {
    return this.#waiting === undefined && this.#left === 0
  }

  /** There is a file to write to. */
  onTargetReady(effects: EffectSink): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const open of waiting) this.#store(open, effects)
  }

  /** An earlier run left these blocks. */
  onEarlier(blocks: Bitmap): void {
    for (let first = blocks.firstSet(); first !== undefined; ) {
      const end = blocks.firstMissing(first) ?? blocks.size
      const [start, stop] = [first, end].map(block => this.#layout.blockStart(blockIndex(block))) as [number, number]
      for (let block = first; block < end; block++) this.#have.add(blockIndex(block))
      this.#wanted.forEachRun(start, stop, (from, to) => {
        this.bytes += to - from
        this.#left -= Math.ceil((to - from) / BLOCK_BYTES)
        this.#ledger.onEarlier(from, to)
      })
      first = blocks.firstSet(end)
    }
  }

  /** Visits the octets of [start, end) that are wanted and still to come, as runs; those of `claimed` blocks are not. */
  forEachMissing(
    start: number,
    end: number,
    claimed: Bitmap | undefined,
    visit: (start: number, end: number) => void,
  ): void {
    const without = claimed ?? this.#have.blocks
    this.#wanted.forEachRun(start, end, (from, to) => this.#forEachWithout(without, from, to, visit))
  }

  #forEachWithout(without: Bitmap, start: number, end: number, visit: (start: number, end: number) => void): void {
    for (let at = start; at < end; ) {
      const block = this.#layout.blockAt(at)
      const isThere = without.has(block)
      const next = (isThere ? without.firstMissing(block) : without.firstSet(block)) ?? without.size
      const stop = Math.min(end, this.#layout.blockStart(blockIndex(next)))
      if (!isThere) visit(at, stop)
      at = stop
    }
  }

  onChunk(d: Uint8Array, payload: Uint8Array, path: Path, now: Instant): void {
    if (path.isSmall(d.length)) path.onSmall()
    else path.blackHoleSigns = 0
    const block = bulk.chunkBlock(d) as BlockIndex
    const offset = bulk.chunkOffset(d)
    const open = this.#work.assembly.find(block)
    const resent = bulk.isRetransmitted(d)
    if (open === undefined) {
      if (this.#have.has(block)) this.#onDuplicate(block, offset)
      else this.counters.strayChunks++
    } else if (payload.length <= open.chunkSize) this.#place(open, offset, payload, resent, path, now)
    else if (!isRun(open, offset, payload.length)) this.counters.strayChunks++
    else {
      for (let at = 0; at < payload.length; at += open.chunkSize) {
        this.#place(open, offset + at, payload.subarray(at, at + open.chunkSize), resent, path, now)
      }
    }
  }

  /** @returns the block of a run of CHUNKs where all are missing chunks that their path owes, and nobody else */
  openFor(d: Uint8Array, count: number, path: Path): OpenBlock | undefined {
    const open = this.#work.assembly.find(bulk.chunkBlock(d) as BlockIndex)
    if (open?.state !== 'receiving') return undefined
    const first = bulk.chunkOffset(d) / open.chunkSize
    const end = first + (count * bulk.chunkPayloadSize(d)) / open.chunkSize
    const isFitting = Number.isInteger(first) && Number.isInteger(end) && end * open.chunkSize <= open.bytes
    return isFitting && this.#work.isOwedAlone(open, first, end, path) ? open : undefined
  }

  /** A run of CHUNKs for the block that `openFor` gave. */
  onRun(open: OpenBlock, batch: ReceiveBatch, first: number, count: number, path: Path, now: Instant): void {
    const d = batch.data[first]!
    if (path.isSmall(d.length)) path.onSmall()
    else path.blackHoleSigns = 0
    const [start, bytes] = [bulk.chunkOffset(d), bulk.chunkPayloadSize(d)]
    for (let i = 0; i < count; i++) open.data.set(batch.payload(first + i), start + i * bytes)
    const chunk = start / open.chunkSize
    const end = chunk + (count * bytes) / open.chunkSize
    this.#work.assembly.onPlaced(open, chunk, end, path.number, bulk.isRetransmitted(d))
    path.owed.bringRange(open, chunk, end)
    path.bytes += count * bytes
    path.usefulAt = now
    if (open.have.isFull) this.#whole.push(open)
  }

  onTree(d: Uint8Array, path: Path, now: Instant): void {
    path.onSmall()
    const height = bulk.treeHeight(d)
    const index = bulk.treeIndex(d)
    const key = `${height}/${index}`
    if (this.#pagesAsked.get(key) !== path) return
    // It was asked for when the page above was known, so a page that does not fit is a false one.
    if (this.#tree.verifyPage(height, index, d.subarray(TREE_HEADER_BYTES))) path.usefulAt = now
    else {
      this.counters.badPages++
      path.badBlocks++
    }
    path.pages.delete(key)
    this.#pagesAsked.delete(key)
    this.#changes++
  }

  /** The local file gave what it owed of a block. */
  onLocal(block: BlockIndex): void {
    const open = this.#work.assembly.find(block)
    if (open?.have.isFull && open.state === 'receiving') this.#whole.push(open)
  }

  /** Sends the blocks that became whole, or whose leaf hash became known, on their way. */
  proceed(effects: EffectSink): void {
    const whole = this.#whole
    if (whole.length > 0) this.#whole = []
    for (const open of whole) if (open.state === 'receiving' && open.have.isFull) this.#onWhole(open, effects)
    if (this.#parked === 0) return
    for (const open of this.#work.assembly.all()) {
      if (open.state !== 'parked' || this.#tree.leaf(open.index) === undefined) continue
      this.#parked--
      this.#onWhole(open, effects)
    }
  }

  /** A block is not what its leaf hash says. @returns it, and the source numbers of the paths that gave chunks of it */
  onBad(block: BlockIndex): { open: OpenBlock; suspects: Set<number> } | undefined {
    const open = this.#work.assembly.find(block)
    if (open?.state !== 'storing') return undefined
    this.counters.badBlocks++
    return { open, suspects: new Set([...open.sources].filter(source => source >= PATH_SOURCES_FROM)) }
  }

  onStored(block: BlockIndex): void {
    const open = this.#work.assembly.find(block)
    if (open?.state !== 'storing') return
    this.#have.add(block)
    this.#left--
    this.bytes += open.bytes
    this.#journal.onWritten(block)
    this.#ledger.onBlock(open)
    this.#work.assembly.close(open)
  }

  /** Leaf hashes are asked for where the blocks are, from the path that brings them. */
  askForPages(path: Path): void {
    if (path.state !== 'active') return
    // Asked before, and nothing has changed since: this comes with every wake-up.
    const change = 2 * (this.#changes + this.#work.assembly.opened) + Number(path.owed.isEmpty)
    if (this.#askedAt.get(path) === change) return
    this.#askedAt.set(path, change)
    for (const { open } of path.owed.entries()) if (!open.isLeafKnown) this.#askForPage(open, path)
    if (!path.owed.isEmpty || this.#parked === 0) return
    for (const open of this.#work.assembly.all()) {
      if (open.state === 'parked' && this.#work.availability.has(path.number, open.index)) this.#askForPage(open, path)
    }
  }

  /** Pages that were asked of a path which will not bring them are asked of another. */
  forgetPages(path: Path): void {
    this.#changes++
    for (const [key, asked] of this.#pagesAsked) if (asked === path) this.#pagesAsked.delete(key)
    path.pages.clear()
  }

  #place(open: OpenBlock, offset: number, chunk: Uint8Array, resent: boolean, path: Path, now: Instant): void {
    const placed = this.#work.assembly.place(open, offset, chunk, path.number, resent)
    if (placed === undefined) this.counters.strayChunks++
    else if (placed === 'duplicate') this.#onDuplicate(open.index, offset)
    else {
      path.bytes += chunk.length
      path.usefulAt = now
      this.#work.settle(open, offset / open.chunkSize, path)
      if (open.have.isFull) this.#whole.push(open)
    }
  }

  #askForPage(open: OpenBlock, path: Path): void {
    const page = this.#tree.pageFor(open.index)
    open.isLeafKnown = page === undefined
    if (page === undefined) return
    const key = `${page.height}/${page.index}`
    if (this.#pagesAsked.has(key)) return
    this.#pagesAsked.set(key, path)
    path.pages.set(key, page)
  }

  #onWhole(open: OpenBlock, effects: EffectSink): void {
    this.#work.release(open)
    if (isChecked(open) || this.#tree.leaf(open.index) !== undefined) {
      open.state = 'storing'
      this.#store(open, effects)
    } else {
      open.state = 'parked'
      this.#parked++
      this.#changes++
    }
  }

  #store(open: OpenBlock, effects: EffectSink): void {
    const { index, data } = open
    const leaf = isChecked(open) ? undefined : this.#tree.leaf(index)
    if (this.#waiting === undefined) effects.push({ kind: 'store-block', block: index, data, leaf })
    else this.#waiting.push(open)
  }

  #onDuplicate(block: BlockIndex, offset: number): void {
    this.counters.duplicateChunks++
    this.#ledger.onDuplicate(this.#layout.blockStart(block) + offset)
  }
}

/** Whether all of it is from the local file, where it was checked. */
function isChecked(open: OpenBlock): boolean {
  return open.sources.every(source => source < PATH_SOURCES_FROM)
}

/** Whether octets are several whole chunks of a block, one after the other. */
function isRun({ bytes, chunkSize }: OpenBlock, offset: number, length: number): boolean {
  const end = offset + length
  return offset % chunkSize === 0 && (end === bytes || (end < bytes && length % chunkSize === 0))
}
