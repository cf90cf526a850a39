// The data path's way to CHUNK, TREE, ECHO and HAVE: fields read and written in place by their offsets. No object, no bigint,
// no closure; a session is two halves of 32 bits. Readers may be asked only after `isBulk` said yes: they check nothing.
import {
  BLOCK_BYTES,
  BLOCKS_MAX,
  CHUNK_BLOCK_AT,
  CHUNK_HEADER_BYTES,
  CHUNK_OFFSET_AT,
  DATAGRAM_BYTES_MAX,
  ECHO_AT,
  ECHO_BYTES,
  FLAG,
  FLAGS_ALLOWED,
  HASH_BYTES,
  HAVE_COUNT_AT,
  HAVE_FROM_AT,
  HAVE_RANGE_BYTES,
  HAVE_RANGES_AT,
  HAVE_RANGES_MAX,
  HAVE_TO_AT,
  HEADER_BYTES,
  HOLD_AT,
  PLACES_MAX,
  SENT_AT_AT,
  SEQUENCE_AT,
  SESSION_AT,
  STATE,
  TAG,
  TAG_AT,
  type Tag,
  TREE_COUNT_AT,
  TREE_HEADER_BYTES,
  TREE_HEIGHT_AT,
  TREE_HEIGHT_MAX,
  TREE_INDEX_AT,
  TREE_PAGE_HASHES_MAX,
  VERSION,
  VERSION_FLAGS_AT,
} from './layout.js'

const FLAGS_MASK = 0x0f
const FIRST_MASK = 0xff_ffff

type BulkTag = typeof TAG.CHUNK | typeof TAG.TREE | typeof TAG.ECHO | typeof TAG.HAVE

/** Whether `decode` would give a chunk, a tree, an echo or a have for these octets. */
export function isBulk(d: Uint8Array): boolean {
  if (d.length < HEADER_BYTES || d[VERSION_FLAGS_AT]! >> 4 !== VERSION) return false
  const tag = d[TAG_AT]
  if (!isBulkTag(tag)) return false
  if ((flagsOf(d) & ~FLAGS_ALLOWED[tag]) !== 0) return false
  if ((sessionHigh(d) === 0 && sessionLow(d) === 0) || sequenceOf(d) === 0) return false
  if (tag === TAG.CHUNK) return isChunkBody(d)
  if (tag === TAG.HAVE) return isHaveBody(d)
  return tag === TAG.TREE ? isTreeBody(d) : d.length === ECHO_BYTES
}

export function isBulkTag(tag: number | undefined): tag is BulkTag {
  return tag === TAG.CHUNK || tag === TAG.TREE || tag === TAG.ECHO || tag === TAG.HAVE
}

function isChunkBody(d: Uint8Array): boolean {
  if (d.length <= CHUNK_HEADER_BYTES || d.length > DATAGRAM_BYTES_MAX) return false
  return chunkBlock(d) < BLOCKS_MAX && chunkOffset(d) + chunkPayloadSize(d) <= BLOCK_BYTES
}

function isTreeBody(d: Uint8Array): boolean {
  if (d.length < TREE_HEADER_BYTES) return false
  const count = treeCount(d)
  if (count === 0 || count > TREE_PAGE_HASHES_MAX) return false
  return d.length === TREE_HEADER_BYTES + count * HASH_BYTES && treeHeight(d) <= TREE_HEIGHT_MAX
}

function isHaveBody(d: Uint8Array): boolean {
  if (d.length < HAVE_RANGES_AT || d[HAVE_COUNT_AT]! > HAVE_RANGES_MAX) return false
  if (d.length !== HAVE_RANGES_AT + haveCount(d) * HAVE_RANGE_BYTES) return false
  if (haveFrom(d) >= haveTo(d) || haveTo(d) > PLACES_MAX) return false
  for (let i = 0; i < haveCount(d); i++) {
    if (d[HAVE_RANGES_AT + i * HAVE_RANGE_BYTES]! > STATE.COMING) return false
    if (haveBlocks(d, i) === 0 || haveFirst(d, i) + haveBlocks(d, i) > BLOCKS_MAX) return false
  }
  return true
}

/** The tag's octet, of any datagram; undefined if it is shorter than that. */
export function tagOf(d: Uint8Array): number | undefined {
  return d[TAG_AT]
}

export function flagsOf(d: Uint8Array): number {
  return d[VERSION_FLAGS_AT]! & FLAGS_MASK
}

export function isRetransmitted(d: Uint8Array): boolean {
  return (flagsOf(d) & FLAG.RETRANSMITTED) !== 0
}

export function isAppLimited(d: Uint8Array): boolean {
  return (flagsOf(d) & FLAG.APP_LIMITED) !== 0
}

export function sessionHigh(d: Uint8Array): number {
  return u32(d, SESSION_AT)
}

export function sessionLow(d: Uint8Array): number {
  return u32(d, SESSION_AT + 4)
}

export function sequenceOf(d: Uint8Array): number {
  return u32(d, SEQUENCE_AT)
}

/** Microseconds of the sender's clock, modulo 2^32. */
export function sentAt(d: Uint8Array): number {
  return u32(d, SENT_AT_AT)
}

/** Low 16 bits of a PULL's sequence number. */
export function echoOf(d: Uint8Array): number {
  return u16(d, ECHO_AT)
}

/** Units of HOLD_UNIT_MICROS. */
export function holdOf(d: Uint8Array): number {
  return u16(d, HOLD_AT)
}

export function chunkBlock(d: Uint8Array): number {
  return u32(d, CHUNK_BLOCK_AT)
}

/** Octets from the start of the block. */
export function chunkOffset(d: Uint8Array): number {
  return u16(d, CHUNK_OFFSET_AT)
}

/** Octets of payload, which starts at CHUNK_HEADER_BYTES. */
export function chunkPayloadSize(d: Uint8Array): number {
  return d.length - CHUNK_HEADER_BYTES
}

export function treeHeight(d: Uint8Array): number {
  return d[TREE_HEIGHT_AT]!
}

export function treeIndex(d: Uint8Array): number {
  return u32(d, TREE_INDEX_AT)
}

/** Hashes that follow, from TREE_HEADER_BYTES on. */
export function treeCount(d: Uint8Array): number {
  return d[TREE_COUNT_AT]!
}

/** The place of a log from which a HAVE tells. */
export function haveFrom(d: Uint8Array): number {
  return u32(d, HAVE_FROM_AT)
}

/** The place behind the last that a HAVE tells of. */
export function haveTo(d: Uint8Array): number {
  return u32(d, HAVE_TO_AT)
}

/** Ranges in a HAVE. */
export function haveCount(d: Uint8Array): number {
  return d[HAVE_COUNT_AT]!
}

/** First block of a HAVE's range. */
export function haveFirst(d: Uint8Array, range: number): number {
  return u32(d, HAVE_RANGES_AT + range * HAVE_RANGE_BYTES) & FIRST_MASK
}

/** Whether a HAVE's range is on its way to the peer rather than there. */
export function haveIsComing(d: Uint8Array, range: number): boolean {
  return d[HAVE_RANGES_AT + range * HAVE_RANGE_BYTES] === STATE.COMING
}

/** Blocks in a HAVE's range. */
export function haveBlocks(d: Uint8Array, range: number): number {
  return u16(d, HAVE_RANGES_AT + range * HAVE_RANGE_BYTES + 4)
}

/** Writes the first BULK_HEADER_BYTES of a datagram. Values are cut to their width: `echo` may be a whole sequence number. */
export function writeBulkHeader(
  into: Uint8Array,
  tag: Tag,
  flags: number,
  sessionHigh: number,
  sessionLow: number,
  sequence: number,
  sentAt: number,
  echo: number,
  hold: number,
): void {
  into[VERSION_FLAGS_AT] = (VERSION << 4) | flags
  into[TAG_AT] = tag
  putU32(into, SESSION_AT, sessionHigh)
  putU32(into, SESSION_AT + 4, sessionLow)
  putU32(into, SEQUENCE_AT, sequence)
  putU32(into, SENT_AT_AT, sentAt)
  putU16(into, ECHO_AT, echo)
  putU16(into, HOLD_AT, hold)
}

/** Writes what stands between the bulk header and a chunk's payload. */
export function writeChunkPlace(into: Uint8Array, block: number, offset: number): void {
  putU32(into, CHUNK_BLOCK_AT, block)
  putU16(into, CHUNK_OFFSET_AT, offset)
}

/** Writes what stands between the bulk header and a tree page's hashes. */
export function writeTreePlace(into: Uint8Array, height: number, index: number, count: number): void {
  into[TREE_HEIGHT_AT] = height
  putU32(into, TREE_INDEX_AT, index)
  into[TREE_COUNT_AT] = count
}

/** Writes what stands between the bulk header and a HAVE's ranges. */
export function writeHavePlace(into: Uint8Array, from: number, to: number, count: number): void {
  putU32(into, HAVE_FROM_AT, from)
  putU32(into, HAVE_TO_AT, to)
  into[HAVE_COUNT_AT] = count
}

/** Writes the i-th range of a HAVE. */
export function writeHaveRange(into: Uint8Array, range: number, isComing: boolean, first: number, count: number): void {
  const at = HAVE_RANGES_AT + range * HAVE_RANGE_BYTES
  putU32(into, at, first)
  into[at] = isComing ? STATE.COMING : STATE.THERE
  putU16(into, at + 4, count)
}

function u16(d: Uint8Array, at: number): number {
  return (d[at]! << 8) | d[at + 1]!
}

function u32(d: Uint8Array, at: number): number {
  return ((d[at]! << 24) | (d[at + 1]! << 16) | (d[at + 2]! << 8) | d[at + 3]!) >>> 0
}

function putU16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 8
  into[at + 1] = value
}

function putU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24
  into[at + 1] = value >>> 16
  into[at + 2] = value >>> 8
  into[at + 3] = value
}
