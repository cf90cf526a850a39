// How a file is divided: into blocks, chunks and fragments. Every division and every rounding stands here.
//
// A block is BLOCK_BYTES of the file, the last one what is left. A chunk is `chunkSize` octets of one block, the last one
// what is left of that block: no chunk reaches into the next block. A fragment is a run of whole blocks or whole chunks.
// All places in the file are octets from its start; they stay below 2^41, so numbers hold them exactly.
import { assert, InvariantError } from '../errors.js'
import {
  type BlockIndex,
  blockIndex,
  type ChunkIndex,
  chunkIndex,
  type FragmentIndex,
  fragmentIndex,
} from '../units.js'
import { BLOCK_BYTES, CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, FILE_BYTES_MAX } from '../wire/layout.js'

/** With fewer blocks a fragment than this, a block more or less would be too uneven: chunks are divided instead. */
const BLOCKS_A_FRAGMENT_MIN = 8

/** The blocks of a file of one size. */
export class FileLayout {
  /** Octets, 0 to FILE_BYTES_MAX. */
  readonly size: number
  /** 0 for the empty file. */
  readonly blockCount: number

  constructor(size: number) {
    assert(Number.isInteger(size) && size >= 0 && size <= FILE_BYTES_MAX, `file size ${size}`)
    this.size = size
    this.blockCount = Math.ceil(size / BLOCK_BYTES)
  }

  hasBlock(block: BlockIndex): boolean {
    return block >= 0 && block < this.blockCount
  }

  /** Octets from the start of the file; for `blockCount`, the file's size. */
  blockStart(block: BlockIndex): number {
    return Math.min(block * BLOCK_BYTES, this.size)
  }

  /** Octets of a block: BLOCK_BYTES for each but the last. */
  blockBytes(block: BlockIndex): number {
    if (!this.hasBlock(block)) throw new InvariantError(`block ${block} of ${this.blockCount}`)
    return Math.min(BLOCK_BYTES, this.size - block * BLOCK_BYTES)
  }

  /** The block that holds an octet. @param octet below `size` */
  blockAt(octet: number): BlockIndex {
    if (octet < 0 || octet >= this.size) throw new InvariantError(`octet ${octet} of ${this.size}`)
    return blockIndex(Math.floor(octet / BLOCK_BYTES))
  }
}

/** How many chunks a block of `blockBytes` octets has: 1 to CHUNKS_MAX. */
export function chunkCount(blockBytes: number, chunkSize: number): number {
  return Math.ceil(blockBytes / chunkSize)
}

/** Octets of one chunk of a block of `blockBytes` octets; 0 for a chunk that the block doesn't have. */
export function chunkBytes(blockBytes: number, chunkSize: number, chunk: ChunkIndex): number {
  return Math.max(0, Math.min(chunkSize, blockBytes - chunk * chunkSize))
}

/** Octets from the start of the block. */
export function chunkOffset(chunk: ChunkIndex, chunkSize: number): number {
  return chunk * chunkSize
}

/** The chunk that starts `offset` octets into a block; undefined where none does. */
export function chunkAt(offset: number, chunkSize: number): ChunkIndex | undefined {
  return offset % chunkSize === 0 ? chunkIndex(offset / chunkSize) : undefined
}

/** Where a fragment may begin: before a chunk. The end of a file is chunk 0 of the block after its last. */
export interface Place {
  readonly block: BlockIndex
  readonly chunk: ChunkIndex
}

/** One active peer's contiguous share of the file. */
export interface Fragment {
  readonly index: FragmentIndex
  /** Octets from the start of the file: [start, end). An empty fragment has both alike. */
  readonly start: number
  readonly end: number
  /** The places of `start` and `end`. */
  readonly first: Place
  readonly behind: Place
}

/**
 * Divides a file into `count` fragments, in order and without gap or overlap, that differ by at most one block
 * (with 8 or more blocks a fragment) or one chunk (with fewer). Where there are more fragments than units, some are empty.
 *
 * @param count fragments, 1 or more
 * @param chunkSize octets, CHUNK_BYTES_MIN to CHUNK_BYTES_MAX
 */
export function divideIntoFragments(layout: FileLayout, count: number, chunkSize: number): readonly Fragment[] {
  assert(Number.isInteger(count) && count >= 1, `${count} fragments`)
  assert(chunkSize >= CHUNK_BYTES_MIN && chunkSize <= CHUNK_BYTES_MAX, `chunk size ${chunkSize}`)
  const byBlocks = layout.blockCount >= BLOCKS_A_FRAGMENT_MIN * count
  const unitsABlock = byBlocks ? 1 : chunkCount(BLOCK_BYTES, chunkSize)
  const units = countUnits(layout, byBlocks, chunkSize)
  const fragments: Fragment[] = []
  let first = placeOfUnit(layout, 0, units, unitsABlock)
  for (let index = 0; index < count; index++) {
    // At most 2^30 chunks times the peers of a list: exact in a double.
    const unit = Math.floor(((index + 1) * units) / count)
    const behind = placeOfUnit(layout, unit, units, unitsABlock)
    fragments.push({
      index: fragmentIndex(index),
      start: placeStart(layout, first, chunkSize),
      end: placeStart(layout, behind, chunkSize),
      first,
      behind,
    })
    first = behind
  }
  return fragments
}

/** The fragment that holds an octet; undefined beyond the last. @param fragments as `divideIntoFragments` gives them */
export function fragmentAt(fragments: readonly Fragment[], octet: number): Fragment | undefined {
  let low = 0
  let high = fragments.length
  // The first fragment that ends behind the octet: empty ones before it end at or before it.
  while (low < high) {
    const middle = (low + high) >>> 1
    if (fragments[middle]!.end > octet) high = middle
    else low = middle + 1
  }
  return fragments[low]
}

/** Octets from the start of the file to a place. */
export function placeStart(layout: FileLayout, place: Place, chunkSize: number): number {
  return layout.blockStart(place.block) + chunkOffset(place.chunk, chunkSize)
}

function countUnits(layout: FileLayout, byBlocks: boolean, chunkSize: number): number {
  if (byBlocks || layout.blockCount === 0) return layout.blockCount
  const last = blockIndex(layout.blockCount - 1)
  return last * chunkCount(BLOCK_BYTES, chunkSize) + chunkCount(layout.blockBytes(last), chunkSize)
}

function placeOfUnit(layout: FileLayout, unit: number, units: number, unitsABlock: number): Place {
  if (unit === units) return { block: blockIndex(layout.blockCount), chunk: chunkIndex(0) }
  return { block: blockIndex(Math.floor(unit / unitsABlock)), chunk: chunkIndex(unit % unitsABlock) }
}
