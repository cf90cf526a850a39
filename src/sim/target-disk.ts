// Where a simulated collector writes: `NAME.part`, its journal, and at last the file itself. What was not flushed is in
// the memory of the computer: it outlives the process, and not a power cut, which keeps some sectors of it and loses others.
import { leafHash } from '../content/tree.js'
import { assert } from '../errors.js'
import type { Input } from '../host/contract.js'
import type { FoundPart, TransferEffect } from '../transfer/effect.js'
import type { BlockIndex } from '../units.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import { DIGESTS } from './digests.js'
import type { SeededRandom } from './random.js'

type Order<Kind extends TransferEffect['kind']> = Extract<TransferEffect, { readonly kind: Kind }>
type Flush = Order<'flush-target'>

/** Octets that reach a disk whole or not at all. */
const SECTOR_BYTES = 512

export class TargetDisk {
  isFinished = false
  /** What `find` says of changes by others. */
  changedAfter = 0
  /** Blocks written in the present run. */
  readonly written = new Set<BlockIndex>()
  #part = new Uint8Array(0)
  #journal: Uint8Array | undefined
  /** What a power cut leaves. */
  #durable = new Uint8Array(0)
  /** Blocks that differ, perhaps, from `#durable`. */
  readonly #dirty = new Set<BlockIndex>()
  /** Orders that are given and not carried out. */
  readonly #writing = new Set<Order<'store-block'>>()
  readonly #flushing = new Set<Flush>()

  /** As a reader sees it. */
  get content(): Uint8Array {
    return this.#part
  }

  get journal(): Uint8Array | undefined {
    return this.#journal
  }

  /** Somebody else meddles with it. */
  set journal(octets: Uint8Array | undefined) {
    this.#journal = octets
  }

  find(): FoundPart | undefined {
    if (this.isFinished || this.#journal === undefined) return undefined
    return { bytes: this.#part.length, journal: this.#journal.slice(), changedAfter: this.changedAfter }
  }

  prepare({ size, keep }: Order<'prepare-target'>): void {
    this.written.clear()
    this.isFinished = false
    if (keep) {
      assert(this.#part.length === size && this.#journal !== undefined, 'a part of another size is kept')
      return
    }
    this.#journal = undefined
    this.#part = new Uint8Array(size)
    this.#durable = new Uint8Array(size)
    this.#dirty.clear()
  }

  order(order: Order<'store-block'> | Flush): void {
    if (order.kind === 'store-block') this.#writing.add(order)
    else this.#flushing.add(order)
  }

  write(order: Order<'store-block'>): void {
    this.#writing.delete(order)
    const { block, data } = order
    const start = block * BLOCK_BYTES
    const size = Math.min(BLOCK_BYTES, this.#part.length - start)
    assert(size > 0 && data.length === size, `write of ${data.length} octets as block ${block}`)
    this.#part.set(data, start)
    this.#dirty.add(block)
    this.written.add(block)
  }

  /** It is not what it should be. */
  refuse(order: Order<'store-block'>): void {
    this.#writing.delete(order)
  }

  flush(order: Flush): void {
    this.#flushing.delete(order)
    this.#flushPart()
    this.#writeJournal(order, order.journal.length)
  }

  read({ block, leaf }: Order<'read-target'>): Input {
    const data = this.#part.slice(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    const isIt = Buffer.compare(leafHash(DIGESTS, data), leaf) === 0
    return isIt ? { kind: 'target-read', block, data } : { kind: 'target-read', block, data: undefined, why: 'changed' }
  }

  finish(): void {
    assert(this.#writing.size === 0, 'the target is finished while writes are under way')
    this.#flushPart()
    this.#journal = undefined
    this.isFinished = true
  }

  /** The process that gave the orders is gone: what was not carried out never will be. */
  forgetOrders(): void {
    this.#writing.clear()
    this.#flushing.clear()
  }

  /** The power fails: orders may be half done, and what was not flushed is there or not. */
  cutPower(random: SeededRandom): void {
    for (const order of this.#writing) if (random.chance(0.5)) this.#tear(order.block, order.data, random)
    for (const order of this.#flushing) this.#interrupt(order, random)
    for (const block of this.#dirty) {
      this.#tear(block, this.#part.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES), random)
    }
    this.#dirty.clear()
    this.forgetOrders()
    this.#part = this.#durable.slice()
  }

  /** Of the octets of a block each sector is on the disk or not. */
  #tear(block: BlockIndex, data: Uint8Array, random: SeededRandom): void {
    const share = random.pick([0, 0.5, 1])
    for (let at = 0; at < data.length; at += SECTOR_BYTES) {
      if (random.chance(share)) this.#durable.set(data.subarray(at, at + SECTOR_BYTES), block * BLOCK_BYTES + at)
    }
  }

  /** A flush that had gone so far: nothing, the octets, some of the record, the record with zeros in it. */
  #interrupt(order: Flush, random: SeededRandom): void {
    const stage = random.below(4)
    if (stage === 0) return
    this.#flushPart()
    if (stage === 1) return
    this.#writeJournal(order, random.below(order.journal.length + 1))
    if (stage === 3) this.#journal!.fill(0, order.at + random.below(order.journal.length + 1))
  }

  #flushPart(): void {
    for (const block of this.#dirty) {
      const start = block * BLOCK_BYTES
      this.#durable.set(this.#part.subarray(start, start + BLOCK_BYTES), start)
    }
    this.#dirty.clear()
  }

  #writeJournal({ journal, at }: Flush, length: number): void {
    const octets = new Uint8Array(at + length)
    octets.set((this.#journal ?? new Uint8Array(0)).subarray(0, at))
    octets.set(journal.subarray(0, length), at)
    this.#journal = octets
  }
}
