import type { Bitmap } from '../content/bitmap.js'
import { type BlockIndex, sequence } from '../units.js'
import {
  CONTROL_BYTES_MAX,
  LOG_HEIGHT,
  PULL_BLOCK_BYTES,
  PULL_PAGE_BYTES,
  PULL_RANGE_BYTES,
  PULL_WANTS_AT,
} from '../wire/layout.js'
import type { BlockRange, BlockWant, Pull, TreePage } from '../wire/message.js'
import type { Path } from './path.js'

/** Datagrams of one statement; what does not fit is stated when the first of it has come. */
const PARTS_MAX = 16
/** Blocks that one entry may name: the field has 16 bits. */
const RANGE_BLOCKS_MAX = 0xffff
const BITMAP_BYTES = 8
const COPIES_MAX = 3
const MISS = 0.03

/** What every part of one statement says alike. */
export interface Statement {
  readonly member: bigint
  readonly root: Uint8Array
  readonly statement: number
  readonly credit: number
  /** kbit/s */
  readonly rate: number
  readonly chunkSize: number
  readonly datagram: number
  /** Chunks that may come twice, so that the end does not wait for one that is lost again; 0 before the end. */
  readonly spare: number
}

type Wants = { pages: TreePage[]; ranges: BlockRange[]; blocks: BlockWant[] }

/**
 * Everything that a path owes, as PULLs: oldest first, so that what was lost is sent before what is new.
 * @param nextSequence gives each datagram its number
 * @param probe what the first of them asks for
 */
export function composePulls(
  path: Path,
  { spare, ...statement }: Statement,
  nextSequence: () => number,
  probe = 0,
): readonly Pull[] {
  return divideWants(path, spare).map((wants, part) => ({
    kind: 'pull',
    session: path.session,
    sequence: sequence(nextSequence()),
    ...statement,
    probe: part === 0 ? probe : 0,
    credit: sequence(statement.credit),
    horizon: sequence(path.loss.horizon),
    largest: sequence(path.loss.largest),
    proof: path.loss.largest === 0 ? 0 : path.proof,
    ...wants,
  }))
}

function divideWants(path: Path, spare: number): readonly Wants[] {
  const parts: Wants[] = []
  // Every part says from where on the peer's log is to be told: the newest counts.
  const log = path.log === undefined ? [] : [{ height: LOG_HEIGHT, index: path.log.places }]
  let wants: Wants = { pages: [...log], ranges: [], blocks: [] }
  let room = CONTROL_BYTES_MAX - PULL_WANTS_AT - log.length * PULL_PAGE_BYTES
  const take = (bytes: number): boolean => {
    if (room < bytes) {
      parts.push(wants)
      wants = { pages: [...log], ranges: [], blocks: [] }
      room = CONTROL_BYTES_MAX - PULL_WANTS_AT - log.length * PULL_PAGE_BYTES
    }
    room -= bytes
    return parts.length < PARTS_MAX
  }
  for (const page of path.pages.values()) {
    if (!take(PULL_PAGE_BYTES)) return parts
    wants.pages.push(page)
  }
  const wantPart = (block: BlockIndex, chunks: Bitmap): boolean => {
    if (!take(PULL_BLOCK_BYTES)) return false
    const wanted = new Uint8Array(BITMAP_BYTES)
    chunks.toOctets(wanted)
    wants.blocks.push({ block, wanted })
    return true
  }
  for (const { open, chunks } of path.owed.entries()) {
    const last = wants.ranges[wants.ranges.length - 1]
    if (!chunks.isFull) {
      if (!wantPart(open.index, chunks)) return parts
    } else if (last !== undefined && last.first + last.count === open.index && last.count < RANGE_BLOCKS_MAX) {
      wants.ranges[wants.ranges.length - 1] = { first: last.first, count: last.count + 1 }
    } else {
      if (!take(PULL_RANGE_BYTES)) return parts
      wants.ranges.push({ first: open.index, count: 1 })
    }
  }
  if (spare > 0) {
    const overtaken = path.owed.overtaken()
    for (let copy = 1; copy < copiesAtEnd(overtaken, path.loss.ratio, spare); copy++) {
      for (const { open, chunks } of overtaken) if (!wantPart(open.index, chunks)) return parts
    }
  }
  parts.push(wants)
  return parts
}

/** How often to ask for what was lost at the end, so that some of it is lost again in no more than MISS of all cases, if that is worth it. */
function copiesAtEnd(overtaken: readonly { readonly chunks: Bitmap }[], loss: number, spare: number): number {
  const chunks = overtaken.reduce((sum, { chunks }) => sum + chunks.count, 0)
  if (chunks === 0 || loss === 0) return 1
  return Math.min(COPIES_MAX, 1 + Math.floor(spare / chunks), Math.ceil(Math.log(chunks / MISS) / -Math.log(loss)))
}
