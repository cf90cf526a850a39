// Where the files of a content go: into a folder, by a plan, or to a stream, one after the other.
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import type { Digests } from '../ambient.js'
import type { Bitmap } from '../content/bitmap.js'
import { blocksOf } from '../content/bundle.js'
import type { Manifest } from '../content/manifest.js'
import { safeName } from '../content/names.js'
import { FileError } from '../errors.js'
import { BundleTarget } from '../shell/bundle-target.js'
import type { BlockTarget } from '../shell/disk.js'
import { fileError } from '../shell/file-fault.js'
import { Folder } from '../shell/folder.js'
import { type Plan, type PlannedEntry, type Policy, planInto } from '../shell/plan.js'
import { Staging } from '../shell/staging.js'
import { NAME_BYTES_MAX } from '../wire/layout.js'
import type { Offer } from '../wire/message.js'
import { nameOctets } from '../wire/name.js'
import { PlanError } from './errors.js'
import { StreamTarget } from './stream-target.js'

/** What would be written. */
export interface Planned {
  /** The root, in hexadecimal. */
  readonly id: string
  /** By which it was found. */
  readonly name: string
  /** Octets of the files to be written. */
  readonly bytes: number
  /** The folder, absolute; undefined where it goes to a stream. */
  readonly into: string | undefined
  /** Each folder before what is in it. */
  readonly entries: readonly PlannedPath[]
  /** Left out by `taken: 'skip'`, with all that is in it. */
  readonly skipped: Plan['skipped']
}

export interface PlannedPath {
  readonly kind: 'folder' | 'file'
  /** Below `into`: names with `/` between them. */
  readonly path: string
  /** Octets; 0 for a folder. */
  readonly bytes: number
  /** there: a folder that exists, or a file with the very same octets. */
  readonly state: 'new' | 'replaces' | 'there'
}

export interface Delivery {
  readonly planned: Planned
  /** The blocks that it needs; the caller's to change. */
  readonly blocks: Bitmap
  /** Where to write them; undefined where nothing is to be written. Abandoning it is the caller's affair. */
  target(): Promise<BlockTarget | undefined>
  /** Closes what no target took over. */
  close(): Promise<void>
}

export class FolderDelivery implements Delivery {
  readonly planned: Planned
  readonly blocks: Bitmap
  readonly #manifest: Manifest
  readonly #plan: Plan
  readonly #stagingName: string
  readonly #into: string
  #base: Folder | undefined

  /** Looks at the folder, and writes nothing. @throws PlanError; FileError */
  static async plan(
    offer: Offer,
    manifest: Manifest,
    isWanted: (path: string) => boolean,
    policy: Policy,
    into: string,
    digests: Digests,
  ): Promise<FolderDelivery> {
    const reserved = stagingNameOf(offer)
    const base = await openIfThere(into)
    try {
      const plan = await planInto(base, { manifest, isWanted, policy, digests, reserved })
      if (plan.problems.length > 0) throw new PlanError(plan.problems)
      return new FolderDelivery(offer, manifest, plan, reserved, into, base)
    } catch (error) {
      await base?.close()
      throw error
    }
  }

  private constructor(
    offer: Offer,
    manifest: Manifest,
    plan: Plan,
    stagingName: string,
    into: string,
    base: Folder | undefined,
  ) {
    this.#manifest = manifest
    this.#plan = plan
    this.#stagingName = stagingName
    this.#into = into
    this.#base = base
    const written = plan.entries.filter(isWritten)
    const entries = plan.entries.map(entry => plannedPath(entry, manifest))
    const bytes = written.reduce((sum, { file }) => sum + manifest.files[file]!.size, 0)
    this.planned = { id: idOf(offer), name: offer.name, bytes, into, entries, skipped: plan.skipped }
    this.blocks = blocksOf(
      manifest,
      written.map(({ file }) => file),
    )
  }

  async target(): Promise<BlockTarget | undefined> {
    if (this.planned.entries.every(({ state }) => state === 'there')) {
      if (this.#isAll) await this.#removeStaging()
      return undefined
    }
    if (this.#base === undefined) {
      await makeFolders(this.#into).catch(error => {
        throw fileError('make the folder', this.#into, error)
      })
    }
    const base = this.#base ?? (await Folder.open(this.#into))
    this.#base = undefined
    return new BundleTarget({ base, stagingName: this.#stagingName, manifest: this.#manifest, plan: this.#plan })
  }

  async close(): Promise<void> {
    await this.#base?.close()
  }

  /** Nothing of the content was left out. */
  get #isAll(): boolean {
    return this.#plan.entries.filter(({ kind }) => kind === 'file').length === this.#manifest.files.length
  }

  /** An earlier run may have ended when all was in its place and its staging folder not gone yet. @throws FileError */
  async #removeStaging(): Promise<void> {
    const name = this.#stagingName
    if (this.#base === undefined || (await this.#base.find(name))?.kind !== 'folder') return
    const staging = new Staging(await this.#base.folder(name), this.#manifest)
    await staging.remove()
    const isEmpty = (await staging.folder.names()).length === 0
    await staging.folder.close()
    if (isEmpty) await this.#base.remove(name)
  }
}

export class StreamDelivery implements Delivery {
  readonly planned: Planned
  readonly blocks: Bitmap
  readonly #manifest: Manifest
  readonly #files: ReadonlySet<number>
  readonly #to: Writable

  constructor(offer: Offer, manifest: Manifest, isWanted: (path: string) => boolean, to: Writable) {
    const files = [...manifest.files.entries()].filter(([, { path }]) => isWanted(path))
    this.#manifest = manifest
    this.#files = new Set(files.map(([file]) => file))
    this.#to = to
    this.blocks = blocksOf(manifest, this.#files)
    const entries = files.map(([, { path, size }]) => ({ kind: 'file', path, bytes: size, state: 'new' }) as const)
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
    this.planned = { id: idOf(offer), name: offer.name, bytes, into: undefined, entries, skipped: [] }
  }

  async target(): Promise<BlockTarget> {
    const blocks = blocksOf(this.#manifest, this.#files)
    return new StreamTarget({ to: this.#to, manifest: this.#manifest, files: this.#files, blocks })
  }

  async close(): Promise<void> {}
}

function isWritten(entry: PlannedEntry): entry is Extract<PlannedEntry, { kind: 'file' }> {
  return entry.kind === 'file' && entry.state !== 'there'
}

function plannedPath(entry: PlannedEntry, { files }: Manifest): PlannedPath {
  if (entry.kind === 'file') {
    return { kind: 'file', path: entry.path, bytes: files[entry.file]!.size, state: entry.state }
  }
  return { kind: 'folder', path: entry.path, bytes: 0, state: entry.isThere ? 'there' : 'new' }
}

async function openIfThere(path: string): Promise<Folder | undefined> {
  const found = await stat(path).catch(error => {
    if (error.code === 'ENOENT') return undefined
    throw fileError('look at', path, error)
  })
  if (found === undefined) return undefined
  if (!found.isDirectory()) throw new FileError(`can't write into ${path}: it is not a folder`)
  return Folder.open(path)
}

/** As `mkdir` with `recursive`, which under Node 20 never ends where a folder takes none and says that there is no such one. */
async function makeFolders(path: string): Promise<void> {
  const above = dirname(path)
  const isThere = await stat(above).then(
    () => true,
    error => error.code !== 'ENOENT',
  )
  if (!isThere && above !== path) await makeFolders(above)
  await mkdir(path).catch(error => {
    // Somebody else made it just now.
    if (error.code !== 'EEXIST') throw error
  })
}

function stagingNameOf(offer: Offer): string {
  const name = `.${safeName(offer.name)}.part`
  return nameOctets(name).length <= NAME_BYTES_MAX ? name : `.${idOf(offer)}.part`
}

function idOf({ root }: Offer): string {
  return Buffer.from(root).toString('hex')
}
