// What a journal keeper and a preparation are tested with.
import { JournalWriter } from '../../src/content/journal.js'
import { recoverJournal } from '../../src/content/recovery.js'
import { PartialTree } from '../../src/content/tree.js'
import { DIGESTS } from '../../src/sim/digests.js'
import type { TransferEffect } from '../../src/transfer/effect.js'
import { JournalKeeper } from '../../src/transfer/journal-keeper.js'
import { after, blockIndex, type Instant, instant } from '../../src/units.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'
import { fileOf } from './serving.js'

export const START = instant(1_000)
export const SIZE = 40 * BLOCK_BYTES - 77
export const FILE = fileOf(SIZE)

/** A keeper, and the journal that it writes. */
export class Keeping {
  journal = new Uint8Array(0)
  readonly #keeper = new JournalKeeper(DIGESTS, PartialTree.fromFull(DIGESTS, FILE.tree), START)
  readonly #effects: TransferEffect[] = []

  get deadline(): Instant {
    return this.#keeper.deadline()
  }

  write(blocks: readonly number[]): void {
    for (const block of blocks) this.#keeper.onWritten(blockIndex(block))
  }

  /** @returns all that the journal counts, where it was added to */
  proceed(time: number): number[] | undefined {
    this.#keeper.proceed(after(START, time), this.#effects)
    return this.#take()
  }

  close(): number[] | undefined {
    this.#keeper.close(this.#effects)
    return this.#take()
  }

  flushed(time: number): void {
    this.#keeper.onFlushed(after(START, time))
  }

  #take(): number[] | undefined {
    const [effect] = this.#effects.splice(0)
    if (effect === undefined) return undefined
    if (effect.kind !== 'flush-target' || effect.at !== this.journal.length) throw new Error(JSON.stringify(effect))
    this.journal = new Uint8Array(Buffer.concat([this.journal, effect.journal]))
    const recovery = recoverJournal(DIGESTS, this.journal, new PartialTree(DIGESTS, SIZE, FILE.tree.root))
    if (recovery.kind !== 'usable' || recovery.end.length !== this.journal.length) throw new Error('not to be read')
    const blocks: number[] = []
    recovery.done.forEachSet(0, recovery.done.size, block => blocks.push(block))
    return blocks
  }
}

export function journalOf(blocks: readonly number[], { tree } = FILE): Uint8Array {
  const writer = JournalWriter.begin(DIGESTS, tree)
  const partial = PartialTree.fromFull(DIGESTS, tree)
  const pages = new Set(
    blocks.flatMap(block => partial.pagesTo(blockIndex(block)).map(({ height, index }) => `${height}/${index}`)),
  )
  for (const [height, index] of [...pages].map(key => key.split('/').map(Number) as [number, number])) {
    writer.page(height, index, tree.page(height, index)!)
  }
  writer.blocks(blocks.map(block => ({ first: blockIndex(block), count: 1 })))
  return writer.take()!.octets
}
