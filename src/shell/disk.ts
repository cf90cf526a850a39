import type { Digests } from '../ambient.js'
import { leafHash } from '../content/tree.js'
import { assert, FileError, unreachable } from '../errors.js'
import type { Effect, FileKey, Input } from '../host/contract.js'
import type { FoundPart } from '../transfer/effect.js'
import { type BlockIndex, blockIndex } from '../units.js'
import { Hasher } from './hasher.js'
import type { SharedFile } from './shared-file.js'
import type { Target } from './target.js'

/** Blocks read or written in one operation: a thread's handing over and back costs as much as some of them. */
const RUN_MAX = 32
/** Of a large file so many blocks are gathered before they are written, or as many as come in so many milliseconds. */
const GATHERED = 16
const GATHER_MS = 2
/** Files smaller than this are hashed here and now, and written at once: all of it takes less than starting a thread. */
const LARGE_BYTES = 16 * 1024 * 1024

export type DiskEffect = Exclude<Effect, { readonly kind: 'report' | 'stopped' }>
type Read = Extract<Effect, { readonly kind: 'read-block' }>
type Write = Extract<Effect, { readonly kind: 'write-block' }>

export interface DiskOptions {
  readonly digests: Digests
  /** By their place here `read-block` names them. */
  readonly files?: readonly SharedFile[]
  /** Where the file goes that is collected. */
  readonly target?: Target | undefined
}

/**
 * Performs a host's file effects; what comes of each is answered as an input. Reads and writes of neighbouring blocks are
 * gathered until `flush`, and done together. Closes its files and target with itself.
 */
export class Disk {
  readonly #options: DiskOptions
  readonly #answer: (inputs: readonly Input[]) => void
  readonly #pending = new Set<Promise<void>>()
  #reads: Read[] = []
  #writes: Write[] = []
  #isWriting = false
  #gathering: NodeJS.Timeout | undefined
  #isGathered = false
  #hasher: Hasher | undefined
  readonly #hashed: Input[] = []

  constructor(options: DiskOptions, answer: (inputs: readonly Input[]) => void) {
    this.#options = options
    this.#answer = answer
  }

  perform(effect: DiskEffect): void {
    switch (effect.kind) {
      case 'hash-block':
        this.#hash(effect)
        return
      case 'read-block':
        this.#reads.push(effect)
        return
      case 'write-block':
        this.#writes.push(effect)
        return
      case 'find-target':
        this.#start(this.#find())
        return
      case 'prepare-target':
        this.#start(this.#prepare(effect.size, effect.keep))
        return
      case 'read-target':
        this.#start(this.#readTarget(effect.block, effect.leaf))
        return
      case 'flush-target':
        this.#start(this.#flushTarget(effect.journal, effect.at))
        return
      case 'finish-target':
        this.#start(this.#finish())
        return
      default:
        unreachable(effect)
    }
  }

  /** Starts what was gathered. */
  flush(): void {
    this.#hasher?.flush()
    if (this.#reads.length > 0) {
      const reads = this.#reads
      this.#reads = []
      for (const run of runsOf(reads)) this.#start(this.#read(run))
    }
    if (this.#writes.length === 0 || this.#isWriting) return
    if (this.#hasLarge && this.#writes.length < GATHERED && !this.#isGathered) this.#gather()
    else this.#startWriting()
  }

  /** Waits for what was begun: nothing is closed under an operation. */
  async close(): Promise<void> {
    this.#reads = []
    this.#writes = []
    clearTimeout(this.#gathering)
    await Promise.all(this.#pending)
    await this.#hasher?.close()
    await this.#options.target?.abandon()
    for (const file of this.#options.files ?? []) await file.close()
  }

  #gather(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined
      this.#isGathered = true
      this.flush()
    }, GATHER_MS)
  }

  /** One after the other: what comes meanwhile gathers. */
  #startWriting(): void {
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    this.#isGathered = false
    const [run = [], ...rest] = runsOf(this.#writes)
    this.#writes = rest.flat()
    this.#isWriting = true
    this.#start(this.#write(run))
  }

  get #hasLarge(): boolean {
    return this.#hasher !== undefined
  }

  #start(operation: Promise<void>): void {
    this.#pending.add(operation)
    void operation.finally(() => this.#pending.delete(operation))
  }

  #hash({ block, data }: Extract<Effect, { readonly kind: 'hash-block' }>): void {
    if (this.#hasher !== undefined && Hasher.canHash(data)) {
      this.#hasher.add(data, hash => this.#hashed.push({ kind: 'block-hashed', block, hash }))
    } else this.#answer([{ kind: 'block-hashed', block, hash: leafHash(this.#options.digests, data) }])
  }

  async #read(run: readonly Read[]): Promise<void> {
    const { file, block: first, check } = run[0]!
    const shared = this.#options.files?.[file]
    assert(shared !== undefined, `no shared file ${file}`)
    const into = run.map(read => read.into)
    const blocks = await shared.readBlocks(first, into, check)
    this.#answer(blocks.map((block, i) => readInput(file, blockIndex(first + i), block)))
  }

  async #write(run: readonly Write[]): Promise<void> {
    const data = run.map(write => write.data)
    const error = await faultOf(this.#target.writeBlocks(run[0]!.block, data))
    this.#isWriting = false
    this.#answer(run.map(({ block }) => ({ kind: 'block-written', block, error })))
  }

  async #find(): Promise<void> {
    let found: FoundPart | undefined
    const finding = this.#target.find().then(part => {
      found = part
    })
    const error = await faultOf(finding)
    this.#answer([{ kind: 'target-found', found, error }])
  }

  async #readTarget(block: BlockIndex, leaf: Uint8Array): Promise<void> {
    const read = await this.#target.readBlock(block, leaf, this.#options.digests)
    const found = typeof read === 'string' ? { data: undefined, why: read } : { data: read }
    this.#answer([{ kind: 'target-read', block, ...found }])
  }

  async #flushTarget(journal: Uint8Array, at: number): Promise<void> {
    this.#answer([{ kind: 'target-flushed', error: await faultOf(this.#target.flush(journal, at)) }])
  }

  async #prepare(size: number, keep: boolean): Promise<void> {
    if (size >= LARGE_BYTES) this.#hasher ??= new Hasher(() => this.#answer(this.#hashed.splice(0)))
    this.#answer([{ kind: 'target-ready', error: await faultOf(this.#target.prepare(size, keep)) }])
  }

  async #finish(): Promise<void> {
    this.#answer([{ kind: 'target-finished', error: await faultOf(this.#target.finish()) }])
  }

  get #target(): Target {
    assert(this.#options.target !== undefined, 'this host has no target')
    return this.#options.target
  }
}

function readInput(file: FileKey, block: BlockIndex, read: Uint8Array | string): Input {
  if (typeof read === 'string') return { kind: 'block-read', file, block, data: undefined, why: read }
  return { kind: 'block-read', file, block, data: read }
}

/** Orders for neighbouring blocks, in runs that can be one operation each. */
function runsOf<Order extends Read | Write>(orders: readonly Order[]): Order[][] {
  const runs: Order[][] = []
  for (const order of [...orders].sort((a, b) => a.block - b.block)) {
    const run = runs.find(started => isNext(started, order))
    if (run === undefined) runs.push([order])
    else run.push(order)
  }
  return runs
}

function isNext(run: readonly (Read | Write)[], next: Read | Write): boolean {
  const last = run[run.length - 1]!
  if (run.length >= RUN_MAX || next.block !== last.block + 1) return false
  return (
    next.kind === 'write-block' || (last.kind === 'read-block' && last.file === next.file && last.check === next.check)
  )
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
