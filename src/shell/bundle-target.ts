// Where `peer-udp get` writes: a staging folder while the content grows, then every file at its planned place.
import { constants } from 'node:fs'
import type { Digests } from '../ambient.js'
import { piecesOf } from '../content/bundle.js'
import { FileLayout } from '../content/layout.js'
import type { Manifest } from '../content/manifest.js'
import { leafHash } from '../content/tree.js'
import { assert, FileError } from '../errors.js'
import type { FoundPart } from '../transfer/effect.js'
import type { BlockIndex } from '../units.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import type { BlockTarget } from './disk.js'
import { makeDurable } from './durable.js'
import { faultWords } from './file-fault.js'
import type { Folder } from './folder.js'
import { inParallel } from './parallel.js'
import type { Plan, PlannedEntry } from './plan.js'
import { readFully } from './read.js'
import { Staging } from './staging.js'
import { Steps } from './steps.js'

/** Files put in place at once: the system works on some while others wait for it. */
const FILES_AT_ONCE = 8

type PlannedFile = Extract<PlannedEntry, { kind: 'file' }>

export interface BundleTargetOptions {
  /** The folder that the operator named; it is closed with the target. */
  readonly base: Folder
  /** Of the staging folder in it. */
  readonly stagingName: string
  readonly manifest: Manifest
  readonly plan: Plan
}

export class BundleTarget implements BlockTarget {
  readonly #options: BundleTargetOptions
  readonly #layout: FileLayout
  readonly #steps: Steps
  #staging: Staging | undefined
  /** Flushes and the end come one after the other. */
  #last: Promise<void> = Promise.resolve()
  /** Files go to their places, or are there. */
  #isPlacing = false
  /** Of blocks, while they are in the staging folder. */
  readonly #reads = new Set<Promise<unknown>>()
  /** Paths by file, once any is read there. */
  #placeOf: ReadonlyMap<number, string> | undefined

  constructor(options: BundleTargetOptions) {
    this.#options = options
    this.#layout = new FileLayout(options.manifest.size)
    this.#steps = new Steps(() => options.base)
  }

  /** What an earlier run left, which stays as it is; undefined where there is nothing. @throws FileError */
  async find(): Promise<FoundPart | undefined> {
    const { base, stagingName, manifest } = this.#options
    if ((await base.find(stagingName)) === undefined) return undefined
    this.#staging = new Staging(await base.folder(stagingName), manifest)
    const journal = await this.#staging.journal.read()
    const changedAfter = journal === undefined ? 0 : (await this.#staging.changedAt()) - journal.changedAt
    return { bytes: (await this.#staging.hasImage()) ? manifest.size : 0, journal: journal?.octets, changedAfter }
  }

  /** Makes the staging folder and what is in it. @param keep what an earlier run left @throws FileError */
  async prepare(size: number, keep: boolean): Promise<void> {
    const { base, stagingName, manifest, plan } = this.#options
    assert(size === manifest.size, 'the target is for this very content')
    const needed = plan.entries.reduce((sum, entry) => sum + this.#bytesToWrite(entry), 0)
    const room = await base.room()
    if (!keep && room !== undefined && room < needed) {
      throw new FileError(`can't write into ${base.path}: the disk is full (${needed} octets needed, ${room} free)`)
    }
    this.#staging ??= new Staging(await base.makeFolder(stagingName), manifest)
    await this.#guard(this.#staging.prepare(keep))
  }

  /** Writes neighbouring blocks. @param blocks unchanged until this ends @throws FileError */
  async writeBlocks(first: BlockIndex, blocks: readonly Uint8Array[]): Promise<void> {
    for (const [i, data] of blocks.entries()) {
      await this.#guard(this.#prepared.write((first + i) * BLOCK_BYTES, data))
    }
  }

  /**
   * When everything is in its place, from there: not blocks of the manifest, nor of files that were left out.
   *
   * @param into BLOCK_BYTES that are read into
   * @returns the block's octets, or why there are none
   */
  async readBlock(
    block: BlockIndex,
    leaf: Uint8Array,
    digests: Digests,
    into: Uint8Array = new Uint8Array(BLOCK_BYTES),
  ): Promise<Uint8Array | string> {
    const data = into.subarray(0, this.#layout.blockBytes(block))
    try {
      if (!(await this.#read(block * BLOCK_BYTES, data))) return 'changed'
    } catch (error) {
      return `unreadable: ${error instanceof FileError ? error.message : faultWords(error)}`
    }
    return Buffer.compare(leafHash(digests, data), leaf) === 0 ? data : 'changed'
  }

  /** Waits until what was written by now is on the disk, then until the journal says so. @throws FileError */
  flush(journal: Uint8Array, at: number): Promise<void> {
    return this.#inTurn(async staging => {
      await this.#guard(staging.flush())
      await staging.journal.write(journal, at)
    })
  }

  /** Puts every file in its place, and removes the staging folder. @throws FileError */
  finish(): Promise<void> {
    return this.#inTurn(staging => this.#putInPlace(staging))
  }

  async #putInPlace(staging: Staging): Promise<void> {
    const { base, stagingName, plan } = this.#options
    this.#isPlacing = true
    await Promise.all(this.#reads)
    await this.#guard(staging.flush())
    for (const { kind, path } of plan.entries) {
      if (kind !== 'folder') continue
      await this.#steps.at(path, async (folder, name) => (await folder.makeFolder(name)).close())
    }
    const files = plan.entries.filter(isToBeWritten)
    await inParallel(files, FILES_AT_ONCE, file => this.#placeFile(file))
    const small = files.filter(({ file }) => !staging.isLarge(file)).map(({ path }) => path)
    await makeDurable(small, this.#steps, base.path)
    await staging.remove()
    await staging.folder.close()
    this.#staging = undefined
    await base.remove(stagingName)
    await base.sync()
  }

  /** Closes everything, and leaves the staging folder where it is. */
  async abandon(): Promise<void> {
    await this.#last
    const staging = this.#staging
    this.#staging = undefined
    await staging?.close()
    await staging?.folder.close()
    await this.#steps.close()
    await this.#options.base.close()
  }

  /** A flush that began is over before the next one, and before the end. */
  #inTurn(act: (staging: Staging) => Promise<void>): Promise<void> {
    const turn = this.#last.then(() => act(this.#prepared))
    this.#last = turn.catch(() => {})
    return turn
  }

  get #prepared(): Staging {
    assert(this.#staging !== undefined, 'a target is prepared before it is used')
    return this.#staging
  }

  /** @returns whether all octets are there */
  async #read(start: number, into: Uint8Array): Promise<boolean> {
    if (this.#isPlacing) {
      await this.#last
      return this.#readPlaced(start, into)
    }
    const reading = this.#prepared.read(start, into)
    const settled = reading.catch(() => {})
    this.#reads.add(settled)
    try {
      return await reading
    } finally {
      this.#reads.delete(settled)
    }
  }

  async #readPlaced(start: number, into: Uint8Array): Promise<boolean> {
    const { manifest } = this.#options
    if (start < manifest.headBytes) return false
    this.#placeOf ??= new Map(this.#options.plan.entries.filter(isFile).map(({ file, path }) => [file, path]))
    for (const { file, offset, length, at } of piecesOf(manifest, start, start + into.length)) {
      const path = this.#placeOf.get(file)
      if (path === undefined) return false
      const handle = await this.#steps.openFile(path, constants.O_RDONLY)
      try {
        if ((await readFully(handle, into.subarray(at, at + length), offset)) < length) return false
      } finally {
        await handle.close()
      }
    }
    return true
  }

  async #placeFile({ file, path, state }: PlannedFile): Promise<void> {
    const staging = this.#prepared
    const name = `${file}`
    if (!staging.isLarge(file)) await this.#guard(this.#copyFromImage(file))
    const isPlaced = await this.#steps.at(path, (folder, newName) =>
      staging.folder.place(name, folder, newName, state === 'replaces'),
    )
    if (!isPlaced) {
      throw new FileError(`can't write ${path}: something came there meanwhile; run it again to see what can be done`)
    }
    if (!staging.isLarge(file)) await staging.folder.remove(name)
  }

  async #copyFromImage(file: number): Promise<void> {
    const { start, size, isExecutable } = this.#options.manifest.files[file]!
    const { folder } = this.#prepared
    const mode = isExecutable ? 0o777 : 0o666
    const data = new Uint8Array(size)
    if (!(await this.#prepared.read(start, data))) throw new FileError(`${folder.path} was changed by others`)
    const make = () => folder.openFile(`${file}`, constants.O_WRONLY | constants.O_CREAT, mode)
    const handle = await make().catch(async () => {
      // One that was half written when an earlier run ended.
      await folder.remove(`${file}`)
      return make()
    })
    try {
      await handle.writeFile(data)
    } finally {
      await handle.close()
    }
  }

  #bytesToWrite(entry: PlannedEntry): number {
    return isToBeWritten(entry) ? this.#options.manifest.files[entry.file]!.size : 0
  }

  /** Says of an error from the disk where it came up. */
  async #guard<T>(operation: Promise<T>): Promise<T> {
    try {
      return await operation
    } catch (error) {
      if (error instanceof FileError) throw error
      throw new FileError(`can't write ${this.#options.base.path}/${this.#options.stagingName}: ${faultWords(error)}`)
    }
  }
}

function isFile(entry: PlannedEntry): entry is PlannedFile {
  return entry.kind === 'file'
}

function isToBeWritten(entry: PlannedEntry): entry is PlannedFile {
  return isFile(entry) && entry.state !== 'there'
}
