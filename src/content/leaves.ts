// The leaf hashes of a content whose octets come one after the other, in parts of any length.
import type { Digests } from '../ambient.js'
import { assert } from '../errors.js'
import { blockIndex } from '../units.js'
import { BLOCK_BYTES, HASH_BYTES } from '../wire/layout.js'
import { FileLayout } from './layout.js'
import { leafHash } from './tree.js'

export class Leaves {
  readonly #digests: Digests
  readonly #layout: FileLayout
  readonly #headBytes: number
  readonly #hashes: Uint8Array
  /** What has come of the block that `#at` lies in. */
  readonly #block = new Uint8Array(BLOCK_BYTES)
  /** The block in which the head ends, with what follows the head in it. */
  #border: Uint8Array | undefined
  /** Octets from the start of the content. */
  #at: number

  /**
   * @param size octets of the content
   * @param headBytes that are known only at the end: a manifest has the roots of the files behind it
   */
  constructor(digests: Digests, size: number, headBytes = 0) {
    assert(headBytes <= size, `${headBytes} octets of head in ${size}`)
    this.#digests = digests
    this.#layout = new FileLayout(size)
    this.#headBytes = headBytes
    this.#hashes = new Uint8Array(this.#layout.blockCount * HASH_BYTES)
    this.#at = headBytes
    if (headBytes === size) this.#closeBlock()
  }

  /** Takes the next octets behind the head; copied. */
  add(data: Uint8Array): void {
    assert(this.#at + data.length <= this.#layout.size, 'more octets than the content has')
    for (let from = 0; from < data.length; ) {
      const inBlock = this.#at % BLOCK_BYTES
      const part = data.subarray(from, from + BLOCK_BYTES - inBlock)
      this.#block.set(part, inBlock)
      this.#at += part.length
      from += part.length
      if (this.#at % BLOCK_BYTES === 0 || this.#at === this.#layout.size) this.#closeBlock()
    }
  }

  /** The leaf hashes of all blocks, in order. @param head `headBytes` octets */
  finish(head: Uint8Array = new Uint8Array(0)): Uint8Array {
    assert(this.#at === this.#layout.size && head.length === this.#headBytes, 'the content is not all there')
    for (let start = 0; start < head.length; start += BLOCK_BYTES) {
      const part = head.subarray(start, start + BLOCK_BYTES)
      if (start + BLOCK_BYTES <= head.length) this.#setLeaf(start, part)
      else {
        this.#border!.set(part)
        this.#setLeaf(start, this.#border!)
      }
    }
    return this.#hashes
  }

  #closeBlock(): void {
    if (this.#at === 0) return
    const start = (Math.ceil(this.#at / BLOCK_BYTES) - 1) * BLOCK_BYTES
    const data = this.#block.subarray(0, this.#at - start)
    if (start < this.#headBytes) this.#border = data.slice()
    else this.#setLeaf(start, data)
  }

  #setLeaf(start: number, data: Uint8Array): void {
    assert(data.length === this.#layout.blockBytes(blockIndex(start / BLOCK_BYTES)), 'a whole block')
    this.#hashes.set(leafHash(this.#digests, data), (start / BLOCK_BYTES) * HASH_BYTES)
  }
}
