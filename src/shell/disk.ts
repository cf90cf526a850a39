import type { Digests } from '../ambient.js'
import { leafHash } from '../content/tree.js'
import { assert, FileError, unreachable } from '../errors.js'
import type { Effect, FetchKey, FileKey, Input, OfFetch, TargetAnswer, TargetOrder } from '../host/contract.js'
import type { FoundPart, Stored } from '../transfer/effect.js'
import { type BlockIndex, blockIndex } from '../units.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import { BlockThread } from './block-thread.js'
import type { SharedContent } from './shared-file.js'
import type { Target } from './target.js'

/** Where the blocks of a fetch go. */
export type BlockTarget = Pick<
  Target,
  'find' | 'prepare' | 'readBlock' | 'writeBlocks' | 'flush' | 'finish' | 'abandon'
> &
  // Of one file, to which a thread may write.
  Partial<Pick<Target, 'descriptor' | 'onWritten'>>

/** Blocks read or written in one operation: a thread's handing over and back costs as much as some of them. */
const RUN_MAX = 32
/** Of a large file so many blocks are gathered before they are written, or as many as come in so many milliseconds. */
const GATHERED = 16
const GATHER_MS = 2
/** Smaller files are hashed here and now, and written at once: all of it takes less than starting a thread. */
const LARGE_BYTES = 16 * 1024 * 1024

export type DiskEffect = Exclude<Effect, { readonly kind: 'report' | 'stopped' }>
type Read = Extract<Effect, { readonly kind: 'read-block' }>
type Store = Extract<Effect, { readonly kind: 'store-block' }>
type Other = Exclude<TargetOrder, { readonly kind: 'store-block' }>

export interface DiskOptions {
  readonly digests: Digests
  /** By their place here `read-block` names them. */
  readonly files?: readonly SharedContent[]
  /** Where the file goes that is collected. */
  readonly target?: BlockTarget | undefined
}

/**
 * Performs a host's file effects; what comes of each is answered as an input. Reads and writes of neighbouring blocks are
 * gathered until `flush`, and done together. Closes its files and target with itself.
 */
export class Disk {
  readonly #options: DiskOptions
  readonly #answer: (inputs: readonly Input[]) => void
  readonly #files: SharedContent[]
  /** Of the fetches that are under way. */
  readonly #targets = new Map<FetchKey | undefined, BlockTarget>()
  /** Nothing more is written to these. */
  readonly #closing = new Set<BlockTarget>()
  readonly #pending = new Set<Promise<void>>()
  #reads: Read[] = []
  /** Blocks that have the right hash. */
  #writes: Store[] = []
  #isWriting = false
  #gathering: NodeJS.Timeout | undefined
  #isGathered = false
  #thread: BlockThread | undefined
  readonly #stored: Input[] = []

  constructor(options: DiskOptions, answer: (inputs: readonly Input[]) => void) {
    this.#options = options
    this.#answer = answer
    this.#files = [...(options.files ?? [])]
    if (options.target !== undefined) this.#targets.set(undefined, options.target)
  }

  /** One more content that `read-block` may name. @returns its key */
  addFile(content: SharedContent): FileKey {
    return this.#files.push(content) - 1
  }

  /** The target of a fetch; it is abandoned with the disk, unless `dropTarget` comes first. */
  addTarget(fetch: FetchKey, target: BlockTarget): void {
    this.#targets.set(fetch, target)
  }

  /** Closes the target of a fetch that is over, when nothing is being done with it any more. */
  async dropTarget(fetch: FetchKey): Promise<void> {
    const target = this.#targets.get(fetch)
    if (target === undefined) return
    this.#closing.add(target)
    this.#writes = this.#writes.filter(write => write.fetch !== fetch)
    await Promise.all(this.#pending)
    this.#targets.delete(fetch)
    this.#closing.delete(target)
    await target.abandon()
  }

  perform(effect: DiskEffect): void {
    switch (effect.kind) {
      case 'store-block':
        this.#store(effect)
        return
      case 'read-block':
        this.#reads.push(effect)
        return
      case 'prepare-target':
        if (effect.size >= LARGE_BYTES) this.#thread ??= new BlockThread(() => this.#answer(this.#stored.splice(0)))
        this.#start(this.#carryOut(effect))
        return
      default:
        this.#start(this.#carryOut(effect))
    }
  }

  /** Starts what was gathered. */
  flush(): void {
    const storing = this.#thread?.flush()
    if (storing !== undefined) this.#start(storing)
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
    await this.#thread?.close()
    for (const target of this.#targets.values()) await target.abandon()
    for (const file of this.#files) await file.close()
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
    return this.#thread !== undefined
  }

  #start(operation: Promise<void>): void {
    this.#pending.add(operation)
    void operation.finally(() => this.#pending.delete(operation))
  }

  #store(order: Store): void {
    const { block, data, leaf } = order
    const target = this.#targetOf(order)
    const { descriptor } = target
    if (this.#thread !== undefined && BlockThread.canSee(data) && (leaf ?? descriptor) !== undefined) {
      const job = { data, leaf, descriptor, place: block * BLOCK_BYTES }
      this.#thread.add(job, result => {
        if (this.#closing.has(target)) return
        if (result === 'bad') this.#stored.push(storedInput(order, 'bad'))
        else if (descriptor === undefined) this.#writes.push(order)
        else {
          const error = target.onWritten?.(data.length, result === 'good' ? undefined : result)
          this.#stored.push(storedInput(order, error === undefined ? 'stored' : { error }))
        }
      })
    } else if (leaf !== undefined && Buffer.compare(leafHash(this.#options.digests, data), leaf) !== 0) {
      this.#answer([storedInput(order, 'bad')])
    } else this.#writes.push(order)
  }

  async #read(run: readonly Read[]): Promise<void> {
    const { file, block: first, check } = run[0]!
    const shared = this.#files[file]
    assert(shared !== undefined, `no shared file ${file}`)
    const into = run.map(read => read.into)
    const blocks = await shared.readBlocks(first, into, check)
    this.#answer(blocks.map((block, i) => readInput(file, blockIndex(first + i), block)))
  }

  async #write(run: readonly Store[]): Promise<void> {
    const data = run.map(write => write.data)
    const error = await faultOf(this.#targetOf(run[0]!).writeBlocks(run[0]!.block, data))
    this.#isWriting = false
    this.#answer(run.map(order => storedInput(order, error === undefined ? 'stored' : { error })))
  }

  async #carryOut(order: Other & OfFetch): Promise<void> {
    const answer = await carriedOut(order, this.#targetOf(order), this.#options.digests)
    this.#answer([answerTo(order, answer)])
  }

  #targetOf({ fetch }: OfFetch): BlockTarget {
    const target = this.#targets.get(fetch)
    assert(target !== undefined, `there is no target ${fetch ?? 'of the peer'}`)
    return target
  }
}

/** @returns what came of it */
async function carriedOut(order: Other, target: BlockTarget, digests: Digests): Promise<TargetAnswer> {
  switch (order.kind) {
    case 'find-target': {
      let found: FoundPart | undefined
      const finding = target.find().then(part => {
        found = part
      })
      const error = await faultOf(finding)
      return { kind: 'target-found', found, error }
    }
    case 'read-target': {
      const read = await target.readBlock(order.block, order.leaf, digests, order.into)
      const found = typeof read === 'string' ? { data: undefined, why: read } : { data: read }
      return { kind: 'target-read', block: order.block, ...found }
    }
    case 'prepare-target':
      return { kind: 'target-ready', error: await faultOf(target.prepare(order.size, order.keep)) }
    case 'flush-target':
      return { kind: 'target-flushed', error: await faultOf(target.flush(order.journal, order.at)) }
    case 'finish-target':
      return { kind: 'target-finished', error: await faultOf(target.finish()) }
    default:
      return unreachable(order)
  }
}

function answerTo({ fetch }: OfFetch, answer: TargetAnswer): Input {
  return fetch === undefined ? answer : { ...answer, fetch }
}

function storedInput(order: Store, outcome: Stored): Input {
  return answerTo(order, { kind: 'block-stored', block: order.block, outcome })
}

function readInput(file: FileKey, block: BlockIndex, read: Uint8Array | string): Input {
  if (typeof read === 'string') return { kind: 'block-read', file, block, data: undefined, why: read }
  return { kind: 'block-read', file, block, data: read }
}

/** Orders for neighbouring blocks, in runs that can be one operation each. */
function runsOf<Order extends Read | Store>(orders: readonly Order[]): Order[][] {
  const runs: Order[][] = []
  for (const order of [...orders].sort((a, b) => a.block - b.block)) {
    const run = runs.find(started => isNext(started, order))
    if (run === undefined) runs.push([order])
    else run.push(order)
  }
  return runs
}

function isNext(run: readonly (Read | Store)[], next: Read | Store): boolean {
  const last = run[run.length - 1]!
  if (run.length >= RUN_MAX || next.block !== last.block + 1) return false
  return (
    (last.kind === 'store-block' && next.kind === 'store-block' && last.fetch === next.fetch) ||
    (last.kind === 'read-block' && next.kind === 'read-block' && last.file === next.file && last.check === next.check)
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
