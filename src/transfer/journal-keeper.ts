// When what a collector has written is flushed, and entered in its journal: first the octets, then the flush, then the
// record that says so. One flush at a time, now and then, so that it costs next to nothing.
import type { Digests } from '../ambient.js'
import { type BlockRun, JournalWriter } from '../content/journal.js'
import type { Recovery } from '../content/recovery.js'
import type { PartialTree } from '../content/tree.js'
import { after, type BlockIndex, type Instant, NEVER, since } from '../units.js'
import { TREE_HEIGHT_MAX } from '../wire/layout.js'
import type { EffectSink } from './effect.js'

/** Between two flushes: what a crash costs. */
const FLUSH_MS = 250
/** A flush that takes long is followed by a rest of so many times that: a slow disk has other things to do. */
const REST = 4

export class JournalKeeper {
  readonly #digests: Digests
  readonly #tree: PartialTree
  /** Blocks written, and not in the journal yet. */
  #written: BlockIndex[] = []
  #writer: JournalWriter
  /** By `keyOf`: pages that are in the journal. */
  readonly #pages = new Set<number>()
  #flushingSince: Instant | undefined
  #nextAt: Instant

  constructor(digests: Digests, tree: PartialTree, now: Instant) {
    this.#digests = digests
    this.#tree = tree
    this.#writer = JournalWriter.begin(digests, tree)
    this.#nextAt = after(now, FLUSH_MS)
  }

  /** Goes on with the journal of an earlier run. */
  resume({ end, pages }: Extract<Recovery, { readonly kind: 'usable' }>): void {
    this.#writer = JournalWriter.resume(this.#digests, end)
    for (const { height, index } of pages) this.#pages.add(keyOf(height, index))
  }

  onWritten(block: BlockIndex): void {
    this.#written.push(block)
  }

  /** Orders a flush where one is due. */
  proceed(now: Instant, effects: EffectSink): void {
    if (now < this.deadline()) return
    this.#flushingSince = now
    this.#flush(effects)
  }

  onFlushed(now: Instant): void {
    if (this.#flushingSince === undefined) return
    this.#nextAt = after(now, Math.max(FLUSH_MS, REST * since(this.#flushingSince, now)))
    this.#flushingSince = undefined
  }

  /** The transfer ends before the file is whole: what is written by now is for the next run. */
  close(effects: EffectSink): void {
    if (this.#written.length > 0) this.#flush(effects)
  }

  deadline(): Instant {
    return this.#flushingSince === undefined && this.#written.length > 0 ? this.#nextAt : NEVER
  }

  #flush(effects: EffectSink): void {
    const blocks = this.#written.sort((a, b) => a - b)
    this.#written = []
    for (const block of blocks) this.#addPagesTo(block)
    this.#writer.blocks(runsOf(blocks))
    const { at, octets } = this.#writer.take()!
    effects.push({ kind: 'flush-target', journal: octets, at })
  }

  /** With an own copy of the file the tree was known before; the next run may have none. */
  #addPagesTo(block: BlockIndex): void {
    for (const { height, index } of this.#tree.pagesTo(block)) {
      const hashes = this.#tree.page(height, index)
      const key = keyOf(height, index)
      if (hashes === undefined || this.#pages.has(key)) continue
      this.#pages.add(key)
      this.#writer.page(height, index, hashes)
    }
  }
}

function keyOf(height: number, index: number): number {
  return index * (TREE_HEIGHT_MAX + 1) + height
}

/** @param blocks in ascending order */
function runsOf(blocks: readonly BlockIndex[]): readonly BlockRun[] {
  const runs: { first: BlockIndex; count: number }[] = []
  for (const block of blocks) {
    const last = runs[runs.length - 1]
    if (last !== undefined && last.first + last.count === block) last.count++
    else runs.push({ first: block, count: 1 })
  }
  return runs
}
