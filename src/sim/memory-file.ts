import { FullTree, leafHash } from '../content/tree.js'
import { BLOCK_BYTES, HASH_BYTES } from '../wire/layout.js'
import type { Offer } from '../wire/message.js'
import { DIGESTS } from './digests.js'

/** A file as its owner saw it when it offered it. */
export interface MemoryFile {
  readonly content: Uint8Array
  readonly tree: FullTree
  readonly offer: Offer
}

export function memoryFile(name: string, content: Uint8Array): MemoryFile {
  const leaves = new Uint8Array(Math.ceil(content.length / BLOCK_BYTES) * HASH_BYTES)
  for (let block = 0; block * BLOCK_BYTES < content.length; block++) {
    const data = content.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    leaves.set(leafHash(DIGESTS, data), block * HASH_BYTES)
  }
  const tree = new FullTree(DIGESTS, content.length, leaves)
  return { content, tree, offer: { name, size: content.length, root: tree.root } }
}
