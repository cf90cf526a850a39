import type { Digests } from '../ambient.js'
import { leafHash } from '../content/tree.js'
import { assert, FileError, unreachable } from '../errors.js'
import type { Effect, FileKey, Input } from '../host/contract.js'
import type { BlockIndex } from '../units.js'
import type { SharedFile } from './shared-file.js'
import type { Target } from './target.js'

export type DiskEffect = Exclude<Effect, { readonly kind: 'report' | 'stopped' }>

export interface DiskOptions {
  readonly digests: Digests
  /** By their place here `read-block` names them. */
  readonly files?: readonly SharedFile[]
  /** Where the file goes that is collected. */
  readonly target?: Target | undefined
}

/** Performs a host's file effects; what comes of each is answered as an input. Closes its files and target with itself. */
export class Disk {
  readonly #options: DiskOptions
  readonly #answer: (input: Input) => void
  readonly #pending = new Set<Promise<void>>()

  constructor(options: DiskOptions, answer: (input: Input) => void) {
    this.#options = options
    this.#answer = answer
  }

  perform(effect: DiskEffect): void {
    switch (effect.kind) {
      case 'hash-block':
        // Here and now: 64 KiB take less than a thread's handing over and back.
        this.#answer({ kind: 'block-hashed', block: effect.block, hash: leafHash(this.#options.digests, effect.data) })
        return
      case 'read-block':
        this.#start(this.#read(effect.file, effect.block))
        return
      case 'prepare-target':
        this.#start(this.#prepare(effect.size))
        return
      case 'write-block':
        this.#start(this.#write(effect.block, effect.data))
        return
      case 'finish-target':
        this.#start(this.#finish())
        return
      default:
        unreachable(effect)
    }
  }

  /** Waits for what was begun: nothing is closed under an operation. */
  async close(): Promise<void> {
    await Promise.all(this.#pending)
    await this.#options.target?.abandon()
    for (const file of this.#options.files ?? []) await file.close()
  }

  #start(operation: Promise<void>): void {
    this.#pending.add(operation)
    void operation.finally(() => this.#pending.delete(operation))
  }

  async #read(file: FileKey, block: BlockIndex): Promise<void> {
    const shared = this.#options.files?.[file]
    assert(shared !== undefined, `no shared file ${file}`)
    const read = await shared.readBlock(block)
    const found = typeof read === 'string' ? { data: undefined, why: read } : { data: read }
    this.#answer({ kind: 'block-read', file, block, ...found })
  }

  async #prepare(size: number): Promise<void> {
    this.#answer({ kind: 'target-ready', error: await faultOf(this.#target.prepare(size)) })
  }

  async #write(block: BlockIndex, data: Uint8Array): Promise<void> {
    this.#answer({ kind: 'block-written', block, error: await faultOf(this.#target.writeBlock(block, data)) })
  }

  async #finish(): Promise<void> {
    this.#answer({ kind: 'target-finished', error: await faultOf(this.#target.finish()) })
  }

  get #target(): Target {
    assert(this.#options.target !== undefined, 'this host has no target')
    return this.#options.target
  }
}

/** What the operator should read of a failed operation; undefined where it went well. */
async function faultOf(operation: Promise<void>): Promise<string | undefined> {
  try {
    await operation
    return undefined
  } catch (error) {
    if (error instanceof FileError) return error.message
    throw error
  }
}
