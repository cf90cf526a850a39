import { assert } from '../errors.js'
import type { BlockTarget } from '../shell/disk.js'
import { type BlockIndex, blockIndex } from '../units.js'

/** Keeps the blocks of a fetch in memory: the first ones of a content, which tell what it is. */
export class MemoryTarget implements BlockTarget {
  readonly blocks = new Map<BlockIndex, Uint8Array>()

  /** The blocks from the first on, one after the other. */
  get octets(): Uint8Array {
    return Buffer.concat([...this.blocks].sort(([a], [b]) => a - b).map(([, data]) => data))
  }

  async writeBlocks(first: BlockIndex, blocks: readonly Uint8Array[]): Promise<void> {
    // Not `slice`: on a Buffer that gives a view, and the collector uses its memory again.
    for (const [i, data] of blocks.entries()) this.blocks.set(blockIndex(first + i), new Uint8Array(data))
  }

  async readBlock(block: BlockIndex): Promise<Uint8Array | string> {
    const data = this.blocks.get(block)
    assert(data !== undefined, `block ${block} was not written`)
    return data
  }

  async find(): Promise<undefined> {}
  async prepare(): Promise<void> {}
  async flush(): Promise<void> {}
  async finish(): Promise<void> {}
  async abandon(): Promise<void> {}
}
