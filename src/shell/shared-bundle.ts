// A bundle that this process offers: its files, read through once, then block by block, each checked.
import { constants } from 'node:fs'
import type { Digests } from '../ambient.js'
import { type Piece, piecesOf } from '../content/bundle.js'
import { FileLayout } from '../content/layout.js'
import { Leaves } from '../content/leaves.js'
import {
  decodeManifest,
  type Entry,
  encodeManifest,
  type FileEntry,
  type Manifest,
  type ManifestFault,
  PATH_BYTES_MAX,
  sorted,
} from '../content/manifest.js'
import { FullTree, leafHash } from '../content/tree.js'
import { assert, FileError } from '../errors.js'
import { type BlockIndex, blockIndex } from '../units.js'
import { BLOCK_BYTES, HASH_BYTES } from '../wire/layout.js'
import type { Offer } from '../wire/message.js'
import { faultWords } from './file-fault.js'
import type { Folder } from './folder.js'
import { inParallel } from './parallel.js'
import { readFully } from './read.js'
import type { SharedContent } from './shared-file.js'
import { Steps } from './steps.js'
import type { Walk, WalkedEntry } from './walk.js'

/** Read at once when a file is hashed: large enough that the disk, not the call, sets the pace. */
const READ_BYTES = 16 * BLOCK_BYTES
/** Files of one block, which may hold thousands of small ones. */
const READS_AT_ONCE = 8
const NO_ROOT = new Uint8Array(HASH_BYTES)

const TOO_MUCH: Readonly<Partial<Record<ManifestFault, string>>> = {
  count: 'it has more than 262,144 files and folders',
  length: 'the names of its files take more than 32 MiB',
  depth: 'its folders are more than 128 deep',
  path: `a path in it is longer than ${PATH_BYTES_MAX} octets`,
  paths: 'its paths take more than 64 MiB',
  size: 'it is larger than 1 TiB',
}

export class SharedBundle implements SharedContent {
  readonly offer: Offer
  readonly tree: FullTree
  readonly manifest: Manifest
  readonly #head: Uint8Array
  readonly #steps: Steps
  readonly #bases: Iterable<Folder>
  readonly #layout: FileLayout
  readonly #digests: Digests

  constructor(name: string, head: Uint8Array, tree: FullTree, walked: Walk, steps: Steps, digests: Digests) {
    const manifest = decodeManifest(head, tree.size)
    assert(!('kind' in manifest), 'a manifest of our own is well-formed')
    this.offer = { name, size: tree.size, root: tree.root }
    this.tree = tree
    this.manifest = manifest
    this.#head = head
    this.#steps = steps
    this.#bases = walked.bases.values()
    this.#layout = new FileLayout(tree.size)
    this.#digests = digests
  }

  /** Every block is compared with its hash, whatever would be enough. */
  async readBlocks(first: BlockIndex, into: readonly Uint8Array[]): Promise<readonly (Uint8Array | string)[]> {
    const blocks: (Uint8Array | string)[] = []
    for (const [i, memory] of into.entries()) blocks.push(await this.#readBlock(blockIndex(first + i), memory))
    return blocks
  }

  async close(): Promise<void> {
    await this.#steps.close()
    for (const base of this.#bases) await base.close()
  }

  async #readBlock(block: BlockIndex, memory: Uint8Array): Promise<Uint8Array | string> {
    const start = this.#layout.blockStart(block)
    const data = memory.subarray(0, this.#layout.blockBytes(block))
    data.set(this.#head.subarray(start, start + data.length))
    const pieces = piecesOf(this.manifest, start, start + data.length)
    let fault: string | undefined
    await inParallel(pieces, READS_AT_ONCE, async piece => {
      if (fault === undefined) fault = await this.#readPiece(piece, data)
    })
    if (fault !== undefined) return fault
    if (Buffer.compare(leafHash(this.#digests, data), this.tree.leaf(block)!) === 0) return data
    const [first, last] = [pieces[0], pieces.at(-1)].map(piece => piece && this.manifest.files[piece.file]!.path)
    return first === last ? `changed: ${first}` : `changed: one of ${first} to ${last}`
  }

  /** @returns why its octets can't be had */
  async #readPiece({ file, offset, length, at }: Piece, into: Uint8Array): Promise<string | undefined> {
    const { path } = this.manifest.files[file]!
    try {
      const handle = await this.#steps.openFile(path, constants.O_RDONLY)
      try {
        const got = await readFully(handle, into.subarray(at, at + length), offset)
        return got < length ? `changed: ${path}` : undefined
      } finally {
        await handle.close()
      }
    } catch (error) {
      return error instanceof FileError ? error.message : `unreadable: ${path}: ${faultWords(error)}`
    }
  }
}

/**
 * Hashes what a walk found, each octet read once.
 *
 * @param name of the offer
 * @throws FileError where a file can't be read or changes meanwhile, or it is more than a bundle holds
 */
export async function openBundle(name: string, walked: Walk, digests: Digests): Promise<SharedBundle> {
  const steps = new Steps(top => walked.bases.get(top)!)
  try {
    const found = sorted(walked.entries)
    if (found.length === 0)
      throw new FileError(`can't share ${name}: what to include and to exclude leaves nothing of it`)
    // As long as the one with the roots, which are known when all is read.
    const draft = manifestOf(name, found.map(withoutRoot))
    const size = found.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.size : 0), draft.length)
    const leaves = new Leaves(digests, size, draft.length)
    const entries: Entry[] = []
    const buffer = new Uint8Array(READ_BYTES)
    for (const entry of found) {
      if (entry.kind === 'folder') entries.push(entry)
      else entries.push(await hashFile(entry, steps, buffer, leaves, digests))
    }
    const head = manifestOf(name, entries)
    return new SharedBundle(name, head, new FullTree(digests, size, leaves.finish(head)), walked, steps, digests)
  } catch (error) {
    await steps.close()
    for (const base of walked.bases.values()) await base.close()
    throw error
  }
}

async function hashFile(
  entry: Extract<WalkedEntry, { kind: 'file' }>,
  steps: Steps,
  buffer: Uint8Array,
  bundle: Leaves,
  digests: Digests,
): Promise<FileEntry> {
  const { path, size } = entry
  const handle = await steps.openFile(path, constants.O_RDONLY)
  try {
    const before = await handle.stat({ bigint: true })
    const leaves = new Leaves(digests, size)
    for (let start = 0; start < size; start += buffer.length) {
      const data = buffer.subarray(0, Math.min(buffer.length, size - start))
      if ((await readFully(handle, data, start)) < data.length) throw changes(path)
      leaves.add(data)
      bundle.add(data)
    }
    const after = await handle.stat({ bigint: true })
    if (before.size !== BigInt(size) || after.size !== before.size || after.mtimeNs !== before.mtimeNs) {
      throw changes(path)
    }
    return { ...entry, root: new FullTree(digests, size, leaves.finish()).root }
  } catch (error) {
    throw error instanceof FileError ? error : new FileError(`can't read ${path}: ${faultWords(error)}`)
  } finally {
    await handle.close()
  }
}

function manifestOf(name: string, entries: readonly Entry[]): Uint8Array {
  const manifest = encodeManifest(entries)
  if (manifest instanceof Uint8Array) return manifest
  const why = TOO_MUCH[manifest.reason]
  assert(why !== undefined, `a manifest of our own breaks the rule "${manifest.reason}"`)
  throw new FileError(`can't share ${name}: ${why}; share parts of it, or pack it: tar c ... | peer-udp share -`)
}

function withoutRoot(entry: WalkedEntry): Entry {
  return entry.kind === 'folder' ? entry : { ...entry, root: NO_ROOT }
}

function changes(path: string): FileError {
  return new FileError(`can't share ${path}: it changes while it is read`)
}
