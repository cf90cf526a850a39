// Where one of many simulated collectors writes: what it writes is compared with the file, and not kept, so that a
// thousand of them fit into one memory.
import { assert } from '../errors.js'
import type { Input } from '../host/contract.js'
import type { TransferEffect } from '../transfer/effect.js'
import type { BlockIndex } from '../units.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import { TargetDisk } from './target-disk.js'

type Order<Kind extends TransferEffect['kind']> = Extract<TransferEffect, { readonly kind: Kind }>

export class MirrorTarget extends TargetDisk {
  readonly #original: Uint8Array

  constructor(original: Uint8Array) {
    super()
    this.#original = original
  }

  override get content(): Uint8Array {
    return this.#original
  }

  override prepare(order: Order<'prepare-target'>): void {
    assert(order.size === this.#original.length && !order.keep, 'it is another file')
  }

  override write({ block, data }: Order<'store-block'>): void {
    assert(Buffer.compare(data, this.#blockOf(block)) === 0, `block ${block} is written with wrong octets`)
    this.written.add(block)
  }

  override flush(): void {}

  override read({ block, fetch }: Order<'read-target'>): Input {
    assert(this.written.has(block), `block ${block} is read and was not written`)
    return { kind: 'target-read', block, data: this.#blockOf(block).slice(), fetch }
  }

  override finish(): void {
    assert(this.written.size === Math.ceil(this.#original.length / BLOCK_BYTES), 'blocks are missing')
    this.isFinished = true
  }

  #blockOf(block: BlockIndex): Uint8Array {
    return this.#original.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
  }
}
