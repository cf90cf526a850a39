// CHUNKs that continue one another: neighbours of one block, sent one after the other at one time. A fast peer sends little
// else, and what is true of one is true of all: they are checked and counted once.
import { sameEndpoint } from '../endpoint.js'
import type { ReceiveBatch } from './batch.js'
import { chunkBlock, chunkOffset, chunkPayloadSize, sequenceOf } from './bulk.js'
import { BLOCK_BYTES, CHUNK_BLOCK_AT, SENT_AT_AT, SEQUENCE_AT, VERSION_FLAGS_AT } from './layout.js'

/**
 * How many datagrams of a batch, from `first` on, are one run; what `isBulk` says of the first holds for all.
 *
 * @param first a CHUNK that `isBulk` accepted
 */
export function runLength(batch: ReceiveBatch, first: number): number {
  const head = batch.data[first]!
  const bytes = chunkPayloadSize(head)
  // No further than the block goes.
  const most = Math.min(batch.count - first, Math.floor((BLOCK_BYTES - chunkOffset(head)) / bytes))
  let count = 1
  while (count < most && continues(batch, first, first + count, bytes)) count++
  return count
}

function continues(batch: ReceiveBatch, first: number, index: number, bytes: number): boolean {
  const head = batch.data[first]!
  const d = batch.data[index]!
  const steps = index - first
  return (
    d.length === head.length &&
    sequenceOf(d) === sequenceOf(head) + steps &&
    chunkOffset(d) === chunkOffset(head) + steps * bytes &&
    chunkBlock(d) === chunkBlock(head) &&
    isAlike(d, head, VERSION_FLAGS_AT, SEQUENCE_AT) &&
    isAlike(d, head, SENT_AT_AT, CHUNK_BLOCK_AT) &&
    sameEndpoint(batch.from[index]!, batch.from[first]!)
  )
}

function isAlike(a: Uint8Array, b: Uint8Array, from: number, end: number): boolean {
  for (let i = from; i < end; i++) if (a[i] !== b[i]) return false
  return true
}
