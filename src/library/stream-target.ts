// Verified octets to a stream, in their order. What comes out of its turn waits in a file without a name.
import type { FileHandle } from 'node:fs/promises'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { Bitmap } from '../content/bitmap.js'
import { piecesOf } from '../content/bundle.js'
import { FileLayout } from '../content/layout.js'
import type { Manifest } from '../content/manifest.js'
import { assert, FileError } from '../errors.js'
import type { BlockTarget } from '../shell/disk.js'
import { fileError } from '../shell/file-fault.js'
import { readFully } from '../shell/read.js'
import { type BlockIndex, blockIndex } from '../units.js'

export interface StreamTargetOptions {
  readonly to: Writable
  readonly manifest: Manifest
  /** Which of the manifest's files are written, one after the other. */
  readonly files: ReadonlySet<number>
  /** The blocks that hold them. */
  readonly blocks: Bitmap
}

export class StreamTarget implements BlockTarget {
  readonly #options: StreamTargetOptions
  readonly #layout: FileLayout
  readonly #arrived: Bitmap
  /** Opened once, however many blocks come out of their turn at once. */
  #spool: Promise<FileHandle> | undefined
  /** The block whose turn it is; undefined: all were written. */
  #next: number | undefined
  /** One block after the other. */
  #last: Promise<void> = Promise.resolve()
  #fault: FileError | undefined

  constructor(options: StreamTargetOptions) {
    this.#options = options
    this.#layout = new FileLayout(options.manifest.size)
    this.#arrived = new Bitmap(this.#layout.blockCount)
    this.#next = options.blocks.firstSet()
  }

  async find(): Promise<undefined> {}
  async flush(): Promise<void> {}

  async prepare(): Promise<void> {
    this.#options.to.once('error', error => {
      this.#fault ??= fileError('write to', 'the stream', error)
    })
  }

  /** @param blocks unchanged until this ends. @throws FileError */
  async writeBlocks(first: BlockIndex, blocks: readonly Uint8Array[]): Promise<void> {
    for (const [i, data] of blocks.entries()) await this.#writeBlock(blockIndex(first + i), data)
  }

  async #writeBlock(block: BlockIndex, data: Uint8Array): Promise<void> {
    this.#throwFault()
    // Blocks that hold nothing of the files, as those of a manifest.
    if (!this.#options.blocks.has(block)) return
    if (block !== this.#next) await this.#keep(block, data)
    this.#arrived.set(block)
    if (block === this.#next) await this.#inTurn(() => this.#writeFrom(block, data))
  }

  async readBlock(): Promise<string> {
    return 'written to the stream already'
  }

  /** Waits until the last octet was taken by the stream, which stays open. @throws FileError */
  async finish(): Promise<void> {
    await this.#last
    this.#throwFault()
    assert(this.#next === undefined, `block ${this.#next} never came`)
  }

  async abandon(): Promise<void> {
    await this.#last
    const spool = this.#spool
    this.#spool = undefined
    await spool?.then(handle => handle.close()).catch(() => {})
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(act)
    this.#last = turn.catch(() => {})
    return turn
  }

  /** Writes a block, and those behind it that came before their turn. */
  async #writeFrom(block: BlockIndex, data: Uint8Array): Promise<void> {
    await this.#write(block, data)
    const { blocks } = this.#options
    for (;;) {
      this.#next = blocks.firstSet((this.#next ?? block) + 1)
      if (this.#next === undefined || !this.#arrived.has(this.#next)) return
      const kept = blockIndex(this.#next)
      const again = new Uint8Array(this.#layout.blockBytes(kept))
      if ((await readFully(await this.#spool!, again, this.#layout.blockStart(kept))) < again.length) {
        throw new FileError("can't read back what came out of its turn: the temporary file was changed")
      }
      await this.#write(kept, again)
    }
  }

  async #write(block: BlockIndex, data: Uint8Array): Promise<void> {
    const start = this.#layout.blockStart(block)
    for (const { file, length, at } of piecesOf(this.#options.manifest, start, start + data.length)) {
      if (!this.#options.files.has(file)) continue
      this.#throwFault()
      // A copy: the stream may hold it longer than we do.
      if (this.#options.to.write(Uint8Array.from(data.subarray(at, at + length)))) continue
      await new Promise<void>(resolve => {
        const { to } = this.#options
        const go = () => {
          for (const event of ['drain', 'close', 'error']) to.off(event, go)
          resolve()
        }
        for (const event of ['drain', 'close', 'error']) to.once(event, go)
      })
    }
    this.#throwFault()
  }

  async #keep(block: BlockIndex, data: Uint8Array): Promise<void> {
    try {
      this.#spool ??= openNameless()
      const spool = await this.#spool
      const start = this.#layout.blockStart(block)
      for (let done = 0; done < data.length; ) {
        const { bytesWritten } = await spool.write(data, done, data.length - done, start + done)
        done += bytesWritten
      }
    } catch (error) {
      throw fileError('write', `a temporary file in ${tmpdir()}`, error)
    }
  }

  #throwFault(): void {
    if (this.#options.to.destroyed) this.#fault ??= new FileError("can't write to the stream: its reader went away")
    if (this.#fault !== undefined) throw this.#fault
  }
}

/** It goes with its handle, however the process ends; on Windows, which keeps open files, with the folder of temporary ones. */
async function openNameless(): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'peer-udp-'))
  const handle = await open(join(folder, 'spool'), 'wx+', 0o600)
  await rm(folder, { recursive: true }).catch(() => {})
  return handle
}
