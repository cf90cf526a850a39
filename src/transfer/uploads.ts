// All that this process serves: which PULL belongs to which upload, who may pull, and whose turn it is to send.
import type { Random } from '../ambient.js'
import { FileLayout } from '../content/layout.js'
import type { HashTree } from '../content/tree.js'
import { type Endpoint, endpointKey, sameEndpoint } from '../endpoint.js'
import { type BlockIndex, earliest, type Instant, NEVER } from '../units.js'
import type { SendBatch } from '../wire/batch.js'
import { DATAGRAM_BYTES_MAX, ERROR_CODE, type ErrorCode } from '../wire/layout.js'
import type { Pull } from '../wire/message.js'
import { BlockCache, TARGETS_FROM } from './block-cache.js'
import type { EffectSink, TransferEffect } from './effect.js'
import { Have } from './have.js'
import { Pacer } from './pacer.js'
import { Upload } from './upload.js'

/** Uploads at once; beyond it a PULL is answered TOO_MANY_UPLOADS. */
const UPLOADS_MAX = 256
/** With so many others served a link's whole rate is nobody's to have. */
const RIVALS = 2
/** Of one collector: its oldest makes room. */
const UPLOADS_PER_ENDPOINT = 4
/** Datagrams that one upload may send before the next has its turn. */
const TURN = 32

export interface ServedFile {
  readonly tree: HashTree
}

/** A file that this process collects, and serves meanwhile as far as it has come. */
export interface ServedTarget extends ServedFile {
  readonly have: Have
  /** Whose target it is, as orders to the disk name it. */
  readonly fetch: number | undefined
}

/** Whose upload has ended, to be told so. */
export type Ended = { readonly to: Endpoint; readonly session: bigint }

export class Uploads {
  readonly #files: ServedFile[]
  readonly #random: Random
  readonly #cache = new BlockCache((file, block, into) => this.#readOf(file, block, into))
  /** By keys from TARGETS_FROM on. */
  readonly #targets = new Map<number, ServedTarget>()
  #nextTarget = TARGETS_FROM
  /** By file: what was asked for of it. */
  readonly #given = new Map<number, Have>()
  readonly #uploads = new Map<string, Upload>()
  /** Files that turned out to be changed or unreadable. */
  readonly #lostFiles = new Set<number>()
  readonly #limiter: Pacer | undefined
  readonly #datagramMax: number
  readonly #burst: number | undefined
  #turn = 0

  /**
   * @param limit octets a millisecond for all uploads together; undefined = none
   * @param datagramMax UDP payload of the longest datagram that our own interface carries
   * @param burst milliseconds of its rate that an upload sends at once, at most; undefined: the pacer's own
   */
  constructor(
    files: readonly ServedFile[],
    random: Random,
    limit: number | undefined,
    now: Instant,
    datagramMax = DATAGRAM_BYTES_MAX,
    burst?: number,
  ) {
    this.#files = [...files]
    this.#datagramMax = datagramMax
    this.#burst = burst
    this.#random = random
    if (limit !== undefined) {
      this.#limiter = new Pacer()
      this.#limiter.setRate(limit, now)
    }
  }

  get active(): number {
    return this.#uploads.size
  }

  /** Offers one more file. @returns its key */
  add(file: ServedFile): number {
    return this.#files.push(file) - 1
  }

  /** Serves what a collector of this process has by now. @returns its key */
  addTarget(target: ServedTarget): number {
    this.#targets.set(this.#nextTarget, target)
    return this.#nextTarget++
  }

  /** Serves it no more. */
  removeTarget(key: number): readonly Ended[] {
    this.#targets.delete(key)
    this.#cache.forget(key)
    return this.#endUploadsOf(key)
  }

  /** As `onBlockRead`, of a target; what others had read of it means nothing here. */
  onTargetRead(
    fetch: number | undefined,
    block: BlockIndex,
    data: Uint8Array | undefined,
    effects: EffectSink,
  ): readonly Ended[] {
    for (const [key, target] of this.#targets) {
      if (target.fetch === fetch && this.#cache.isReading(key, block)) {
        return this.onBlockRead(key, block, data, effects)
      }
    }
    return []
  }

  /**
   * Takes a PULL of a collector that the list knows.
   * @param at when it came: before the list knew the collector perhaps
   * @returns what to answer where it can't be served; 'bad-proof' is to be counted and dropped
   */
  onPull(from: Endpoint, pull: Pull, now: Instant, effects: EffectSink, at = now): ErrorCode | 'bad-proof' | undefined {
    const key = uploadKey(from, pull.session)
    let upload = this.#uploads.get(key)
    if (upload === undefined) {
      if (pull.largest > 0) return ERROR_CODE.UNKNOWN_SESSION
      const file = this.#find(pull.root)
      if (file === undefined) return ERROR_CODE.NO_SUCH_ROOT
      if (this.#lostFiles.has(file)) return ERROR_CODE.FILE_LOST
      this.#forget(now)
      this.#makeRoomFor(from)
      if (this.#uploads.size >= UPLOADS_MAX) return ERROR_CODE.TOO_MANY_UPLOADS
      const { tree, have } = this.#targets.get(file) ?? { ...this.#files[file]!, have: undefined }
      const given = have === undefined ? this.#givenOf(file, tree) : undefined
      const clockZero = this.#random.u32()
      const { session } = pull
      const [datagramMax, burst, cache] = [this.#datagramMax, this.#burst, this.#cache]
      const hasRivals = [...this.#uploads.values()].filter(({ to }) => !sameEndpoint(to, from)).length >= RIVALS
      const served = { to: from, session, file, tree, have, given, hasRivals }
      upload = new Upload({ ...served, cache, clockZero, datagramMax, burst }, now)
      this.#uploads.set(key, upload)
    }
    if (!sameOctets(upload.root, pull.root)) return ERROR_CODE.NO_SUCH_ROOT
    return upload.onPull(pull, now, effects, at) ? undefined : 'bad-proof'
  }

  /** The collector needs no more. @returns whether there was such an upload */
  onGoodbye(from: Endpoint, session: bigint): boolean {
    return this.#uploads.delete(uploadKey(from, session))
  }

  /**
   * @param data undefined where the block can't be had any more
   * @returns those that were being served from a file that is now lost, to be told so
   */
  onBlockRead(file: number, block: BlockIndex, data: Uint8Array | undefined, effects: EffectSink): readonly Ended[] {
    this.#cache.onRead(file, block, data, effects)
    for (const upload of this.#uploads.values()) upload.onBlockRead()
    if (data !== undefined) return []
    this.#lostFiles.add(file)
    return this.#endUploadsOf(file)
  }

  /** Appends what is due, a few datagrams of each upload in turn. */
  fill(batch: SendBatch, now: Instant): void {
    const uploads = [...this.#uploads.values()]
    if (uploads.length === 0) return
    let idle = 0
    while (idle < uploads.length && !batch.isFull) {
      const upload = uploads[this.#turn++ % uploads.length]!
      idle = this.#fillTurn(upload, batch, now) ? 0 : idle + 1
    }
  }

  deadline(): Instant {
    let at = NEVER
    for (const upload of this.#uploads.values()) {
      let next = upload.nextAt()
      if (this.#limiter !== undefined && next !== NEVER) next = Math.max(next, this.#limiter.nextAt()) as Instant
      at = earliest(at, next, upload.forgetAt)
    }
    return at
  }

  onTick(now: Instant): void {
    this.#forget(now)
  }

  /** Ends all uploads. @returns whom to say goodbye to */
  stop(): readonly Ended[] {
    const told = [...this.#uploads.values()].map(({ to, session }) => ({ to, session }))
    this.#uploads.clear()
    return told
  }

  /** One of our own files rather than a target. */
  #find(root: Uint8Array): number | undefined {
    const file = this.#files.findIndex(served => sameOctets(served.tree.root, root))
    if (file >= 0) return file
    return [...this.#targets].find(([, { tree }]) => sameOctets(tree.root, root))?.[0]
  }

  #readOf(file: number, block: BlockIndex, into: Uint8Array): TransferEffect | undefined {
    const target = this.#targets.get(file)
    const leaf = target?.tree.leaf(block)
    return target && leaf && { kind: 'read-target', block, leaf, into, fetch: target.fetch }
  }

  #givenOf(file: number, tree: HashTree): Have {
    let given = this.#given.get(file)
    if (given === undefined) {
      given = new Have(new FileLayout(tree.size).blockCount)
      this.#given.set(file, given)
    }
    return given
  }

  #endUploadsOf(file: number): readonly Ended[] {
    const ended: Ended[] = []
    for (const [key, { file: served, to, session }] of this.#uploads) {
      if (served !== file) continue
      ended.push({ to, session })
      this.#uploads.delete(key)
    }
    return ended
  }

  #fillTurn(upload: Upload, batch: SendBatch, now: Instant): boolean {
    if (upload.isResting(now)) return false
    const before = batch.count
    const end = Math.min(batch.capacity, before + TURN)
    while (batch.count < end) {
      const mayPace = this.#limiter?.canSend(now) ?? true
      const octets = upload.fillSome(batch, now, mayPace, this.#limiter === undefined ? end - batch.count : 1)
      if (octets === 0) {
        if (!batch.isFull) upload.rest()
        break
      }
      this.#limiter?.spend(octets)
    }
    return batch.count > before
  }

  #forget(now: Instant): void {
    for (const [key, upload] of this.#uploads) if (upload.forgetAt <= now) this.#uploads.delete(key)
  }

  #makeRoomFor(from: Endpoint): void {
    const mine = [...this.#uploads].filter(([, upload]) => sameEndpoint(upload.to, from))
    if (mine.length >= UPLOADS_PER_ENDPOINT) this.#uploads.delete(mine[0]![0])
  }
}

function uploadKey(from: Endpoint, session: bigint): string {
  return `${endpointKey(from)}/${session}`
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i])
}
