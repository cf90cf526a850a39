import { type BlockIndex, blockIndex } from '../units.js'
import type { EffectSink } from './effect.js'

/** Blocks kept: 16 MiB, more than all that is being read or waits for it. */
const CACHED_MAX = 256
/** Reads under way at once. */
const READS_MAX = 32
/** Reads waiting for their turn; a PULL that asks for more asks again. */
const WAITING_MAX = 192

/** Blocks of our own files on their way from the disk to the network, the latest used kept longest. */
export class BlockCache {
  readonly #cached = new Map<string, Uint8Array>()
  readonly #reading = new Set<string>()
  readonly #waiting = new Map<string, { readonly file: number; readonly block: BlockIndex }>()

  find(file: number, block: number): Uint8Array | undefined {
    return this.#cached.get(`${file}/${block}`)
  }

  /** Sees to it that the block is read soon. */
  request(file: number, block: number, effects: EffectSink): void {
    const key = `${file}/${block}`
    const data = this.#cached.get(key)
    if (data !== undefined) {
      this.#cached.delete(key)
      this.#cached.set(key, data)
      return
    }
    if (this.#reading.has(key) || this.#waiting.has(key)) return
    if (this.#reading.size < READS_MAX) this.#read(key, file, blockIndex(block), effects)
    else if (this.#waiting.size < WAITING_MAX) this.#waiting.set(key, { file, block: blockIndex(block) })
  }

  /** @param data undefined where the block can't be had */
  onRead(file: number, block: BlockIndex, data: Uint8Array | undefined, effects: EffectSink): void {
    const key = `${file}/${block}`
    this.#reading.delete(key)
    if (data !== undefined) {
      this.#cached.set(key, data)
      if (this.#cached.size > CACHED_MAX) this.#cached.delete(this.#cached.keys().next().value!)
    }
    for (const [next, wanted] of this.#waiting) {
      if (this.#reading.size >= READS_MAX) break
      this.#waiting.delete(next)
      this.#read(next, wanted.file, wanted.block, effects)
    }
  }

  #read(key: string, file: number, block: BlockIndex, effects: EffectSink): void {
    this.#reading.add(key)
    // Whoever gets it compares the hash; here that would cost as much again as all the rest.
    effects.push({ kind: 'read-block', file, block, check: 'times' })
  }
}
