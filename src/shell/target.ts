import { constants } from 'node:fs'
import { access, type FileHandle, open, rename, stat, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { assert, FileError } from '../errors.js'
import type { BlockIndex } from '../units.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import { fileError } from './file-fault.js'
import { behind } from './memory-run.js'

/** Written octets that are brought to the disk while more come, so that little is left to wait for at the end. */
const FLUSH_BYTES = 4 * 1024 * 1024

/** The file that a collector makes: `OUT.part` beside `out` until it is whole, then `out` itself. */
export class Target {
  readonly #out: string
  readonly #part: string
  #handle: FileHandle | undefined
  /** Octets written since the last flush began. */
  #unflushed = 0
  #isFlushing = false
  /** After it failed once, a flush that succeeds says nothing of what was written before. */
  #flushFault: unknown

  private constructor(out: string) {
    this.#out = out
    this.#part = `${out}.part`
  }

  /**
   * Looks whether a file can be made there, before anything is fetched for it. Nothing is written yet.
   *
   * @throws FileError
   */
  static async at(path: string): Promise<Target> {
    const out = resolve(path)
    const folder = dirname(out)
    try {
      if (!(await stat(folder)).isDirectory()) throw new FileError(`can't write ${path}: ${folder} is not a folder`)
      await access(folder, constants.W_OK | constants.X_OK)
    } catch (error) {
      throw error instanceof FileError ? error : fileError('write into the folder', folder, error)
    }
    const existing = await stat(out).catch(() => undefined)
    if (existing?.isDirectory()) throw new FileError(`can't write ${path}: it is a folder`)
    return new Target(out)
  }

  /** Makes `OUT.part` with `size` octets; one of an earlier run is emptied. @throws FileError */
  async prepare(size: number): Promise<void> {
    assert(this.#handle === undefined, 'a target is prepared once')
    try {
      // Not through a symbolic link: nothing outside the folder of `out` is ever touched. (Windows has no such flag.)
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | (constants.O_NOFOLLOW ?? 0)
      this.#handle = await open(this.#part, flags, 0o666)
      const { bavail, bsize, blocks } = await statfs(dirname(this.#part))
      // Some network file systems count no blocks at all: there the write that fails will say so.
      if (blocks > 0 && bavail * bsize < size) {
        throw new FileError(
          `can't write ${this.#part}: the disk is full (${size} octets needed, ${bavail * bsize} free)`,
        )
      }
      await this.#handle.truncate(size)
    } catch (error) {
      throw error instanceof FileError ? error : fileError('write', this.#part, error)
    }
  }

  /** Writes neighbouring blocks at once. @param blocks unchanged until this ends. @throws FileError */
  async writeBlocks(first: BlockIndex, blocks: readonly Uint8Array[]): Promise<void> {
    assert(this.#handle !== undefined, 'a target is prepared before it is written')
    try {
      let left = [...blocks]
      for (let at = first * BLOCK_BYTES; left.length > 0; ) {
        const { bytesWritten } = await this.#handle.writev(left, at)
        at += bytesWritten
        this.#unflushed += bytesWritten
        left = behind(left, bytesWritten)
      }
      if (this.#unflushed >= FLUSH_BYTES && !this.#isFlushing) void this.#flush(this.#handle)
    } catch (error) {
      throw fileError('write', this.#part, error)
    }
  }

  /** Waits until the octets are on the disk, and gives the file its name. @throws FileError */
  async finish(): Promise<void> {
    assert(this.#handle !== undefined, 'a target is prepared before it is finished')
    try {
      await this.#handle.sync()
      if (this.#flushFault !== undefined) throw this.#flushFault
      await this.abandon()
      await rename(this.#part, this.#out)
    } catch (error) {
      throw fileError('write', this.#out, error)
    }
  }

  async #flush(handle: FileHandle): Promise<void> {
    this.#isFlushing = true
    this.#unflushed = 0
    try {
      await handle.datasync()
    } catch (error) {
      this.#flushFault ??= error
    }
    this.#isFlushing = false
  }

  /** Closes `OUT.part` and leaves it where it is; does nothing where there is none. */
  async abandon(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }
}
