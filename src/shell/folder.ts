// A folder that is held open, and its names one step at a time. No step follows a link: whatever is swapped on the disk
// meanwhile, nothing outside is read or written.
//
// Linux: a path through /proc/self/fd begins at the open folder itself, wherever it was moved to, as openat(2) does. There a step
// can't be misled. Elsewhere Node has no such call: the folder's own path is used, and before and after each step it is
// checked that every folder on it is still the one that was opened. Who swaps a folder there and back within one step is
// not seen.
import { constants, existsSync, type Stats, type StatsBase } from 'node:fs'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { FileError } from '../errors.js'
import { fileError } from './file-fault.js'

const PROC = '/proc/self/fd'
/** Undefined on Windows: there a folder can't be opened, and a link is found by the checks alone. */
const NO_FOLLOW: number | undefined = constants.O_NOFOLLOW

/** What stands behind a name; links are not followed. */
export interface Found {
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  /** Octets. */
  readonly size: number
  readonly isExecutable: boolean
  /** Of its content, milliseconds since 1970. */
  readonly changedAt: number
}

const NO_HARD_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])
const WORDS: Readonly<Record<Found['kind'], string>> = {
  file: 'it is not a folder',
  folder: 'it is a folder',
  link: 'it is a symbolic link',
  other: 'it is not a plain file',
}

export interface FolderOptions {
  /** Whether to step through /proc/self/fd; by default where it is there. */
  readonly viaProc?: boolean
}

interface Identity {
  readonly dev: bigint
  readonly ino: bigint
}

export class Folder {
  /** For people. */
  readonly path: string
  readonly #parent: Folder | undefined
  readonly #handle: fs.FileHandle | undefined
  readonly #identity: Identity
  readonly #viaProc: boolean

  private constructor(
    path: string,
    parent: Folder | undefined,
    handle: fs.FileHandle | undefined,
    identity: Identity,
    viaProc: boolean,
  ) {
    this.path = path
    this.#parent = parent
    this.#handle = handle
    this.#identity = identity
    this.#viaProc = viaProc
  }

  /** A folder that the operator named: its own path may lead through links. @throws FileError */
  static async open(path: string, { viaProc = existsSync(PROC) }: FolderOptions = {}): Promise<Folder> {
    try {
      const real = await fs.realpath(path)
      return await Folder.#openAt(real, real, undefined, viaProc)
    } catch (error) {
      throw asFileError('open the folder', path, error)
    }
  }

  /** @throws FileError where it is missing, no folder, or a link */
  async folder(name: string): Promise<Folder> {
    const path = join(this.path, name)
    try {
      return await this.#step(name, at => Folder.#openAt(at, path, this, this.#viaProc))
    } catch (error) {
      throw asFileError('open the folder', path, error)
    }
  }

  /** The folder of that name, made where there is none. @throws FileError */
  async makeFolder(name: string): Promise<Folder> {
    try {
      await this.#step(name, at => fs.mkdir(at))
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw asFileError('make the folder', join(this.path, name), error)
    }
    return this.folder(name)
  }

  /**
   * Opens a plain file of the folder.
   *
   * @param flags of node:fs; with O_CREAT it must not be there yet
   * @throws FileError
   */
  async openFile(name: string, flags: number, mode = 0o666): Promise<fs.FileHandle> {
    const isMade = (flags & constants.O_CREAT) !== 0
    try {
      return await this.#step(name, at => (isMade ? fs.open(at, flags | constants.O_EXCL, mode) : openPlain(at, flags)))
    } catch (error) {
      throw asFileError(isMade ? 'make' : 'open', join(this.path, name), error)
    }
  }

  /** @returns undefined where there is nothing of that name @throws FileError */
  async find(name: string): Promise<Found | undefined> {
    try {
      const stats = await this.#step(name, at => fs.lstat(at))
      const { size, mode, mtimeMs } = stats
      return { kind: kindOf(stats), size, isExecutable: (mode & 0o111) !== 0, changedAt: mtimeMs }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw asFileError('read', join(this.path, name), error)
    }
  }

  /** Names as the disk has them, as octets: not all of them need be text. @throws FileError */
  async names(): Promise<Buffer[]> {
    try {
      return await this.#step('', at => fs.readdir(at, { encoding: 'buffer' }))
    } catch (error) {
      throw asFileError('read the folder', this.path, error)
    }
  }

  /**
   * Gives a file its place in another folder of the same disk, at once and whole. Where the disk has hard links it keeps the
   * name that it had, too.
   *
   * @param replace whether what is there may be replaced; a link is replaced itself, not what it leads to
   * @returns false where something is there and may not be replaced
   * @throws FileError
   */
  async place(name: string, to: Folder, newName: string, replace: boolean): Promise<boolean> {
    try {
      return await this.#step(name, at =>
        to.#step(newName, toAt => (replace ? placeOver(at, toAt) : placeFree(at, toAt))),
      )
    } catch (error) {
      throw asFileError('write', join(to.path, newName), error)
    }
  }

  /** Removes a file or an empty folder; nothing where there is none. @throws FileError */
  async remove(name: string): Promise<void> {
    try {
      await this.#step(name, at =>
        fs.unlink(at).catch(error => {
          // What POSIX calls EPERM, Linux calls EISDIR.
          if (codeOf(error) === 'EISDIR' || codeOf(error) === 'EPERM') return fs.rmdir(at)
          throw error
        }),
      )
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw asFileError('remove', join(this.path, name), error)
    }
  }

  /** Waits until the disk knows the names in it, where the system can be asked for that. */
  async sync(): Promise<void> {
    await this.#handle?.sync().catch(() => {})
  }

  /**
   * A path to a name in it, for who opens files by paths. On Linux it leads to this very folder as long as it is open; elsewhere
   * it is not checked.
   */
  pathOf(name: string): string {
    return this.#viaProc ? `${PROC}/${this.#handle!.fd}/${name}` : join(this.path, name)
  }

  /** Octets that may still be written to its disk; undefined where the system does not say. */
  async room(): Promise<number | undefined> {
    const { bavail, bsize, blocks } = await fs.statfs(this.pathOf(''))
    // Some network file systems count no blocks at all.
    return blocks > 0 ? bavail * bsize : undefined
  }

  async close(): Promise<void> {
    await this.#handle?.close()
  }

  static async #openAt(at: string, path: string, parent: Folder | undefined, viaProc: boolean): Promise<Folder> {
    if (NO_FOLLOW === undefined) {
      const stats = await fs.lstat(at, { bigint: true })
      if (!stats.isDirectory()) throw new Error(WORDS[kindOf(stats)])
      return new Folder(path, parent, undefined, stats, false)
    }
    const handle = await fs.open(at, constants.O_RDONLY | constants.O_DIRECTORY | NO_FOLLOW).catch(async error => {
      // The system says no more than that it is no folder.
      if (codeOf(error) === 'ENOTDIR') throw new Error(WORDS[kindOf(await fs.lstat(at))])
      throw error
    })
    try {
      return new Folder(path, parent, handle, await handle.stat({ bigint: true }), viaProc)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Does something to `name` in this very folder. */
  async #step<T>(name: string, act: (at: string) => Promise<T>): Promise<T> {
    if (this.#viaProc) return act(this.pathOf(name))
    await this.#assertUnmoved()
    const result = await act(join(this.path, name))
    await this.#assertUnmoved()
    return result
  }

  /** From the top down, so that a link in the middle is found before what lies behind it. */
  async #assertUnmoved(): Promise<void> {
    if (this.#parent !== undefined) await this.#parent.#assertUnmoved()
    const { dev, ino } = this.#identity
    const stats = await fs.lstat(this.path, { bigint: true })
    if (stats.dev !== dev || stats.ino !== ino || !stats.isDirectory()) {
      throw new FileError(`${this.path} is another folder than before: something moves folders meanwhile`)
    }
  }
}

/** Where the disk has no hard links, something that comes within the same microseconds may be replaced. */
async function placeFree(at: string, toAt: string): Promise<boolean> {
  const linked = await tryLink(at, toAt)
  if (linked !== 'unsupported') return linked === 'done'
  if (await fs.lstat(toAt).catch(() => undefined)) return false
  await fs.rename(at, toAt)
  return true
}

async function placeOver(at: string, toAt: string): Promise<boolean> {
  const second = `${at}.new`
  const linked = await tryLink(at, second)
  await fs.rename(linked === 'unsupported' ? at : second, toAt)
  return true
}

async function tryLink(at: string, toAt: string): Promise<'done' | 'taken' | 'unsupported'> {
  try {
    await fs.link(at, toAt)
    return 'done'
  } catch (error) {
    const code = codeOf(error) ?? ''
    if (code === 'EEXIST') return 'taken'
    if (NO_HARD_LINKS.has(code)) return 'unsupported'
    throw error
  }
}

/** A pipe is opened without a wait for its other end, and closed again. */
async function openPlain(at: string, flags: number): Promise<fs.FileHandle> {
  if (NO_FOLLOW === undefined) assertPlain(await fs.lstat(at))
  const handle = await fs.open(at, flags | (NO_FOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  try {
    assertPlain(await handle.stat())
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

function assertPlain(stats: Stats): void {
  if (!stats.isFile()) throw new Error(WORDS[kindOf(stats)])
}

function kindOf(stats: StatsBase<number | bigint>): Found['kind'] {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'folder'
  return stats.isSymbolicLink() ? 'link' : 'other'
}

function asFileError(doing: string, path: string, error: unknown): FileError {
  return error instanceof FileError ? error : fileError(doing, path, error)
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
