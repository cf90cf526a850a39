import { constants } from 'node:fs'
import { access, type FileHandle, open, rename, stat, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Digests } from '../ambient.js'
import { leafHash } from '../content/tree.js'
import { assert, FileError } from '../errors.js'
import type { FoundPart } from '../transfer/effect.js'
import type { BlockIndex } from '../units.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import { systemDigests } from './entropy.js'
import { faultWords, fileError } from './file-fault.js'
import { JournalFile, NO_FOLLOW, syncFolder } from './journal-file.js'
import { behind } from './memory-run.js'

/** Written octets that are brought to the disk while more come, so that little is left to wait for at the end. */
const FLUSH_BYTES = 4 * 1024 * 1024
/** A block of the file system, as `stat` counts them. */
const STAT_BLOCK_BYTES = 512

/**
 * The file that a collector makes: `OUT.part` beside `out` until it is whole, then `out` itself. A journal, `OUT.part.journal`,
 * says what of the part is there for good.
 */
export class Target {
  readonly #out: string
  readonly #part: string
  readonly #journal: JournalFile
  #handle: FileHandle | undefined
  #size = 0
  /** Flushes for the journal and the end come one after the other. */
  #last: Promise<void> = Promise.resolve()
  /** Octets written since the last flush began. */
  #unflushed = 0
  #isFlushing = false
  /** After it failed once, a flush that succeeds says nothing of what was written before. */
  #flushFault: unknown

  private constructor(out: string) {
    this.#out = out
    this.#part = `${out}.part`
    this.#journal = new JournalFile(`${out}.part.journal`, systemDigests)
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

  /** What an earlier run left, which stays as it is; undefined where there is no part. @throws FileError */
  async find(): Promise<FoundPart | undefined> {
    const part = await stat(this.#part).catch(() => undefined)
    if (!part?.isFile()) return undefined
    const journal = await this.#journal.read()
    const changedAfter = journal === undefined ? 0 : part.mtimeMs - journal.changedAt
    return { bytes: part.size, journal: journal?.octets, changedAfter }
  }

  /**
   * Opens `OUT.part` with room for `size` octets.
   *
   * @param keep what an earlier run left; otherwise nothing of it, and its journal goes first: it must never speak for other octets
   * @throws FileError
   */
  async prepare(size: number, keep: boolean): Promise<void> {
    assert(this.#handle === undefined, 'a target is prepared once')
    if (!keep) await this.#journal.clear()
    try {
      const flags = constants.O_RDWR | constants.O_CREAT | (keep ? 0 : constants.O_TRUNC) | NO_FOLLOW
      this.#handle = await open(this.#part, flags, 0o666)
      await this.#assertRoom(this.#handle, size)
      await this.#handle.truncate(size)
      this.#size = size
    } catch (error) {
      throw error instanceof FileError ? error : fileError('write', this.#part, error)
    }
  }

  /** Of the prepared file: where a thread may write blocks itself, which it tells by `onWritten`. */
  get descriptor(): number | undefined {
    return this.#handle?.fd
  }

  /** Octets were written, or could not be. @returns what the operator should read of the fault, if there was one */
  onWritten(octets: number, fault?: unknown): string | undefined {
    if (fault !== undefined) return fileError('write', this.#part, fault).message
    this.#unflushed += octets
    const handle = this.#handle
    if (this.#unflushed >= FLUSH_BYTES && !this.#isFlushing && handle !== undefined) void this.#flush(handle)
    return undefined
  }

  /** Writes neighbouring blocks at once. @param blocks unchanged until this ends. @throws FileError */
  async writeBlocks(first: BlockIndex, blocks: readonly Uint8Array[]): Promise<void> {
    assert(this.#handle !== undefined, 'a target is prepared before it is written')
    try {
      let left = [...blocks]
      for (let at = first * BLOCK_BYTES; left.length > 0; ) {
        const { bytesWritten } = await this.#handle.writev(left, at)
        at += bytesWritten
        this.onWritten(bytesWritten)
        left = behind(left, bytesWritten)
      }
    } catch (error) {
      throw fileError('write', this.#part, error)
    }
  }

  /**
   * @param into BLOCK_BYTES that are read into
   * @returns the block's octets, or why there are none: they don't hash to `leaf`, or the disk fails
   */
  async readBlock(
    block: BlockIndex,
    leaf: Uint8Array,
    digests: Digests,
    into: Uint8Array = new Uint8Array(BLOCK_BYTES),
  ): Promise<Uint8Array | string> {
    assert(this.#handle !== undefined, 'a target is prepared before it is read')
    const start = block * BLOCK_BYTES
    const data = into.subarray(0, Math.min(BLOCK_BYTES, this.#size - start))
    try {
      for (let got = 0; got < data.length; ) {
        const { bytesRead } = await this.#handle.read(data, got, data.length - got, start + got)
        if (bytesRead === 0) return 'changed'
        got += bytesRead
      }
    } catch (error) {
      return `unreadable: ${faultWords(error)}`
    }
    return Buffer.compare(leafHash(digests, data), leaf) === 0 ? data : 'changed'
  }

  /** Waits until what was written by now is on the disk, then until the journal says so. @throws FileError */
  flush(journal: Uint8Array, at: number): Promise<void> {
    return this.#inTurn(async handle => {
      try {
        await handle.datasync()
        if (this.#flushFault !== undefined) throw this.#flushFault
      } catch (error) {
        throw fileError('write', this.#part, error)
      }
      await this.#journal.write(journal, at)
    })
  }

  /** Waits until the octets are on the disk, and gives the file its name. @throws FileError */
  finish(): Promise<void> {
    return this.#inTurn(async handle => {
      try {
        await handle.sync()
        if (this.#flushFault !== undefined) throw this.#flushFault
        await rename(this.#part, this.#out)
        await syncFolder(dirname(this.#out))
      } catch (error) {
        throw fileError('write', this.#out, error)
      }
      await this.#journal.remove()
    })
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

  /** Closes `OUT.part` and leaves it and its journal where they are; does nothing where there is none. */
  async abandon(): Promise<void> {
    await this.#last
    await this.#close()
    await this.#journal.close()
  }

  #inTurn(step: (handle: FileHandle) => Promise<void>): Promise<void> {
    const done = this.#last.then(() => {
      assert(this.#handle !== undefined, 'a target is prepared before it is flushed')
      return step(this.#handle)
    })
    this.#last = done.catch(() => undefined)
    return done
  }

  async #assertRoom(handle: FileHandle, size: number): Promise<void> {
    const { bavail, bsize, blocks } = await statfs(dirname(this.#part))
    const needed = size - (await handle.stat()).blocks * STAT_BLOCK_BYTES
    // Some network file systems count no blocks at all: there the write that fails will say so.
    if (blocks === 0 || bavail * bsize >= needed) return
    throw new FileError(`can't write ${this.#part}: the disk is full (${needed} octets needed, ${bavail * bsize} free)`)
  }

  async #close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }
}
