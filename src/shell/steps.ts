// Paths below folders that are held open, walked name by name without following a link. The folders used last stay open.
import type { FileHandle } from 'node:fs/promises'
import { assert } from '../errors.js'
import type { Folder } from './folder.js'

/** Folders kept open: enough for one that is written and its neighbours, little beside what a process may open. */
const OPEN_MAX = 64

interface Kept {
  readonly folder: Promise<Folder>
  users: number
}

export class Steps {
  readonly #baseOf: (top: string) => Folder
  /** By path, the one used longest ago first. */
  readonly #kept = new Map<string, Kept>()

  /** @param baseOf the open folder in which a path with that first name lies; it stays open as long as this is used */
  constructor(baseOf: (top: string) => Folder) {
    this.#baseOf = baseOf
  }

  /**
   * Does something with the last name of a path in the folder that it lies in.
   *
   * @param path names with `/` between them
   * @throws FileError where a folder on the way is missing, a link or none
   */
  async at<T>(path: string, act: (folder: Folder, name: string) => Promise<T>): Promise<T> {
    const slash = path.lastIndexOf('/')
    const name = path.slice(slash + 1)
    if (slash === -1) return act(this.#baseOf(name), name)
    const kept = this.#keep(path.slice(0, slash))
    try {
      return await act(await kept.folder, name)
    } finally {
      kept.users--
    }
  }

  openFile(path: string, flags: number, mode?: number): Promise<FileHandle> {
    return this.at(path, (folder, name) => folder.openFile(name, flags, mode))
  }

  /** Not while something is being done. */
  async close(): Promise<void> {
    const all = [...this.#kept.values()]
    this.#kept.clear()
    for (const { folder, users } of all) {
      assert(users === 0, 'a folder is in use')
      await folder.then(open => open.close()).catch(() => {})
    }
  }

  #keep(path: string): Kept {
    const known = this.#kept.get(path)
    const kept = known ?? { folder: this.at(path, (parent, name) => parent.folder(name)), users: 0 }
    kept.users++
    this.#kept.delete(path)
    this.#kept.set(path, kept)
    // What could not be opened is tried again the next time.
    if (known === undefined) kept.folder.catch(() => this.#forget(path, kept))
    this.#closeOldest()
    return kept
  }

  #forget(path: string, kept: Kept): void {
    if (this.#kept.get(path) === kept) this.#kept.delete(path)
  }

  #closeOldest(): void {
    for (const [path, { folder, users }] of this.#kept) {
      if (this.#kept.size <= OPEN_MAX) return
      if (users > 0) continue
      this.#kept.delete(path)
      void folder.then(open => open.close()).catch(() => {})
    }
  }
}
