// What an earlier run left of the file: whether it can be gone on with, and what of it counts. The journal is trusted as it
// is. Where somebody else wrote to the part after its journal, each block that the journal counts is read and hashed
// first; meanwhile the transfer fetches the others.
import type { Digests } from '../ambient.js'
import { Bitmap } from '../content/bitmap.js'
import { type Recovery, recoverJournal } from '../content/recovery.js'
import type { PartialTree } from '../content/tree.js'
import { type BlockIndex, blockIndex } from '../units.js'
import type { EffectSink, FoundPart } from './effect.js'

/**
 * Octets are written before the record that counts them, but those of the last moments have none yet: so much later, ms,
 * the part may have been changed by ourselves. Disks that take this long for a flush are broken.
 */
const OWN_CHANGES_MS = 60_000
/** Blocks read at once for a check. */
const READS_MAX = 8

export type Kept = Extract<Recovery, { readonly kind: 'usable' }>

export type EarlierRun =
  /** Nothing is left that could be gone on with; `dropped` says for people why what is left is not. */
  | { readonly kind: 'none'; readonly dropped: string | undefined }
  | { readonly kind: 'kept'; readonly journal: Kept; readonly mustCheck: boolean }
  /** Of another content: `detail` is for people. */
  | { readonly kind: 'other'; readonly detail: string }

/**
 * @param tree takes the hash pages that a journal holds
 * @param restart drop whatever is left
 */
export function judgeEarlierRun(
  found: FoundPart | undefined,
  tree: PartialTree,
  digests: Digests,
  restart: boolean,
): EarlierRun {
  if (restart || found?.journal === undefined) return { kind: 'none', dropped: undefined }
  const journal = recoverJournal(digests, found.journal, tree)
  if (journal.kind === 'unusable') return { kind: 'none', dropped: `has a journal that ${journal.why}` }
  if (journal.kind === 'other') return { kind: 'other', detail: otherWords(journal.size, journal.root, tree) }
  if (found.bytes !== tree.size) return { kind: 'none', dropped: `has ${found.bytes} octets instead of ${tree.size}` }
  return { kind: 'kept', journal, mustCheck: found.changedAfter > OWN_CHANGES_MS }
}

/** Has the blocks that a journal counts read, few at once, and compared with the tree. */
export class PartCheck {
  readonly claimed: Bitmap
  /** Those that are what they should be. */
  readonly good: Bitmap
  readonly #tree: PartialTree
  #next = 0
  #reading = 0
  #isBegun = false

  constructor(claimed: Bitmap, tree: PartialTree) {
    this.claimed = claimed
    this.good = new Bitmap(claimed.size)
    this.#tree = tree
  }

  get isDone(): boolean {
    return this.#isBegun && this.#reading === 0
  }

  /** The part is open: reads what comes next. */
  proceed(effects: EffectSink): void {
    this.#isBegun = true
    while (this.#reading < READS_MAX) {
      const block = this.claimed.firstSet(Math.min(this.#next, this.claimed.size))
      if (block === undefined) return
      this.#next = block + 1
      const leaf = this.#tree.leaf(blockIndex(block))
      if (leaf === undefined) continue
      this.#reading++
      effects.push({ kind: 'read-target', block: blockIndex(block), leaf })
    }
  }

  /** @param isGood its octets are what the tree says */
  onRead(block: BlockIndex, isGood: boolean): void {
    // Others have blocks read too, that came in this run.
    if (!this.claimed.has(block)) return
    this.#reading--
    if (isGood) this.good.set(block)
  }
}

function otherWords(size: number, root: Uint8Array, tree: PartialTree): string {
  const short = (octets: Uint8Array) =>
    [...octets.subarray(0, 4)].map(octet => octet.toString(16).padStart(2, '0')).join('')
  const other = `${size} octets, root ${short(root)}`
  return `an earlier run left a part of another content (${other}) than what is offered now (${tree.size} octets, root ${short(tree.root)})`
}
