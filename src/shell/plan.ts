// What a collector would write where, known before anything is: each entry of a manifest, its place below the folder that the
// operator named, and what to do where the place is taken or some system can't hold the name.
import { constants } from 'node:fs'
import type { Digests } from '../ambient.js'
import { Leaves } from '../content/leaves.js'
import type { FolderEntry, Manifest, PlacedFile } from '../content/manifest.js'
import { type NameFault, nameFault, numberedName, safeName, twinKey } from '../content/names.js'
import { FullTree } from '../content/tree.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import type { Folder } from './folder.js'
import { readFully } from './read.js'

export interface Policy {
  /** What to do where a path can't be written as it is: `refuse` makes it a problem. */
  readonly taken: 'refuse' | 'overwrite' | 'rename' | 'skip'
  /** Write names that some other system could not hold; never heeded on Windows. */
  readonly anyNames: boolean
}

/** Why a path can't be written as it is. */
export type Obstacle = 'taken' | 'twin' | NameFault

export type PlannedEntry =
  /** A folder to be made, or that is there. */
  | { readonly kind: 'folder'; readonly path: string; readonly isThere: boolean }
  | {
      readonly kind: 'file'
      /** Where it goes: names with `/` between them. */
      readonly path: string
      /** Which of the manifest's files. */
      readonly file: number
      /** there: the very same octets, nothing is to be done. */
      readonly state: 'new' | 'replaces' | 'there'
    }

export interface Plan {
  /** Each folder before what is in it. */
  readonly entries: readonly PlannedEntry[]
  /** Left out, with all that is in it. */
  readonly skipped: readonly { readonly path: string; readonly why: Obstacle }[]
  /** What has to be decided first: with any of these nothing is written. */
  readonly problems: readonly { readonly path: string; readonly why: Obstacle }[]
}

export interface PlanOptions {
  readonly manifest: Manifest
  /** Whether a file or an empty folder is wanted. */
  readonly isWanted: (path: string) => boolean
  readonly policy: Policy
  readonly digests: Digests
  /** A name at the top that is ours to use. */
  readonly reserved?: string
}

/** Looks at the disk, and writes nothing. @param base undefined where it is still to be made @throws FileError where it can't be read */
export async function planInto(base: Folder | undefined, options: PlanOptions): Promise<Plan> {
  const planner = new Planner(options)
  await planner.planFolder('', '', base)
  return planner
}

type Entry = FolderEntry | PlacedFile

/** Where an entry can go, or why it can't. */
type Place =
  | { readonly kind: 'free' | 'there' | 'replaces'; readonly name: string }
  | { readonly kind: 'blocked'; readonly why: Obstacle }

class Planner implements Plan {
  readonly entries: PlannedEntry[] = []
  readonly skipped: { readonly path: string; readonly why: Obstacle }[] = []
  readonly problems: { readonly path: string; readonly why: Obstacle }[] = []
  readonly #options: PlanOptions
  readonly #files: ReadonlyMap<string, number>
  /** By the path of a folder: what of it is wanted. */
  readonly #children = new Map<string, Entry[]>()
  readonly #isStrict: boolean

  constructor(options: PlanOptions) {
    this.#options = options
    const { entries, files } = options.manifest
    this.#files = new Map(files.map((file, i) => [file.path, i]))
    this.#isStrict = !options.policy.anyNames || process.platform === 'win32'
    // From the end, so that a folder comes after what is in it.
    for (const entry of entries.toReversed()) {
      const isWanted = this.#children.has(entry.path) || options.isWanted(entry.path)
      if (!isWanted) continue
      const parent = entry.path.slice(0, Math.max(0, entry.path.lastIndexOf('/')))
      const siblings = this.#children.get(parent)
      if (siblings === undefined) this.#children.set(parent, [entry])
      else siblings.push(entry)
    }
  }

  /** @param folder undefined where it is still to be made */
  async planFolder(path: string, target: string, folder: Folder | undefined): Promise<void> {
    const children = this.#children.get(path)?.toReversed() ?? []
    // By what a name is told apart from others everywhere: who has it.
    const taken = new Map<string, Entry | undefined>()
    if (path === '' && this.#options.reserved !== undefined) taken.set(twinKey(this.#options.reserved), undefined)
    for (const child of children) if (!taken.has(this.#keyOf(child))) taken.set(this.#keyOf(child), child)
    for (const child of children) await this.#planChild(child, target, folder, taken)
  }

  async #planChild(
    entry: Entry,
    target: string,
    folder: Folder | undefined,
    taken: Map<string, Entry | undefined>,
  ): Promise<void> {
    const place = await this.#placeFor(entry, folder, taken)
    if (place.kind === 'blocked') {
      const list = this.#options.policy.taken === 'skip' ? this.skipped : this.problems
      list.push({ path: entry.path, why: place.why })
      return
    }
    const path = target === '' ? place.name : `${target}/${place.name}`
    const isThere = place.kind === 'there'
    if (entry.kind === 'file') {
      const state = isThere ? 'there' : place.kind === 'free' ? 'new' : 'replaces'
      this.entries.push({ kind: 'file', path, file: this.#files.get(entry.path)!, state })
      return
    }
    this.entries.push({ kind: 'folder', path, isThere })
    const inner = isThere ? await folder!.folder(place.name) : undefined
    try {
      await this.planFolder(entry.path, path, inner)
    } finally {
      await inner?.close()
    }
  }

  async #placeFor(entry: Entry, folder: Folder | undefined, taken: Map<string, Entry | undefined>): Promise<Place> {
    const name = nameOf(entry)
    const fault = this.#faultOf(entry, taken)
    if (fault === undefined) {
      const place = await this.#lookAt(name, entry, folder)
      if (place.kind !== 'blocked' || this.#options.policy.taken !== 'rename') return place
    } else if (this.#options.policy.taken !== 'rename') return { kind: 'blocked', why: fault }
    return this.#otherName(entry, folder, taken)
  }

  #faultOf(entry: Entry, taken: ReadonlyMap<string, Entry | undefined>): Obstacle | undefined {
    const fault = this.#isStrict ? nameFault(nameOf(entry)) : undefined
    if (fault !== undefined) return fault
    const key = this.#keyOf(entry)
    if (!taken.has(key) || taken.get(key) === entry) return undefined
    return taken.get(key) === undefined ? 'taken' : 'twin'
  }

  /** The name itself if every system can hold it, else one that they can, and with a number where that is taken too. */
  async #otherName(entry: Entry, folder: Folder | undefined, taken: Map<string, Entry | undefined>): Promise<Place> {
    const safe = this.#isStrict ? safeName(nameOf(entry)) : nameOf(entry)
    for (let number = 1; ; number++) {
      const name = number === 1 ? safe : numberedName(safe, number)
      const key = this.#isStrict ? twinKey(name) : name
      if (taken.has(key) && taken.get(key) !== entry) continue
      const place = await this.#lookAt(name, entry, folder)
      if (place.kind === 'blocked') continue
      taken.set(key, entry)
      return place
    }
  }

  /** What the disk has under a name. */
  async #lookAt(name: string, entry: Entry, folder: Folder | undefined): Promise<Place> {
    const found = await folder?.find(name)
    if (found === undefined) return { kind: 'free', name }
    if (entry.kind === 'folder') {
      return found.kind === 'folder' ? { kind: 'there', name } : { kind: 'blocked', why: 'taken' }
    }
    if (found.kind === 'file' && found.size === entry.size && (await this.#isSame(folder!, name, entry))) {
      return { kind: 'there', name }
    }
    const mayReplace = this.#options.policy.taken === 'overwrite' && (found.kind === 'file' || found.kind === 'link')
    return mayReplace ? { kind: 'replaces', name } : { kind: 'blocked', why: 'taken' }
  }

  async #isSame(folder: Folder, name: string, { size, root }: PlacedFile): Promise<boolean> {
    const { digests } = this.#options
    const handle = await folder.openFile(name, constants.O_RDONLY)
    try {
      const leaves = new Leaves(digests, size)
      const buffer = new Uint8Array(Math.min(16 * BLOCK_BYTES, size))
      for (let start = 0; start < size; start += buffer.length) {
        const data = buffer.subarray(0, Math.min(buffer.length, size - start))
        if ((await readFully(handle, data, start)) < data.length) return false
        leaves.add(data)
      }
      const found = new FullTree(digests, size, leaves.finish()).root
      return found.every((octet, i) => octet === root[i])
    } finally {
      await handle.close()
    }
  }

  #keyOf(entry: Entry): string {
    return this.#isStrict ? twinKey(nameOf(entry)) : nameOf(entry)
  }
}

function nameOf(entry: Entry): string {
  return entry.path.slice(entry.path.lastIndexOf('/') + 1)
}
