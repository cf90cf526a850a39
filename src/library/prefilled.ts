import type { BlockTarget } from '../shell/disk.js'
import type { BlockIndex } from '../units.js'

/** A target to which some blocks are given as soon as it is prepared: they came before anyone knew where they go. */
export class Prefilled implements BlockTarget {
  readonly #target: BlockTarget
  readonly #blocks: ReadonlyMap<BlockIndex, Uint8Array>

  constructor(target: BlockTarget, blocks: ReadonlyMap<BlockIndex, Uint8Array>) {
    this.#target = target
    this.#blocks = blocks
  }

  async prepare(size: number, keep: boolean): Promise<void> {
    await this.#target.prepare(size, keep)
    for (const [block, data] of this.#blocks) await this.#target.writeBlocks(block, [data])
  }

  readonly find: BlockTarget['find'] = (...args) => this.#target.find(...args)
  readonly readBlock: BlockTarget['readBlock'] = (...args) => this.#target.readBlock(...args)
  readonly writeBlocks: BlockTarget['writeBlocks'] = (...args) => this.#target.writeBlocks(...args)
  readonly flush: BlockTarget['flush'] = (...args) => this.#target.flush(...args)
  readonly finish: BlockTarget['finish'] = () => this.#target.finish()
  readonly abandon: BlockTarget['abandon'] = () => this.#target.abandon()
}
