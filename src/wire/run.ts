// CHUNKs that continue one another: neighbours of one block, sent one after the other at one time. A fast peer sends little
// else, and what is true of one is true of all: they are checked and counted once.
import { sameEndpoint } from '../endpoint.js'
import type { ReceiveBatch } from './batch.js'
import { chunkOffset, chunkPayloadSize, sequenceOf } from './bulk.js'
import { BLOCK_BYTES, CHUNK_OFFSET_AT, SENT_AT_AT, SEQUENCE_AT, VERSION_FLAGS_AT } from './layout.js'

/**
 * How many datagrams of a batch, from `first` on, are one run; what `isBulk` says of the first holds for all.
 *
 * @param first a CHUNK that `isBulk` accepted
 */
export function runLength(batch: ReceiveBatch, first: number): number {
  const head = batch.data[first]!
  const bytes = chunkPayloadSize(head)
  const [sequence, offset] = [sequenceOf(head), chunkOffset(head)]
  // No further than the block goes.
  const most = Math.min(batch.count - first, Math.floor((BLOCK_BYTES - offset) / bytes))
  let count = 1
  for (; count < most; count++) {
    const d = batch.data[first + count]!
    if (d.length !== head.length || sequenceOf(d) !== sequence + count || chunkOffset(d) !== offset + count * bytes)
      break
    if (!isAlike(d, head) || !sameEndpoint(batch.from[first + count]!, batch.from[first]!)) break
  }
  return count
}

/** In all but number and place in the block. */
function isAlike(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = VERSION_FLAGS_AT; i < SEQUENCE_AT; i++) if (a[i] !== b[i]) return false
  for (let i = SENT_AT_AT; i < CHUNK_OFFSET_AT; i++) if (a[i] !== b[i]) return false
  return true
}
