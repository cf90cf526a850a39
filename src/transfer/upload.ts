// One collector's transfer as the uploading peer sees it. The peer only paces: it sends what the newest PULLs want,
// within their credit and rate, and keeps nothing that a restart could not lose. The collector decides everything else.
//
// A chunk is sent when it is wanted and was not sent yet, or was sent with a sequence number up to the PULL's horizon:
// then it was lost. A PULL that lets nothing be sent is answered by one ECHO, so that the collector hears of losses at
// the tail, of an exhausted credit and of life at all.

import { chunkBytes, chunkCount, FileLayout } from '../content/layout.js'
import type { HashTree } from '../content/tree.js'
import type { Endpoint } from '../endpoint.js'
import {
  after,
  type BlockIndex,
  blockIndex,
  chunkIndex,
  type Instant,
  latest,
  NEVER,
  sequence,
  since,
} from '../units.js'
import type { SendBatch } from '../wire/batch.js'
import { writeBulkHeader, writeChunkPlace, writeTreePlace } from '../wire/bulk.js'
import { encode } from '../wire/encode.js'
import {
  BLOCK_BYTES,
  BULK_HEADER_BYTES,
  CHUNK_HEADER_BYTES,
  CHUNKS_MAX,
  DATAGRAM_BYTES_MAX,
  FLAG,
  HASH_BYTES,
  HEADER_BYTES,
  HOLD_MAX,
  HOLD_UNIT_MICROS,
  LOG_HEIGHT,
  PROBE_BYTES_MIN,
  TAG,
  type Tag,
  TREE_HEADER_BYTES,
} from '../wire/layout.js'
import type { Pull, TreePage } from '../wire/message.js'
import type { BlockCache } from './block-cache.js'
import type { EffectSink } from './effect.js'
import type { Have } from './have.js'
import { IP_UDP_BYTES, Pacer } from './pacer.js'
import { SentChunks } from './sent-chunks.js'
import { Telling } from './telling.js'
import { TRAINS } from './train.js'
import type { UploadOptions } from './upload-options.js'

/** Datagrams that a collector gets before it has proven that they arrive (RFC 9000, section 21.4: optimistic ACKs). */
export const CREDIT_UNPROVEN = 256
/** Stamps kept for checking proofs; a power of two. */
const STAMPS = 1 << 15
/** Hash pages that are remembered as sent. */
const PAGES_REMEMBERED = 2_048
/** Datagrams of one statement whose numbers are remembered. */
const PARTS_MAX = 64
/** Chunks waiting to be sent; the next PULL restates what did not fit. */
const QUEUE_MAX = 8_192
/** What a PROBE is made of. */
const PADDING = new Uint8Array(DATAGRAM_BYTES_MAX)
/** Without PULLs for this long nothing more is sent, whatever credit is left. */
const PULL_SILENCE_MS = 1_000
/** And after this long the upload is forgotten. */
const FORGET_MS = 10_000
/** Blocks that this much of the rate brings go together: nobody waits for one noticeably longer. */
const TOGETHER_MS = 2

export class Upload {
  readonly to: Endpoint
  readonly session: bigint
  readonly file: number
  readonly #tree: HashTree
  readonly #have: Have | undefined
  readonly #given: Have | undefined
  readonly #layout: FileLayout
  readonly #cache: BlockCache
  readonly #clockZero: number
  readonly #sessionHigh: number
  readonly #sessionLow: number
  readonly #pacer: Pacer
  readonly #stamps = new Uint32Array(STAMPS)
  readonly #sent = new SentChunks()
  readonly #sentPages = new Map<string, number>()
  /** block * CHUNKS_MAX + chunk. */
  readonly #queue = new Uint32Array(QUEUE_MAX)
  #queueHead = 0
  #queueTail = 0
  #pageQueue: TreePage[] = []
  #sequence = 0
  #chunkSize = 0
  /** Octets of the longest CHUNK. */
  #datagram = 0
  readonly #datagramMax: number
  /** Octets of the PROBE that is owed, and the PULL that asked for it. */
  #probe = 0
  #probePull = 0
  #credit = 0
  #proven = false
  #horizon = 0
  #statement = -1
  /** Sequence numbers of the statement's PULLs that were taken. */
  readonly #parts = new Set<number>()
  #pull = 0
  #pulledAt: Instant
  #echoDue = false
  readonly #telling: Telling
  /** Data was lacking: the next datagram says so. */
  #starved = false
  /** Nothing is due before, and with so many places of the log. */
  #restUntil: Instant | undefined
  #restPlaces = 0

  constructor(options: UploadOptions, now: Instant) {
    this.to = options.to
    this.session = options.session
    this.file = options.file
    this.#tree = options.tree
    this.#have = options.have
    this.#given = options.given
    this.#telling = new Telling(options.have ?? options.given)
    this.#layout = new FileLayout(options.tree.size)
    this.#cache = options.cache
    this.#clockZero = options.clockZero
    this.#sessionHigh = Number(options.session >> 32n)
    this.#sessionLow = Number(options.session & 0xffffffffn)
    this.#pulledAt = now
    this.#datagramMax = options.datagramMax
    this.#pacer = new Pacer(options.hasRivals ? undefined : TRAINS, options.burst)
  }

  /**
   * @param at when the PULL came, from which on it is held
   * @returns false where the PULL's proof is wrong: it then counts for nothing
   */
  onPull(pull: Pull, now: Instant, effects: EffectSink, at = now): boolean {
    if (!this.#isProof(pull)) return false
    this.#restUntil = undefined
    const isNewest = pull.sequence > this.#pull
    const isPart = pull.statement === this.#statement
    // Doubled by the network, or overtaken by a newer statement.
    if (isPart ? this.#parts.has(pull.sequence) : !isNewest) return true
    if (!isPart || pull.chunkSize !== this.#chunkSize) this.#clearQueue()
    if (pull.chunkSize !== this.#chunkSize) this.#sent.clear()
    if (!isPart) this.#parts.clear()
    if (this.#parts.size < PARTS_MAX) this.#parts.add(pull.sequence)
    this.#chunkSize = pull.chunkSize
    this.#statement = pull.statement
    if (isNewest) {
      this.#pull = pull.sequence
      this.#pulledAt = at
      this.#pacer.setRate(pull.rate / 8, now)
      // What is longer is for those who have proven that it arrives.
      this.#datagram = this.#proven ? Math.min(pull.datagram, this.#datagramMax) : 0
      this.#oweProbe(pull)
      this.#telling.follow(pull, at)
    }
    this.#credit = Math.max(this.#credit, Math.min(pull.credit, this.#proven ? Infinity : CREDIT_UNPROVEN))
    this.#horizon = Math.max(this.#horizon, pull.horizon)
    this.#enqueue(pull, effects)
    this.#echoDue = true
    return true
  }

  /**
   * Appends the datagram that is due, and of those that continue it as many as are due and make `most` in all.
   * @param mayPace whether all uploads together are still below their limit; an ECHO is not paced
   * @returns octets of IP datagrams appended; 0 where nothing is due
   */
  fillSome(batch: SendBatch, now: Instant, mayPace = true, most = 1): number {
    if (batch.isFull) return 0
    if (since(this.#pulledAt, now) > PULL_SILENCE_MS) {
      // The next PULL restates what it wants.
      this.#clearQueue()
      this.#probe = 0
      this.#telling.stop()
      return 0
    }
    if (this.#probe > 0 && mayPace && this.#pacer.canSend(now)) return this.#spend(this.#fillProbe(batch))
    if (this.#sequence < this.#credit) {
      if (this.#telling.dueAt <= now)
        return mayPace && this.#pacer.canSend(now) ? this.#spend(this.#fillHave(batch, now)) : 0
      if (this.#pageQueue.length > 0)
        return mayPace && this.#pacer.canSend(now) ? this.#spend(this.#fillPage(batch, now)) : 0
      if (this.#queueHead < this.#queueTail) {
        const place = this.#queue[this.#queueHead]!
        const data = this.#cache.find(this.file, Math.floor(place / CHUNKS_MAX))
        if (data !== undefined)
          return mayPace && this.#pacer.canSend(now) ? this.#spend(this.#fillChunks(batch, place, data, now, most)) : 0
        if (mayPace) this.#starved = true
      } else this.#starved = true
    }
    return this.#echoDue ? this.#fillEcho(batch, now) : 0
  }

  /** Nothing is due now: until a PULL or a block comes only time and the log change that. */
  rest(): void {
    this.#restUntil = this.#nextAt
    this.#restPlaces = this.#telling.places
  }

  isResting(now: Instant): boolean {
    return this.#restUntil !== undefined && now < this.#restUntil && this.#restPlaces === this.#telling.places
  }

  onBlockRead(): void {
    this.#restUntil = undefined
  }

  /** When `fillSome` has something next, as far as time alone decides. */
  nextAt(): Instant {
    return this.#restUntil ?? this.#nextAt
  }

  get #nextAt(): Instant {
    if (this.#probe > 0) return this.#pacer.nextAt()
    if (this.#sequence >= this.#credit) return NEVER
    if (this.#hasData) return this.#pacer.nextAt()
    const haveAt = latest(this.#telling.dueAt, this.#pacer.nextAt())
    return haveAt <= after(this.#pulledAt, PULL_SILENCE_MS) ? haveAt : NEVER
  }

  get root(): Uint8Array {
    return this.#tree.root
  }

  get forgetAt(): Instant {
    return after(this.#pulledAt, FORGET_MS)
  }

  get #hasData(): boolean {
    if (this.#pageQueue.length > 0) return true
    if (this.#queueHead >= this.#queueTail) return false
    return this.#cache.find(this.file, Math.floor(this.#queue[this.#queueHead]! / CHUNKS_MAX)) !== undefined
  }

  #isProof(pull: Pull): boolean {
    if (pull.largest === 0) return true
    if (pull.largest > this.#sequence) return false
    if (pull.largest + STAMPS <= this.#sequence) return true
    if (this.#stamps[pull.largest % STAMPS] !== pull.proof) return false
    this.#proven = true
    return true
  }

  #enqueue(pull: Pull, effects: EffectSink): void {
    for (const page of pull.pages) {
      if (page.height === LOG_HEIGHT) continue
      const last = this.#sentPages.get(`${page.height}/${page.index}`)
      if (last !== undefined && last > this.#horizon) continue
      if (this.#tree.page(page.height, page.index) !== undefined) this.#pageQueue.push(page)
    }
    for (const { block, wanted } of pull.blocks) {
      if (!this.#isThere(block)) continue
      if (this.#enqueueChunks(block, 0, this.#chunksOf(block), wanted)) this.#cache.request(this.file, block, effects)
    }
    const together = this.#blocksTogether(pull.rate)
    for (const { first, count } of pull.ranges) {
      const end = Math.min(first + count, this.#layout.blockCount)
      for (let at = first as number; at < end && !this.#isQueueFull; at += together) {
        this.#enqueueTogether(at, Math.min(end, at + together), effects)
      }
    }
  }

  /** Whole blocks [first, end): their shorter last chunks come after all others, for datagrams of one size are one message. */
  #enqueueTogether(first: number, end: number, effects: EffectSink): void {
    for (const isLast of [false, true]) {
      for (let block = first; block < end && !this.#isQueueFull; block++) {
        if (!this.#isThere(blockIndex(block))) continue
        const chunks = this.#chunksOf(block)
        const isAny = this.#enqueueChunks(block, isLast ? chunks - 1 : 0, isLast ? chunks : chunks - 1)
        if (isAny) this.#cache.request(this.file, block, effects)
      }
    }
  }

  /** Blocks that a moment's rate brings. @param rate kbit/s */
  #blocksTogether(rate: number): number {
    if (this.#chunksADatagram > 1) return 1
    return Math.max(1, Math.floor(((rate / 8) * TOGETHER_MS) / BLOCK_BYTES))
  }

  #chunksOf(block: number): number {
    return chunkCount(this.#layout.blockBytes(blockIndex(block)), this.#chunkSize)
  }

  #isThere(block: BlockIndex): boolean {
    return this.#layout.hasBlock(block) && (this.#have?.has(block) ?? true)
  }

  get #isQueueFull(): boolean {
    return this.#queueTail >= this.#queueEnd
  }

  /** Where the queue is full: more than the credit allows would be restated before it could be sent. */
  get #queueEnd(): number {
    const worth = (this.#credit - this.#sequence) * this.#chunksADatagram
    return Math.min(QUEUE_MAX, this.#queueHead + worth + CHUNKS_MAX + 1)
  }

  get #chunksADatagram(): number {
    return Math.max(1, Math.floor((this.#datagram - CHUNK_HEADER_BYTES) / this.#chunkSize))
  }

  /** Of the chunks [first, stop). @param wanted a bit for each chunk; undefined: all of them @returns whether any is to be sent */
  #enqueueChunks(block: number, first: number, stop: number, wanted?: Uint8Array): boolean {
    const log = this.#sent.find(block)
    const before = this.#queueTail
    const end = this.#queueEnd
    for (let chunk = first; chunk < stop && this.#queueTail < end; chunk++) {
      if (wanted !== undefined && (wanted[chunk >> 3]! & (0x80 >> (chunk & 7))) === 0) continue
      const last = log === undefined ? 0 : log[chunk]!
      if (last === 0 || last <= this.#horizon) this.#queue[this.#queueTail++] = block * CHUNKS_MAX + chunk
    }
    if (this.#queueTail === before) return false
    this.#given?.expect(blockIndex(block))
    return true
  }

  #clearQueue(): void {
    this.#queueHead = 0
    this.#queueTail = 0
    this.#pageQueue = []
    this.#echoDue = false
  }

  #fillChunks(batch: SendBatch, place: number, data: Uint8Array, now: Instant, most: number): number {
    const block = Math.floor(place / CHUNKS_MAX)
    const chunk = place % CHUNKS_MAX
    const blockBytes = this.#layout.blockBytes(blockIndex(block))
    let length = chunkBytes(blockBytes, this.#chunkSize, chunkIndex(chunk))
    const log = this.#sent.of(block)
    let resent = log[chunk] !== 0
    let count = 1
    // Neighbours that wait behind it go along, as far as the path carries them.
    while (this.#isNext(place + count, count)) {
      const more = chunkBytes(blockBytes, this.#chunkSize, chunkIndex(chunk + count))
      if (CHUNK_HEADER_BYTES + length + more > this.#datagram) break
      resent ||= log[chunk + count] !== 0
      length += more
      count++
    }
    const octets = CHUNK_HEADER_BYTES + length + IP_UDP_BYTES
    const limit = Math.min(most, batch.capacity - batch.count, this.#pacer.worth(octets, now))
    const datagrams = count > 1 ? 1 : this.#alike(place, log, blockBytes, limit)
    this.#queueHead += count * datagrams
    for (let at = chunk; at < chunk + count * datagrams; at += count) {
      const { head } = batch
      const offset = at * this.#chunkSize
      this.#writeHeader(head, TAG.CHUNK, resent, now)
      writeChunkPlace(head, block, offset)
      batch.push(this.to, CHUNK_HEADER_BYTES, data, offset, length)
      for (let i = 0; i < count; i++) log[at + i] = this.#sequence
    }
    return octets * datagrams
  }

  /** How many datagrams of a chunk each may be made from `place` on that differ in nothing but number and place. */
  #alike(place: number, log: Uint32Array, blockBytes: number, most: number): number {
    const chunk = place % CHUNKS_MAX
    const isResent = log[chunk] !== 0
    const whole = Math.floor(blockBytes / this.#chunkSize) - chunk
    const limit = Math.min(most, whole, this.#credit - this.#sequence)
    let count = 1
    while (count < limit && this.#isNext(place + count, count) && (log[chunk + count] !== 0) === isResent) count++
    return count
  }

  /** Whether that chunk is the `count`th in the queue. */
  #isNext(place: number, count: number): boolean {
    return this.#queueHead + count < this.#queueTail && this.#queue[this.#queueHead + count] === place
  }

  #fillPage(batch: SendBatch, now: Instant): number {
    const { height, index } = this.#pageQueue.shift()!
    const hashes = this.#tree.page(height, index)!
    const key = `${height}/${index}`
    this.#writeHeader(batch.head, TAG.TREE, this.#sentPages.has(key), now)
    writeTreePlace(batch.head, height, index, hashes.length / HASH_BYTES)
    batch.head.set(hashes, TREE_HEADER_BYTES)
    batch.push(this.to, TREE_HEADER_BYTES + hashes.length)
    this.#sentPages.delete(key)
    this.#sentPages.set(key, this.#sequence)
    if (this.#sentPages.size > PAGES_REMEMBERED) this.#sentPages.delete(this.#sentPages.keys().next().value!)
    return TREE_HEADER_BYTES + hashes.length + IP_UDP_BYTES
  }

  /** It takes no number and no credit: what becomes of it says nothing about other datagrams. */
  #fillProbe(batch: SendBatch): number {
    const octets = this.#probe
    this.#probe = 0
    const { session } = this
    const padding = octets - HEADER_BYTES
    const head = {
      kind: 'probe',
      session,
      sequence: sequence(this.#probePull),
      padding: PROBE_BYTES_MIN - HEADER_BYTES,
    } as const
    encode(head, batch.head)
    batch.push(this.to, HEADER_BYTES, PADDING, 0, padding)
    return octets + IP_UDP_BYTES
  }

  /** Who has not proven that datagrams arrive gets no long ones. */
  #oweProbe({ probe, sequence: number }: Pull): void {
    this.#probe = this.#proven && probe <= this.#datagramMax ? probe : 0
    this.#probePull = number
  }

  #fillHave(batch: SendBatch, now: Instant): number {
    this.#writeHeader(batch.head, TAG.HAVE, false, now)
    const length = this.#telling.write(batch.head, this.#sequence, now)
    batch.push(this.to, length)
    return length + IP_UDP_BYTES
  }

  #fillEcho(batch: SendBatch, now: Instant): number {
    this.#writeHeader(batch.head, TAG.ECHO, false, now)
    batch.push(this.to, BULK_HEADER_BYTES)
    return BULK_HEADER_BYTES + IP_UDP_BYTES
  }

  #writeHeader(into: Uint8Array, tag: Tag, resent: boolean, now: Instant): void {
    this.#echoDue = false
    const number = ++this.#sequence
    const stamp = (Math.round(now * 1000) + this.#clockZero) >>> 0
    this.#stamps[number % STAMPS] = stamp
    const flags = (resent ? FLAG.RETRANSMITTED : 0) | (this.#starved ? FLAG.APP_LIMITED : 0)
    this.#starved = false
    const hold = Math.min(HOLD_MAX, Math.round((since(this.#pulledAt, now) * 1000) / HOLD_UNIT_MICROS))
    writeBulkHeader(into, tag, flags, this.#sessionHigh, this.#sessionLow, number, stamp, this.#pull, hold)
  }

  #spend(octets: number): number {
    this.#restUntil = undefined
    this.#pacer.spend(octets)
    return octets
  }
}
