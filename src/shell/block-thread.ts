// Hashes and writes blocks in a thread of its own, so that datagrams need not wait for it: at 10 Gbit/s SHA-256 takes a core by
// itself. Blocks lie in shared memory: only numbers and leaf hashes go to it. Results come in the order of the jobs.
import { Worker } from 'node:worker_threads'
import { assert } from '../errors.js'
import { HASH_BYTES } from '../wire/layout.js'
import type { JobResult, StoreRequest } from './block-worker.js'
import { sharedBehind } from './shared-blocks.js'

type Done = (result: JobResult) => void

/** A block that is to be hashed, written, or both. */
export interface StoreJob {
  /** Unchanged until the result comes. */
  readonly data: Uint8Array
  /** What it should hash to, or else it is not written; undefined: it is not hashed. */
  readonly leaf: Uint8Array | undefined
  /** Of the file that it is written to, which stays open until the result comes; undefined: it is not written. */
  readonly descriptor: number | undefined
  /** Octets from the start of the file. */
  readonly place: number
}

export class BlockThread {
  readonly #worker: Worker
  readonly #names = new Map<SharedArrayBuffer, number>()
  readonly #pending: Done[] = []
  readonly #batches: (() => void)[] = []
  #memory: SharedArrayBuffer[] = []
  #jobs: number[] = []
  #leaves: Uint8Array[] = []

  /** @param onBatch called after all results that came together */
  constructor(onBatch: () => void) {
    this.#worker = new Worker(new URL('./block-worker.js', import.meta.url))
    this.#worker.unref()
    this.#worker.on('message', (results: readonly JobResult[]) => {
      const done = this.#pending.splice(0, results.length)
      for (const [i, tell] of done.entries()) tell(results[i]!)
      this.#batches.shift()?.()
      onBatch()
    })
    this.#worker.on('error', error => {
      throw error
    })
  }

  /** Whether a thread of ours can see this memory. */
  static canSee(data: Uint8Array): boolean {
    return sharedBehind(data.buffer) !== undefined
  }

  /** Begins with the next `flush`. */
  add({ data, leaf, descriptor, place }: StoreJob, done: Done): void {
    const buffer = sharedBehind(data.buffer)
    assert(buffer !== undefined, 'only shared memory can be seen by a thread')
    let name = this.#names.get(buffer)
    if (name === undefined) {
      name = this.#names.size
      this.#names.set(buffer, name)
      this.#memory.push(buffer)
    }
    const leafAt = leaf === undefined ? -1 : this.#leaves.push(leaf) * HASH_BYTES - HASH_BYTES
    this.#jobs.push(name, data.byteOffset, data.length, leafAt, descriptor ?? -1, place)
    this.#pending.push(done)
  }

  /** @returns ends when the results of all that was added have come; undefined where nothing was */
  flush(): Promise<void> | undefined {
    if (this.#jobs.length === 0) return undefined
    const request: StoreRequest = { memory: this.#memory, jobs: this.#jobs, leaves: Buffer.concat(this.#leaves) }
    this.#worker.postMessage(request)
    this.#memory = []
    this.#jobs = []
    this.#leaves = []
    return new Promise(resolve => this.#batches.push(resolve))
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
