// The thread that stores blocks for a BlockThread: hashes each, and writes it while it is in this core's cache. Memory is named
// to it once; a job is then a few numbers.
import { writeSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { leafHash } from '../content/tree.js'
import { HASH_BYTES } from '../wire/layout.js'
import { systemDigests } from './entropy.js'

/**
 * Numbers of a job: the memory's name, the block's first octet in it and its length, where its leaf hash stands or -1, the file's
 * descriptor or -1, and the place in the file.
 */
const JOB_NUMBERS = 6

/** What a BlockThread says: memory for the names that follow the last, then jobs and what each block should hash to. */
export interface StoreRequest {
  readonly memory: readonly SharedArrayBuffer[]
  readonly jobs: readonly number[]
  /** HASH_BYTES each. */
  readonly leaves: Uint8Array
}

/** What became of a job: good = its hash is right, and it is in the file, if one was named; otherwise the disk's error. */
export type JobResult = 'good' | 'bad' | { readonly code: string | undefined; readonly message: string }

const memory: Uint8Array[] = []
parentPort?.on('message', ({ memory: more, jobs, leaves }: StoreRequest) => {
  for (const buffer of more) memory.push(new Uint8Array(buffer))
  const results: JobResult[] = []
  for (let at = 0; at < jobs.length; at += JOB_NUMBERS) {
    const [name = 0, first = 0, length = 0, leafAt = -1, descriptor = -1, place = 0] = jobs.slice(at, at + JOB_NUMBERS)
    const data = memory[name]!.subarray(first, first + length)
    if (leafAt >= 0 && !isAs(data, leaves.subarray(leafAt, leafAt + HASH_BYTES))) results.push('bad')
    else results.push(descriptor < 0 ? 'good' : write(descriptor, data, place))
  }
  parentPort?.postMessage(results)
})

function isAs(data: Uint8Array, leaf: Uint8Array): boolean {
  return Buffer.compare(leafHash(systemDigests, data), leaf) === 0
}

function write(descriptor: number, data: Uint8Array, place: number): JobResult {
  try {
    for (let done = 0; done < data.length; ) {
      done += writeSync(descriptor, data, done, data.length - done, place + done)
    }
    return 'good'
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return { code, message }
  }
}
