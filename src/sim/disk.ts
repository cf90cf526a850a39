// The files of one simulated computer, in memory, with the ways in which a disk disappoints.
import type { Digests } from '../ambient.js'
import { type HashTree, leafHash } from '../content/tree.js'
import { assert, unreachable } from '../errors.js'
import type { Effect, FileKey, Input } from '../host/contract.js'
import type { Stored } from '../transfer/effect.js'
import { type BlockIndex, type Milliseconds, ms } from '../units.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import type { SeededRandom } from './random.js'
import { TargetDisk } from './target-disk.js'

export interface StoredFile {
  readonly content: Uint8Array
  /** What the file was when it was offered: a block that differs now is not handed out. undefined: nobody checks. */
  readonly tree: HashTree | undefined
}

export interface DiskSettings {
  /** What every order takes, and a uniform extra, by which orders overtake each other. */
  readonly delay: Milliseconds
  readonly jitter: Milliseconds
  /** Share of reads that fail. */
  readonly readFailures: number
  /** Which step of making the target fails. */
  readonly failing: 'none' | 'prepare' | 'write' | 'finish'
}

export const PERFECT_DISK: DiskSettings = { delay: ms(0), jitter: ms(0), readFailures: 0, failing: 'none' }

export type DiskOrder = Exclude<Effect, { readonly kind: 'report' | 'stopped' }>
type Order<Kind extends DiskOrder['kind']> = Extract<DiskOrder, { readonly kind: Kind }>

/** Each order is carried out when it is due, not when it is given: octets that change meanwhile show. */
export class Disk {
  readonly files: readonly StoredFile[]
  settings: DiskSettings
  /** Undefined before a collector has looked for one. */
  target: TargetDisk | undefined
  readonly #random: SeededRandom
  readonly #digests: Digests

  constructor(files: readonly StoredFile[], settings: Partial<DiskSettings>, random: SeededRandom, digests: Digests) {
    this.files = files
    this.settings = { ...PERFECT_DISK, ...settings }
    this.#random = random
    this.#digests = digests
  }

  /** How long the next order takes. */
  latency(): Milliseconds {
    const { delay, jitter } = this.settings
    return jitter > 0 ? ms(delay + this.#random.uniform() * jitter) : delay
  }

  /** Takes an order. @returns carries it out when it is due, and answers */
  order(order: DiskOrder): () => Input {
    switch (order.kind) {
      case 'read-block':
        return () => this.read(order.file, order.block)
      case 'read-target':
        return () => this.#openTarget('read').read(order)
      case 'find-target':
        this.target ??= new TargetDisk()
        return () => ({ kind: 'target-found', found: this.target?.find(), error: undefined })
      case 'prepare-target':
        return () => this.prepare(order)
      case 'store-block':
        this.target?.order(order)
        return () => this.store(order)
      case 'flush-target':
        this.target?.order(order)
        return () => this.flush(order)
      case 'finish-target':
        return () => this.finish()
      default:
        return unreachable(order)
    }
  }

  /** @throws InvariantError for a file or a block that isn't there: a host asks only for what it offered */
  read(file: FileKey, block: BlockIndex): Input {
    const stored = this.files[file]
    const start = block * BLOCK_BYTES
    assert(stored !== undefined && start < stored.content.length, `read of block ${block} of file ${file}`)
    const answer = (data: Uint8Array | undefined, why?: string): Input =>
      why === undefined
        ? { kind: 'block-read', file, block, data }
        : { kind: 'block-read', file, block, data: undefined, why }
    if (this.#random.chance(this.settings.readFailures)) return answer(undefined, 'EIO: input/output error')
    const data = stored.content.slice(start, start + BLOCK_BYTES)
    const promised = stored.tree?.leaf(block)
    const isAsPromised = promised === undefined || isEqual(promised, leafHash(this.#digests, data))
    return isAsPromised ? answer(data) : answer(undefined, 'changed')
  }

  prepare(order: Order<'prepare-target'>): Input {
    if (this.settings.failing === 'prepare') return { kind: 'target-ready', error: 'EACCES: permission denied' }
    this.target ??= new TargetDisk()
    this.target.prepare(order)
    return { kind: 'target-ready', error: undefined }
  }

  store(order: Order<'store-block'>): Input {
    const { block, data, leaf } = order
    const target = this.#openTarget(`write of block ${block}`)
    const answer = (outcome: Stored): Input => ({ kind: 'block-stored', block, outcome })
    if (leaf !== undefined && !isEqual(leaf, leafHash(this.#digests, data))) {
      target.refuse(order)
      return answer('bad')
    }
    if (this.settings.failing === 'write') return answer({ error: 'ENOSPC: no space left' })
    target.write(order)
    return answer('stored')
  }

  flush(order: Order<'flush-target'>): Input {
    this.#openTarget('flush').flush(order)
    return { kind: 'target-flushed', error: undefined }
  }

  finish(): Input {
    const target = this.#openTarget('finish')
    if (this.settings.failing === 'finish') return { kind: 'target-finished', error: 'EACCES: permission denied' }
    target.finish()
    return { kind: 'target-finished', error: undefined }
  }

  /** The process that gave the orders is gone. */
  forgetOrders(): void {
    this.target?.forgetOrders()
  }

  /** The power of the computer fails, and with it goes what was not flushed. */
  cutPower(): void {
    this.target?.cutPower(this.#random)
  }

  #openTarget(what: string): TargetDisk {
    assert(this.target !== undefined, `${what} without an open target`)
    return this.target
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i])
}
