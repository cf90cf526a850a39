import { constants } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Digests } from '../ambient.js'
import { JOURNAL_HEAD_BYTES, journalBytesMax, readJournalHead } from '../content/journal.js'
import { fileError } from './file-fault.js'

/** Not through a symbolic link: nothing outside the folder of the target is ever touched. (Windows has no such flag.) */
export const NO_FOLLOW = constants.O_NOFOLLOW ?? 0

/** The journal beside a part: read whole, written from some octet on. */
export class JournalFile {
  readonly #path: string
  readonly #digests: Digests
  #handle: FileHandle | undefined

  constructor(path: string, digests: Digests) {
    this.#path = path
    this.#digests = digests
  }

  /** As much of it as the file that it speaks of can have. @returns undefined where there is none. @throws FileError */
  async read(): Promise<{ readonly octets: Uint8Array; readonly changedAt: number } | undefined> {
    try {
      const handle = await this.#open(constants.O_RDWR)
      if (handle === undefined) return undefined
      const { size, mtimeMs } = await handle.stat()
      const head = await readUpTo(handle, Math.min(size, JOURNAL_HEAD_BYTES))
      const read = readJournalHead(this.#digests, head)
      const octets =
        typeof read === 'string' ? head : await readUpTo(handle, Math.min(size, journalBytesMax(read.size)))
      return { octets, changedAt: mtimeMs }
    } catch (error) {
      throw fileError('read', this.#path, error)
    }
  }

  /** Empties it, if it is there, and waits until the disk knows. @throws FileError */
  async clear(): Promise<void> {
    try {
      const handle = await this.#open(constants.O_RDWR)
      await handle?.truncate(0)
      await handle?.sync()
    } catch (error) {
      throw fileError('write', this.#path, error)
    }
  }

  /** Makes it end with `octets`, which begin at `at`, and waits until they are on the disk. @throws FileError */
  async write(octets: Uint8Array, at: number): Promise<void> {
    try {
      const handle = (await this.#open(constants.O_RDWR | constants.O_CREAT))!
      for (let done = 0; done < octets.length; ) {
        const { bytesWritten } = await handle.write(octets, done, octets.length - done, at + done)
        done += bytesWritten
      }
      await handle.truncate(at + octets.length)
      await handle.datasync()
      if (at === 0) await syncFolder(dirname(this.#path))
    } catch (error) {
      throw fileError('write', this.#path, error)
    }
  }

  /** @throws FileError */
  async remove(): Promise<void> {
    try {
      await this.close()
      await unlink(this.#path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fileError('remove', this.#path, error)
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  /** @returns undefined where there is none and `flags` don't make one */
  async #open(flags: number): Promise<FileHandle | undefined> {
    try {
      this.#handle ??= await open(this.#path, flags | NO_FOLLOW, 0o666)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    return this.#handle
  }
}

/** Waits until the disk knows the names in a folder, where the system can be asked for that. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY).catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}

/** @returns the first `bytes` octets, or what there is of them */
async function readUpTo(handle: FileHandle, bytes: number): Promise<Uint8Array> {
  const octets = new Uint8Array(bytes)
  for (let got = 0; got < bytes; ) {
    const { bytesRead } = await handle.read(octets, got, bytes - got, got)
    if (bytesRead === 0) return octets.subarray(0, got)
    got += bytesRead
  }
  return octets
}
