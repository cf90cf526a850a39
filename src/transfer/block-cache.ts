import { type BlockIndex, blockIndex } from '../units.js'
import { BLOCK_BYTES, BLOCKS_MAX } from '../wire/layout.js'
import type { EffectSink, TransferEffect } from './effect.js'

/** Blocks kept: 16 MiB, more than all that is being read or waits for it. */
const CACHED_MAX = 256
/** Reads under way at once. */
const READS_MAX = 32
/** Reads waiting for their turn; a PULL that asks for more asks again. */
const WAITING_MAX = 192

/** Files from this key on are those that the process collects itself, and reads where it writes them. */
export const TARGETS_FROM = 2 ** 20

/** The order that reads a block of such a file into BLOCK_BYTES of memory; undefined where that can't be. */
export type OrderTarget = (file: number, block: BlockIndex, into: Uint8Array) => TransferEffect | undefined

/** Blocks of our own files on their way from the disk to the network, the latest used kept longest. Its memory is used again. */
export class BlockCache {
  readonly #cached = new Map<number, Uint8Array>()
  readonly #orderTarget: OrderTarget
  /** By block: the memory that it is read into. */
  readonly #reading = new Map<number, Uint8Array>()
  readonly #waiting = new Set<number>()
  readonly #spare: Uint8Array[] = []
  /** Memory that is ours: whoever reads may give other. */
  readonly #own = new WeakSet<ArrayBufferLike>()
  /** What was found before, until anything changes: a block's chunks are sent in a row. */
  #lastKey = -1
  #last: Uint8Array | undefined

  constructor(orderTarget: OrderTarget = () => undefined) {
    this.#orderTarget = orderTarget
  }

  /** The block's octets: to be used at once, and not after the next call of any other method. */
  find(file: number, block: number): Uint8Array | undefined {
    const key = keyOf(file, block)
    if (key !== this.#lastKey) {
      this.#last = this.#cached.get(key)
      this.#lastKey = key
    }
    return this.#last
  }

  /** Sees to it that the block is read soon. */
  request(file: number, block: number, effects: EffectSink): void {
    const key = keyOf(file, block)
    const data = this.#cached.get(key)
    if (data !== undefined) {
      this.#cached.delete(key)
      this.#cached.set(key, data)
      return
    }
    if (this.#reading.has(key) || this.#waiting.has(key)) return
    if (this.#reading.size < READS_MAX) this.#read(key, effects)
    else if (this.#waiting.size < WAITING_MAX) this.#waiting.add(key)
  }

  /** @param data undefined where the block can't be had */
  onRead(file: number, block: BlockIndex, data: Uint8Array | undefined, effects: EffectSink): void {
    const key = keyOf(file, block)
    const memory = this.#reading.get(key)
    this.#reading.delete(key)
    if (memory !== undefined && data?.buffer !== memory.buffer) this.#spare.push(memory)
    if (data !== undefined) this.#keep(key, data)
    for (const next of this.#waiting) {
      if (this.#reading.size >= READS_MAX) break
      this.#waiting.delete(next)
      this.#read(next, effects)
    }
  }

  isReading(file: number, block: BlockIndex): boolean {
    return this.#reading.has(keyOf(file, block))
  }

  /** Nothing of that file is read for us any more. */
  forget(file: number): void {
    for (const keys of [this.#cached, this.#reading, this.#waiting]) {
      for (const key of keys.keys()) if (Math.floor(key / BLOCKS_MAX) === file) keys.delete(key)
    }
  }

  #keep(key: number, data: Uint8Array): void {
    this.#lastKey = -1
    this.#cached.set(key, data)
    if (this.#cached.size <= CACHED_MAX) return
    const [oldest, octets] = this.#cached.entries().next().value!
    this.#cached.delete(oldest)
    if (this.#own.has(octets.buffer)) this.#spare.push(new Uint8Array(octets.buffer))
  }

  #read(key: number, effects: EffectSink): void {
    const file = Math.floor(key / BLOCKS_MAX)
    const block = blockIndex(key % BLOCKS_MAX)
    const into = this.#spare.pop() ?? this.#newMemory()
    const order: TransferEffect | undefined =
      file >= TARGETS_FROM
        ? this.#orderTarget(file, block, into)
        : // Whoever gets it compares the hash; here that would cost as much again as all the rest.
          { kind: 'read-block', file, block, check: 'times', into }
    if (order === undefined) {
      this.#spare.push(into)
      return
    }
    this.#reading.set(key, into)
    effects.push(order)
  }

  #newMemory(): Uint8Array {
    const memory = new Uint8Array(BLOCK_BYTES)
    this.#own.add(memory.buffer)
    return memory
  }
}

function keyOf(file: number, block: number): number {
  return file * BLOCKS_MAX + block
}
