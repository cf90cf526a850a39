// Memory for blocks that a thread of ours can hash without a copy. JavaScript copies into shared memory word by word or, where
// source and target are aligned differently, octet by octet, which costs several times what a plain copy does: so whoever knows
// addresses lays a plain view over it. Nobody writes to a block while the thread reads it.
import { BLOCK_BYTES } from '../wire/layout.js'

/** Lays a plain buffer over shared memory. */
export type PlainView = (memory: SharedArrayBuffer) => ArrayBuffer

const behind = new WeakMap<ArrayBufferLike, SharedArrayBuffer>()

/** BLOCK_BYTES of memory that is copied into at full speed, and that `sharedBehind` knows. */
export function sharedBlock(plainView: PlainView): Uint8Array {
  const memory = new SharedArrayBuffer(BLOCK_BYTES)
  const buffer = plainView(memory)
  // The view does not keep the memory alive by itself.
  behind.set(buffer, memory)
  return new Uint8Array(buffer)
}

/** The shared memory that a buffer is, or is a view of; undefined where there is none. */
export function sharedBehind(buffer: ArrayBufferLike): SharedArrayBuffer | undefined {
  return buffer instanceof SharedArrayBuffer ? buffer : behind.get(buffer)
}
