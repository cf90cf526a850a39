// The journal beside `NAME.part`: which blocks of a file are verified, written and flushed, and the hash pages that verify
// them. spec/journal.md states the format and when what is written. A journal only grows; what a crash leaves at its end is
// recognised by the checks, each of which covers all that stands before it.
import type { Digests } from '../ambient.js'
import { assert } from '../errors.js'
import { type BlockIndex, blockIndex } from '../units.js'
import { HASH_BYTES, TREE_PAGE_HASHES_MAX } from '../wire/layout.js'
import { FileLayout } from './layout.js'

/** Whose blocks a journal counts. */
export interface JournalHead {
  /** Octets of the file. */
  readonly size: number
  readonly root: Uint8Array
}

/** `count` blocks from `first` on. */
export interface BlockRun {
  readonly first: BlockIndex
  readonly count: number
}

export type JournalRecord =
  | { readonly kind: 'blocks'; readonly runs: readonly BlockRun[] }
  /** `hashes` is a view of the journal. */
  | { readonly kind: 'page'; readonly height: number; readonly index: number; readonly hashes: Uint8Array }

/** Where a journal can be gone on with. */
export interface JournalEnd {
  /** Octets that are whole; what follows is torn. */
  readonly length: number
  /** The last whole check. */
  readonly check: Uint8Array
}

/** Why octets are no journal that can be used, for people. */
export type JournalFault = 'is empty' | 'is no journal' | 'is of another version' | 'is damaged'

const MAGIC = Uint8Array.from('\x89peer-udp resume', character => character.charCodeAt(0))
const VERSION = 1
const VERSION_AT = 16
const SIZE_AT = 17
const ROOT_AT = 25
const HEAD_BYTES = 57
const CHECK_BYTES = 8
/** A head with its check. */
export const JOURNAL_HEAD_BYTES = HEAD_BYTES + CHECK_BYTES

const RECORD = { BLOCKS: 1, PAGE: 2 } as const
const COUNT_AT = 1
const ITEMS_AT = 3
const RUN_BYTES = 8
const PAGE_INDEX_AT = ITEMS_AT + 1
const PAGE_HASHES_AT = ITEMS_AT + 5
const COUNT_MAX = 0xffff
/** A record of one run, with its check. */
const RECORD_BYTES_OF_BLOCK = ITEMS_AT + RUN_BYTES + CHECK_BYTES
const RECORD_BYTES_OF_PAGE = PAGE_HASHES_AT + TREE_PAGE_HASHES_MAX * HASH_BYTES + CHECK_BYTES

/** The longest journal of a file: each page and each block in a record of its own. */
export function journalBytesMax(size: number): number {
  const { blockCount } = new FileLayout(size)
  let pages = Math.ceil(blockCount / TREE_PAGE_HASHES_MAX)
  for (let height = pages; height > 1; pages += height) height = Math.ceil(height / TREE_PAGE_HASHES_MAX)
  return JOURNAL_HEAD_BYTES + pages * RECORD_BYTES_OF_PAGE + blockCount * RECORD_BYTES_OF_BLOCK
}

/** Whose journal it is. */
export function readJournalHead(digests: Digests, octets: Uint8Array): JournalHead | JournalFault {
  if (octets.length === 0) return 'is empty'
  const hasMagic = octets.length >= MAGIC.length && MAGIC.every((octet, i) => octet === octets[i])
  if (!hasMagic) return 'is no journal'
  if (octets[VERSION_AT] !== VERSION) return octets.length > VERSION_AT ? 'is of another version' : 'is damaged'
  if (octets.length < JOURNAL_HEAD_BYTES) return 'is damaged'
  if (!isCheck(octets, HEAD_BYTES, checkOf(digests, octets.subarray(0, HEAD_BYTES)))) return 'is damaged'
  const size = Number(viewOf(octets).getBigUint64(SIZE_AT))
  return { size, root: octets.slice(ROOT_AT, ROOT_AT + HASH_BYTES) }
}

/**
 * Reads the records behind a head that `readJournalHead` took, until one is torn.
 *
 * @param take given each record in order; false stops before it, as if it were torn
 */
export function readJournalRecords(
  digests: Digests,
  octets: Uint8Array,
  take: (record: JournalRecord) => boolean,
): JournalEnd {
  let length = JOURNAL_HEAD_BYTES
  let check: Uint8Array = octets.slice(HEAD_BYTES, length)
  for (;;) {
    const bytes = recordBytes(octets, length)
    if (bytes === undefined) return { length, check }
    const record = octets.subarray(length, length + bytes)
    const expected = checkOf(digests, check, record)
    if (!isCheck(octets, length + bytes, expected) || !take(parseRecord(record))) return { length, check }
    length += bytes + CHECK_BYTES
    check = expected
  }
}

/** What is to be appended to a journal, bit by bit. */
export class JournalWriter {
  readonly #digests: Digests
  #at: number
  #check: Uint8Array
  #parts: Uint8Array[] = []

  private constructor(digests: Digests, end: JournalEnd) {
    this.#digests = digests
    this.#at = end.length
    this.#check = end.check
  }

  /** A new journal. */
  static begin(digests: Digests, { size, root }: JournalHead): JournalWriter {
    const writer = new JournalWriter(digests, { length: 0, check: new Uint8Array(0) })
    const head = new Uint8Array(HEAD_BYTES)
    head.set(MAGIC)
    head[VERSION_AT] = VERSION
    viewOf(head).setBigUint64(SIZE_AT, BigInt(size))
    head.set(root, ROOT_AT)
    writer.#append(head)
    return writer
  }

  /** Goes on with one; what is torn behind `end` is written over. */
  static resume(digests: Digests, end: JournalEnd): JournalWriter {
    return new JournalWriter(digests, end)
  }

  /** These blocks are on the disk. */
  blocks(runs: readonly BlockRun[]): void {
    for (let from = 0; from < runs.length; from += COUNT_MAX) this.#appendRuns(runs.slice(from, from + COUNT_MAX))
  }

  /** A page of the tree, 1 to TREE_PAGE_HASHES_MAX hashes. */
  page(height: number, index: number, hashes: Uint8Array): void {
    const record = recordOf(RECORD.PAGE, hashes.length / HASH_BYTES, PAGE_HASHES_AT + hashes.length)
    record[ITEMS_AT] = height
    viewOf(record).setUint32(PAGE_INDEX_AT, index)
    record.set(hashes, PAGE_HASHES_AT)
    this.#append(record)
  }

  /** What was added since the last call, and where it belongs; undefined for nothing. */
  take(): { readonly at: number; readonly octets: Uint8Array } | undefined {
    if (this.#parts.length === 0) return undefined
    const octets = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0))
    let end = 0
    for (const part of this.#parts) {
      octets.set(part, end)
      end += part.length
    }
    this.#parts = []
    const at = this.#at
    this.#at += octets.length
    return { at, octets }
  }

  #appendRuns(runs: readonly BlockRun[]): void {
    const record = recordOf(RECORD.BLOCKS, runs.length, ITEMS_AT + runs.length * RUN_BYTES)
    const view = viewOf(record)
    for (const [i, { first, count }] of runs.entries()) {
      view.setUint32(ITEMS_AT + i * RUN_BYTES, first)
      view.setUint32(ITEMS_AT + i * RUN_BYTES + 4, count)
    }
    this.#append(record)
  }

  #append(record: Uint8Array): void {
    this.#check = checkOf(this.#digests, this.#check, record)
    this.#parts.push(record, this.#check)
  }
}

/** Octets of the record that starts at `at`, without its check; undefined where it is not all there, or is none. */
function recordBytes(octets: Uint8Array, at: number): number | undefined {
  if (at + ITEMS_AT > octets.length) return undefined
  const kind = octets[at]
  const count = viewOf(octets).getUint16(at + COUNT_AT)
  if (count === 0 || (kind === RECORD.PAGE && count > TREE_PAGE_HASHES_MAX)) return undefined
  if (kind !== RECORD.BLOCKS && kind !== RECORD.PAGE) return undefined
  const bytes = kind === RECORD.BLOCKS ? ITEMS_AT + count * RUN_BYTES : PAGE_HASHES_AT + count * HASH_BYTES
  return at + bytes + CHECK_BYTES > octets.length ? undefined : bytes
}

function parseRecord(record: Uint8Array): JournalRecord {
  const view = viewOf(record)
  if (record[0] === RECORD.PAGE) {
    const hashes = record.subarray(PAGE_HASHES_AT)
    return { kind: 'page', height: record[ITEMS_AT]!, index: view.getUint32(PAGE_INDEX_AT), hashes }
  }
  const runs = Array.from({ length: view.getUint16(COUNT_AT) }, (_, i) => ({
    first: blockIndex(view.getUint32(ITEMS_AT + i * RUN_BYTES)),
    count: view.getUint32(ITEMS_AT + i * RUN_BYTES + 4),
  }))
  return { kind: 'blocks', runs }
}

function recordOf(kind: number, count: number, bytes: number): Uint8Array {
  assert(count >= 1 && count <= COUNT_MAX, `a record of ${count}`)
  const record = new Uint8Array(bytes)
  record[0] = kind
  viewOf(record).setUint16(COUNT_AT, count)
  return record
}

function checkOf(digests: Digests, ...parts: readonly Uint8Array[]): Uint8Array {
  return digests.sha256(...parts).slice(0, CHECK_BYTES)
}

function isCheck(octets: Uint8Array, at: number, check: Uint8Array): boolean {
  return check.every((octet, i) => octet === octets[at + i])
}

function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.length)
}
