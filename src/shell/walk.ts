// What a bundle is made of: the files and folders below the paths that are shared. Links are left out, never followed.
import { basename, dirname, resolve } from 'node:path'
import { FileError } from '../errors.js'
import { isName, nameText } from '../wire/name.js'
import { Folder, type Found } from './folder.js'

export interface WalkOptions {
  /** Only files that match, by their paths in the bundle. */
  readonly include?: ((path: string) => boolean) | undefined
  /** Neither these nor what is in them. */
  readonly exclude?: ((path: string) => boolean) | undefined
}

export type WalkedEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly size: number; readonly isExecutable: boolean }

export interface Walk {
  /** Each folder before what is in it. */
  readonly entries: readonly WalkedEntry[]
  /** By the first name of a path: the open folder that it lies in. */
  readonly bases: ReadonlyMap<string, Folder>
  /** Paths of links and of what is no file and no folder. */
  readonly leftOut: readonly string[]
}

/**
 * Looks through the paths.
 *
 * @param paths files and folders, by which the bundle's first names are called; none may be a link
 * @throws FileError where one can't be read or sent, or two have one name
 */
export async function walk(paths: readonly string[], options: WalkOptions = {}): Promise<Walk> {
  const walker = new Walker(options)
  try {
    for (const path of paths) await walker.addTop(path)
    return walker
  } catch (error) {
    for (const folder of walker.bases.values()) await folder.close()
    throw error
  }
}

class Walker implements Walk {
  readonly entries: WalkedEntry[] = []
  readonly bases = new Map<string, Folder>()
  readonly leftOut: string[] = []
  readonly #options: WalkOptions

  constructor(options: WalkOptions) {
    this.#options = options
  }

  async addTop(given: string): Promise<void> {
    const path = resolve(given)
    const name = basename(path)
    if (!isName(name)) throw new FileError(`can't share ${JSON.stringify(given)}: its name can't be sent to others`)
    if (this.bases.has(name)) {
      throw new FileError(`can't share ${given}: another of the paths is called ${name} too; share them one by one`)
    }
    const base = await Folder.open(dirname(path))
    this.bases.set(name, base)
    const found = await base.find(name)
    if (found === undefined) throw new FileError(`can't share ${given}: no such file or folder`)
    if (found.kind === 'link') throw new FileError(`can't share ${given}: it is a symbolic link; name what it leads to`)
    if (found.kind === 'other') throw new FileError(`can't share ${given}: it is neither a file nor a folder`)
    await this.#add(base, name, name, found)
  }

  /** @returns whether the entry, or something in it, is part of the bundle */
  async #add(folder: Folder, name: string, path: string, found: Found): Promise<boolean> {
    if (this.#options.exclude?.(path)) return false
    if (found.kind === 'folder') return this.#addFolder(folder, name, path)
    if (found.kind !== 'file') {
      this.leftOut.push(path)
      return false
    }
    if (this.#options.include?.(path) === false) return false
    this.entries.push({ kind: 'file', path, size: found.size, isExecutable: found.isExecutable })
    return true
  }

  async #addFolder(parent: Folder, name: string, path: string): Promise<boolean> {
    const { include, exclude } = this.#options
    const folder = await parent.folder(name)
    try {
      this.entries.push({ kind: 'folder', path })
      const at = this.entries.length
      // A folder that is included is so with all that is in it.
      const inner = include?.(path) ? new Walker({ exclude }) : this
      for (const octets of await folder.names()) await inner.#addChild(folder, octets, path)
      if (inner !== this) {
        this.entries.push(...inner.entries)
        this.leftOut.push(...inner.leftOut)
      }
      const isWanted = this.entries.length > at || include === undefined || inner !== this
      if (!isWanted) this.entries.pop()
      return isWanted
    } finally {
      await folder.close()
    }
  }

  async #addChild(folder: Folder, octets: Buffer, parent: string): Promise<void> {
    const name = nameText(octets)
    const path = `${parent}/${name === '' ? octets.toString('latin1') : name}`
    if (this.#options.exclude?.(path)) return
    if (!isName(name)) {
      throw new FileError(
        `can't share ${JSON.stringify(path)}: its name can't be sent to others; rename it, or leave it out (--exclude)`,
      )
    }
    const found = await folder.find(name)
    // What vanished between the two looks is not there.
    if (found !== undefined) await this.#add(folder, name, path, found)
  }
}
