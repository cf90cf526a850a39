// A file that this process offers: read through once, then block by block, each checked.
import { constants, fstatSync } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { Digests } from '../ambient.js'
import { FileLayout } from '../content/layout.js'
import { FullTree, leafHash } from '../content/tree.js'
import { FileError } from '../errors.js'
import type { BlockCheck } from '../transfer/effect.js'
import { type BlockIndex, blockIndex } from '../units.js'
import { BLOCK_BYTES, FILE_BYTES_MAX, HASH_BYTES } from '../wire/layout.js'
import type { Offer } from '../wire/message.js'
import { isName } from '../wire/name.js'
import { faultWords, fileError } from './file-fault.js'
import { behind } from './memory-run.js'
import { readFully } from './read.js'

/** Read at once when a file is hashed: large enough that the disk, not the call, sets the pace. */
const READ_BYTES = 16 * BLOCK_BYTES

/** A file written to less long ago could be written to again without a new time: those tick, some systems' every two seconds. */
const SETTLED_MS = 2_000

/** What this process offers. */
export interface SharedContent {
  readonly offer: Offer
  readonly tree: FullTree
  /**
   * Reads neighbouring blocks at once, as many as there is memory.
   *
   * @param into BLOCK_BYTES for each block
   * @param check what is enough; blocks of what changed are compared with their hashes all the same
   * @returns the octets of each block, or why there are none: something changed, or the disk fails
   */
  readBlocks(
    first: BlockIndex,
    into: readonly Uint8Array[],
    check: BlockCheck,
  ): Promise<readonly (Uint8Array | string)[]>
  close(): Promise<void>
}

/** A file that this process offers, read through once so that every block can be checked from then on. */
export class SharedFile implements SharedContent {
  readonly offer: Offer
  readonly tree: FullTree
  readonly #handle: FileHandle
  readonly #layout: FileLayout
  readonly #digests: Digests
  /** Of the file as it was hashed; undefined where that says nothing. */
  readonly #stamp: string | undefined

  constructor(handle: FileHandle, name: string, tree: FullTree, digests: Digests, stamp: string | undefined) {
    this.offer = { name, size: tree.size, root: tree.root }
    this.tree = tree
    this.#handle = handle
    this.#layout = new FileLayout(tree.size)
    this.#digests = digests
    this.#stamp = stamp
  }

  /**
   * Reads neighbouring blocks at once, as many as there is memory. Blocks of a file that changed are compared with their hashes,
   * whatever `check` says.
   *
   * @param into BLOCK_BYTES for each block
   * @returns the octets of each block, or why there are none: the file changed, or the disk fails
   */
  async readBlocks(
    first: BlockIndex,
    into: readonly Uint8Array[],
    check: BlockCheck,
  ): Promise<readonly (Uint8Array | string)[]> {
    const blocks = into.map((memory, i) => memory.subarray(0, this.#layout.blockBytes(blockIndex(first + i))))
    try {
      const wanted = blocks.reduce((sum, block) => sum + block.length, 0)
      const got = await readvFully(this.#handle, blocks, this.#layout.blockStart(first))
      const isTrusted = check === 'times' && got === wanted && this.#isAsHashed()
      return blocks.map((block, i) => {
        const isThere = i * BLOCK_BYTES + block.length <= got
        return isTrusted || (isThere && this.#matches(blockIndex(first + i), block)) ? block : 'changed'
      })
    } catch (error) {
      return into.map(() => `unreadable: ${faultWords(error)}`)
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  #isAsHashed(): boolean {
    return this.#stamp !== undefined && stampOf(this.#handle) === this.#stamp
  }

  #matches(block: BlockIndex, octets: Uint8Array): boolean {
    return Buffer.compare(leafHash(this.#digests, octets), this.tree.leaf(block)!) === 0
  }
}

/** Changes whenever someone writes to the file. */
function stampOf(handle: FileHandle): string {
  // The file is open: this waits for no disk, and is done before a thread would have been woken for it.
  const { size, mtimeNs, ctimeNs } = fstatSync(handle.fd, { bigint: true })
  return `${size} ${mtimeNs} ${ctimeNs}`
}

/**
 * Opens a file and hashes it whole.
 *
 * @param name it is offered by; by default its own
 * @throws FileError where it is missing, no plain file, unreadable, too large, or changes meanwhile
 */
export async function openShared(path: string, digests: Digests, name = basename(resolve(path))): Promise<SharedFile> {
  if (!isName(name)) throw new FileError(`can't share ${JSON.stringify(path)}: its name can't be sent to others`)
  const handle = await openPlainFile(path)
  try {
    const { size: found, mtimeMs } = await handle.stat()
    if (found > FILE_BYTES_MAX) throw new FileError(`can't share ${path}: it is larger than 1 TiB`)
    const before = stampOf(handle)
    const isSettled = Date.now() - mtimeMs > SETTLED_MS
    const leaves = await hashBlocks(handle, found, digests)
    if (leaves === undefined || stampOf(handle) !== before) {
      throw new FileError(`can't share ${path}: it changes while it is read`)
    }
    return new SharedFile(handle, name, new FullTree(digests, found, leaves), digests, isSettled ? before : undefined)
  } catch (error) {
    await handle.close()
    throw error instanceof FileError ? error : fileError('read', path, error)
  }
}

async function openPlainFile(path: string): Promise<FileHandle> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw new FileError(`can't share ${path}: it is a folder`)
    // To open a pipe would wait for its other end.
    if (!found.isFile()) throw new FileError(`can't share ${path}: it is not a plain file`)
    return await open(path, constants.O_RDONLY)
  } catch (error) {
    throw error instanceof FileError ? error : fileError('read', path, error)
  }
}

/** The leaf hashes of all blocks; undefined where the file ends before `size`. */
async function hashBlocks(handle: FileHandle, size: number, digests: Digests): Promise<Uint8Array | undefined> {
  const layout = new FileLayout(size)
  const leaves = new Uint8Array(layout.blockCount * HASH_BYTES)
  const buffer = new Uint8Array(Math.min(READ_BYTES, size))
  for (let start = 0; start < size; start += READ_BYTES) {
    const data = buffer.subarray(0, Math.min(READ_BYTES, size - start))
    if ((await readFully(handle, data, start)) < data.length) return undefined
    for (let at = 0; at < data.length; at += BLOCK_BYTES) {
      const block = layout.blockAt(start + at)
      leaves.set(leafHash(digests, data.subarray(at, at + layout.blockBytes(block))), block * HASH_BYTES)
    }
  }
  return leaves
}

/** As `readFully`, into several pieces of memory one after the other. */
async function readvFully(handle: FileHandle, into: readonly Uint8Array[], position: number): Promise<number> {
  let got = 0
  for (let left = [...into]; left.length > 0; ) {
    const { bytesRead } = await handle.readv(left, position + got)
    if (bytesRead === 0) return got
    got += bytesRead
    left = behind(left, bytesRead)
  }
  return got
}
