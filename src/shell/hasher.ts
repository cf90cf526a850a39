// Hashes blocks in a thread of its own, so that datagrams need not wait for it: at 10 Gbit/s SHA-256 takes a core by itself.
// Blocks lie in shared memory: only numbers and hashes go to and fro. Results come in the order of the jobs.
import { Worker } from 'node:worker_threads'
import { assert } from '../errors.js'
import { HASH_BYTES } from '../wire/layout.js'
import type { HashRequest } from './hash-worker.js'
import { sharedBehind } from './shared-blocks.js'

type Done = (hash: Uint8Array) => void

export class Hasher {
  readonly #worker: Worker
  readonly #names = new Map<SharedArrayBuffer, number>()
  readonly #pending: Done[] = []
  #memory: SharedArrayBuffer[] = []
  #jobs: number[] = []

  /** @param onBatch called after all results that came together */
  constructor(onBatch: () => void) {
    this.#worker = new Worker(new URL('./hash-worker.js', import.meta.url))
    this.#worker.unref()
    this.#worker.on('message', (hashes: Uint8Array) => {
      const done = this.#pending.splice(0, hashes.length / HASH_BYTES)
      for (const [i, tell] of done.entries()) tell(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES))
      onBatch()
    })
    this.#worker.on('error', error => {
      throw error
    })
  }

  /** Whether a thread of ours can see this memory. */
  static canHash(data: Uint8Array): boolean {
    return sharedBehind(data.buffer) !== undefined
  }

  /** @param data unchanged until `done` is called, which is some time after the next `flush` */
  add(data: Uint8Array, done: Done): void {
    const buffer = sharedBehind(data.buffer)
    assert(buffer !== undefined, 'only shared memory can be hashed in a thread')
    let name = this.#names.get(buffer)
    if (name === undefined) {
      name = this.#names.size
      this.#names.set(buffer, name)
      this.#memory.push(buffer)
    }
    this.#jobs.push(name, data.byteOffset, data.length)
    this.#pending.push(done)
  }

  flush(): void {
    if (this.#jobs.length === 0) return
    const request: HashRequest = { memory: this.#memory, jobs: this.#jobs }
    this.#worker.postMessage(request)
    this.#memory = []
    this.#jobs = []
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
