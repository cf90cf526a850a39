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

  async readBlock(...args: Parameters<BlockTarget['readBlock']>): Promise<Uint8Array | string> {
    // A copy: whoever reads a block has it for good.
    const given = this.#blocks.get(args[0])
    return given === undefined ? this.#target.readBlock(...args) : new Uint8Array(given)
  }

  readonly find: BlockTarget['find'] = (...args) => this.#target.find(...args)
  readonly writeBlocks: BlockTarget['writeBlocks'] = (...args) => this.#target.writeBlocks(...args)
  readonly flush: BlockTarget['flush'] = (...args) => this.#target.flush(...args)
  readonly finish: BlockTarget['finish'] = () => this.#target.finish()
  readonly abandon: BlockTarget['abandon'] = () => this.#target.abandon()
}
