// What an earlier run left of a file, and what of it can be trusted.
import type { Digests } from '../ambient.js'
import type { TreePage } from '../wire/message.js'
import { Bitmap } from './bitmap.js'
import {
  type JournalEnd,
  type JournalFault,
  type JournalHead,
  type JournalRecord,
  readJournalHead,
  readJournalRecords,
} from './journal.js'
import { FileLayout } from './layout.js'
import type { PartialTree } from './tree.js'

export type Recovery =
  | { readonly kind: 'unusable'; readonly why: JournalFault }
  /** The journal of another file. */
  | ({ readonly kind: 'other' } & JournalHead)
  /** These blocks were verified, written and flushed. */
  | { readonly kind: 'usable'; readonly done: Bitmap; readonly end: JournalEnd; readonly pages: readonly TreePage[] }

/**
 * Reads a journal for the file of `tree`. Pages prove themselves: they go into the tree, which takes only true ones. What
 * follows a record that can't be true is not looked at.
 *
 * @param tree takes the pages that the journal holds
 */
export function recoverJournal(digests: Digests, octets: Uint8Array, tree: PartialTree): Recovery {
  const head = readJournalHead(digests, octets)
  if (typeof head === 'string') return { kind: 'unusable', why: head }
  if (head.size !== tree.size || !head.root.every((octet, i) => octet === tree.root[i])) {
    return { kind: 'other', ...head }
  }
  const done = new Bitmap(new FileLayout(tree.size).blockCount)
  const pages: TreePage[] = []
  const take = (record: JournalRecord): boolean => {
    if (record.kind === 'page') {
      const { height, index, hashes } = record
      if (!tree.verifyPage(height, index, hashes)) return false
      pages.push({ height, index })
      return true
    }
    if (record.runs.some(({ first, count }) => count === 0 || first + count > done.size)) return false
    for (const { first, count } of record.runs) done.setRange(first, first + count)
    return true
  }
  const end = readJournalRecords(digests, octets, take)
  return { kind: 'usable', done, end, pages }
}
