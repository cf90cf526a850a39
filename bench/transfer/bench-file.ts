// The file that is moved, and the folders it is moved between.
import { createCipheriv, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

const NAME = 'bench.bin'
const KEY_BYTES = 16
const WRITE_BYTES = 1 << 20

export class BenchFile {
  readonly size: number
  /** In hexadecimal. */
  readonly sha256: string
  readonly #folder: string

  /** Writes `size` octets without a pattern, the same for the same seed: a key stream of zeros. */
  static async make(size: number, seed: number): Promise<BenchFile> {
    const folder = await mkdtemp(join(tmpdir(), 'peer-udp-bench-'))
    try {
      for (const name of ['shared', 'empty', 'rebuilt']) await mkdir(join(folder, name))
      return new BenchFile(folder, size, await write(join(folder, 'shared', NAME), size, seed))
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  private constructor(folder: string, size: number, sha256: string) {
    this.#folder = folder
    this.size = size
    this.sha256 = sha256
  }

  readonly name = NAME

  get shared(): string {
    return join(this.#folder, 'shared', NAME)
  }

  /** Where a collector looks for a copy of its own, and finds none. */
  get lacking(): string {
    return join(this.#folder, 'empty', NAME)
  }

  get rebuiltFolder(): string {
    return join(this.#folder, 'rebuilt')
  }

  get rebuilt(): string {
    return join(this.rebuiltFolder, NAME)
  }

  async sha256OfRebuilt(): Promise<string> {
    const hash = createHash('sha256')
    await pipeline(createReadStream(this.rebuilt, { highWaterMark: WRITE_BYTES }), hash)
    return hash.digest('hex')
  }

  /** Takes away what a collector made, whole or not. */
  async clear(): Promise<void> {
    for (const path of [this.rebuilt, `${this.rebuilt}.part`]) await rm(path, { force: true })
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** @returns the SHA-256 of what it wrote */
async function write(path: string, size: number, seed: number): Promise<string> {
  const key = Buffer.alloc(KEY_BYTES)
  key.writeUInt32BE(seed)
  const stream = createCipheriv('aes-128-ctr', key, Buffer.alloc(KEY_BYTES))
  const zeros = Buffer.alloc(WRITE_BYTES)
  const hash = createHash('sha256')
  const file = await open(path, 'wx')
  try {
    for (let left = size; left > 0; left -= WRITE_BYTES) {
      const octets = stream.update(zeros.subarray(0, Math.min(left, WRITE_BYTES)))
      hash.update(octets)
      await file.writeFile(octets)
    }
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}
