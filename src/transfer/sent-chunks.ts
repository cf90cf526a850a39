// Which numbers the chunks of the latest blocks were sent with.
import { CHUNKS_MAX } from '../wire/layout.js'

/** Blocks whose sent chunks are remembered. */
const BLOCKS_REMEMBERED = 2_048

export class SentChunks {
  /** By block: for each chunk the sequence number it was last sent with, 0 = never. */
  readonly #byBlock = new Map<number, Uint32Array>()
  #lastBlock = -1
  #last: Uint32Array | undefined

  /** @returns undefined where nothing of the block was sent */
  find(block: number): Uint32Array | undefined {
    return block === this.#lastBlock ? this.#last : this.#byBlock.get(block)
  }

  /** As `find`, to be written to. */
  of(block: number): Uint32Array {
    let log = this.find(block)
    if (log === undefined) {
      log = new Uint32Array(CHUNKS_MAX)
      this.#byBlock.set(block, log)
      if (this.#byBlock.size > BLOCKS_REMEMBERED) this.#byBlock.delete(this.#byBlock.keys().next().value!)
    }
    this.#lastBlock = block
    this.#last = log
    return log
  }

  clear(): void {
    this.#byBlock.clear()
    this.#lastBlock = -1
    this.#last = undefined
  }
}
