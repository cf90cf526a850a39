// The thread that hashes blocks for a Hasher. Memory is named to it once; a job is then three numbers.
import { parentPort } from 'node:worker_threads'
import { leafHash } from '../content/tree.js'
import { HASH_BYTES } from '../wire/layout.js'
import { systemDigests } from './entropy.js'

/** What a Hasher says: memory for the names that follow the last, then jobs as name, first octet and length, one after the other. */
export interface HashRequest {
  readonly memory: readonly SharedArrayBuffer[]
  readonly jobs: readonly number[]
}

const memory: Uint8Array[] = []
parentPort?.on('message', (request: HashRequest) => {
  for (const buffer of request.memory) memory.push(new Uint8Array(buffer))
  const hashes = new Uint8Array((request.jobs.length / 3) * HASH_BYTES)
  for (let i = 0; i < request.jobs.length; i += 3) {
    const [name = 0, first = 0, length = 0] = request.jobs.slice(i, i + 3)
    hashes.set(leafHash(systemDigests, memory[name]!.subarray(first, first + length)), (i / 3) * HASH_BYTES)
  }
  parentPort?.postMessage(hashes)
})
