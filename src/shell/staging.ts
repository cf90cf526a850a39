// Where a bundle grows until it is whole: a folder `NAME.part` with the octets that have come, by number and not by name, so that
// nothing in it depends on what the manifest calls its files.
//
//   image     the manifest, then the small files one after the other
//   0, 1, ... the large files, by their place in the manifest
//   journal   which blocks are there (spec/journal.md)
//
// Small files share the image, so that flushing thousands of them is one call.
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { piecesOf } from '../content/bundle.js'
import type { Manifest } from '../content/manifest.js'
import { systemDigests } from './entropy.js'
import type { Folder } from './folder.js'
import { JournalFile } from './journal-file.js'
import { readFully } from './read.js'

/** From this size on a file has one of its own here, which only gets its name in the end. */
export const LARGE_BYTES = 1 << 20
const IMAGE = 'image'
const JOURNAL = 'journal'
/** Large files kept open. */
const OPEN_MAX = 32

interface Open {
  readonly handle: Promise<FileHandle>
  users: number
}

/** A run of the bundle's octets in one of the staging's files. */
interface Run {
  readonly name: string
  readonly offset: number
  readonly length: number
  /** Octets from the start of the range. */
  readonly at: number
}

export class Staging {
  readonly folder: Folder
  readonly journal: JournalFile
  readonly #manifest: Manifest
  /** By file, the large ones too: how many octets of the image are before it. */
  readonly #imageAt: Float64Array
  readonly #imageSize: number
  /** By name, the one used longest ago first. */
  readonly #open = new Map<string, Open>()
  /** Written since the last flush. */
  #dirty = new Set<string>()

  constructor(folder: Folder, manifest: Manifest) {
    this.folder = folder
    this.journal = new JournalFile(folder.pathOf(JOURNAL), systemDigests)
    this.#manifest = manifest
    this.#imageAt = new Float64Array(manifest.files.length)
    let at = manifest.headBytes
    manifest.files.forEach(({ size }, file) => {
      this.#imageAt[file] = at
      if (!this.isLarge(file)) at += size
    })
    this.#imageSize = at
  }

  isLarge(file: number): boolean {
    return this.#manifest.files[file]!.size >= LARGE_BYTES
  }

  /** Whether an earlier run left an image of this bundle's. @throws FileError */
  async hasImage(): Promise<boolean> {
    const found = await this.folder.find(IMAGE)
    return found?.kind === 'file' && found.size === this.#imageSize
  }

  /** When any of its files was written last, in milliseconds since 1970. @throws FileError */
  async changedAt(): Promise<number> {
    let last = 0
    for (const octets of await this.folder.names()) {
      const name = octets.toString()
      if (isOurs(name)) last = Math.max(last, (await this.folder.find(name))?.changedAt ?? 0)
    }
    return last
  }

  /** Makes the image. @param keep what an earlier run left; otherwise its journal goes first @throws FileError */
  async prepare(keep: boolean): Promise<void> {
    if (!keep) {
      await this.journal.clear()
      await this.#empty()
    }
    await this.#use(IMAGE, handle => handle.truncate(this.#imageSize))
  }

  /** Writes octets of the bundle. @param data unchanged until this ends @throws FileError or an error of node:fs */
  async write(start: number, data: Uint8Array): Promise<void> {
    for (const { name, offset, length, at } of this.#runs(start, start + data.length)) {
      this.#dirty.add(name)
      await this.#use(name, async handle => {
        for (let done = 0; done < length; ) {
          const { bytesWritten } = await handle.write(data, at + done, length - done, offset + done)
          done += bytesWritten
        }
      })
    }
  }

  /** Reads octets of the bundle. @returns whether all of them are there @throws FileError or an error of node:fs */
  async read(start: number, into: Uint8Array): Promise<boolean> {
    for (const { name, offset, length, at } of this.#runs(start, start + into.length)) {
      const part = into.subarray(at, at + length)
      if ((await this.#use(name, handle => readFully(handle, part, offset))) < length) return false
    }
    return true
  }

  /** Waits until all that was written is on the disk. @throws FileError or an error of node:fs */
  async flush(): Promise<void> {
    const dirty = this.#dirty
    this.#dirty = new Set()
    await Promise.all([...dirty].map(name => this.#use(name, handle => handle.datasync())))
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()]
    this.#open.clear()
    for (const { handle } of all) await handle.then(open => open.close()).catch(() => {})
    await this.journal.close()
  }

  /** @throws FileError */
  async remove(): Promise<void> {
    await this.#empty()
    await this.journal.remove()
  }

  async #empty(): Promise<void> {
    await this.close()
    for (const octets of await this.folder.names()) {
      const name = octets.toString()
      if (isOurs(name)) await this.folder.remove(name)
    }
  }

  #runs(start: number, end: number): readonly Run[] {
    const runs: Run[] = []
    const { headBytes } = this.#manifest
    if (start < headBytes) runs.push({ name: IMAGE, offset: start, length: Math.min(end, headBytes) - start, at: 0 })
    for (const { file, offset, length, at } of piecesOf(this.#manifest, start, end)) {
      const last = runs[runs.length - 1]
      if (this.isLarge(file)) runs.push({ name: `${file}`, offset, length, at })
      else if (last?.name === IMAGE) runs[runs.length - 1] = { ...last, length: last.length + length }
      else runs.push({ name: IMAGE, offset: this.#imageAt[file]! + offset, length, at })
    }
    return runs
  }

  async #use<T>(name: string, act: (handle: FileHandle) => Promise<T>): Promise<T> {
    const known = this.#open.get(name)
    const open = known ?? { handle: this.#openFile(name), users: 0 }
    open.users++
    this.#open.delete(name)
    this.#open.set(name, open)
    if (known === undefined) open.handle.catch(() => this.#open.delete(name))
    this.#closeOldest()
    try {
      return await act(await open.handle)
    } finally {
      open.users--
    }
  }

  async #openFile(name: string): Promise<FileHandle> {
    const isThere = (await this.folder.find(name)) !== undefined
    const mode = this.#manifest.files[Number(name)]?.isExecutable ? 0o777 : 0o666
    return this.folder.openFile(name, constants.O_RDWR | (isThere ? 0 : constants.O_CREAT), mode)
  }

  #closeOldest(): void {
    for (const [name, { handle, users }] of this.#open) {
      if (this.#open.size <= OPEN_MAX) return
      if (users > 0) continue
      this.#open.delete(name)
      void handle.then(open => open.close()).catch(() => {})
    }
  }
}

function isOurs(name: string): boolean {
  return name === IMAGE || /^\d+(?:\.new)?$/.test(name)
}
