// A collector and the uploads of several peers, joined by links with a rate, a delay and losses, on a clock of its own.
// Every datagram passes through the codec.

import type { Bitmap } from '../../src/content/bitmap.js'
import { leafHash, PartialTree } from '../../src/content/tree.js'
import { type Endpoint, endpointKey, sameEndpoint } from '../../src/endpoint.js'
import { Agenda } from '../../src/membership/agenda.js'
import { DIGESTS } from '../../src/sim/digests.js'
import { type MemoryFile, memoryFile } from '../../src/sim/memory-file.js'
import { SeededRandom } from '../../src/sim/random.js'
import { Collector } from '../../src/transfer/collector.js'
import type { Source } from '../../src/transfer/collector-options.js'
import { judgeEarlierRun } from '../../src/transfer/earlier-run.js'
import type { CollectorEvent, Stored, TransferEffect, Turn } from '../../src/transfer/effect.js'
import { Uploads } from '../../src/transfer/uploads.js'
import { type BlockIndex, blockIndex, earliest, type Instant, instant, sequence } from '../../src/units.js'
import { ReceiveBatch, SendBatch } from '../../src/wire/batch.js'
import { isBulk } from '../../src/wire/bulk.js'
import { decode } from '../../src/wire/decode.js'
import { encode } from '../../src/wire/encode.js'
import { BLOCK_BYTES, REASON, TAG } from '../../src/wire/layout.js'
import type { Message } from '../../src/wire/message.js'
import { journalOf } from './journaling.js'

export const COLLECTOR: Endpoint = { address: '10.0.0.9', port: 5_001 }
const DATAGRAM_BYTES = 1_472

export interface SwarmOptions {
  readonly size: number
  readonly peers?: number
  /** Whether peers know the collector from the start. */
  readonly isListed?: boolean
  /** The collector holds the file too. */
  readonly hasOwn?: boolean
  readonly seed?: number
  readonly loss?: number
  /** Milliseconds one way, and up to how much more. */
  readonly delay?: number
  /** How much longer the disk takes to make the file, ms. */
  readonly prepareTime?: number
  readonly jitter?: number
  /** The collector wakes every so many milliseconds; by default for each datagram. */
  readonly wakes?: number
  /** It never sees two datagrams at once. */
  readonly oneByOne?: boolean
  /** Mbit/s of each peer. */
  readonly rates?: readonly number[]
  readonly trace?: boolean
  /** What the collector's interface carries. */
  readonly datagramMax?: number
  /** Which to fetch; all of them by default. */
  readonly blocks?: Bitmap
  /** Blocks that the journal of an earlier run counts, and those of them that others changed since. */
  readonly earlier?: readonly number[]
  readonly changed?: readonly number[]
  readonly failing?: 'prepare' | 'write' | 'finish'
  /** A chunk's or a page's octets may be spoiled here, or the datagram dropped. */
  readonly filter?: (datagram: Uint8Array, peer: Peer, now: Instant) => boolean
}

/** One that serves. */
export interface Peer {
  readonly number: number
  readonly endpoint: Endpoint
  uploads: Uploads
  content: Uint8Array
  /** Nothing goes out or comes in. */
  isSilent: boolean
  /** PULLs that came, CHUNK datagrams that went out. */
  pulls: number
  badProofs: number
  chunks: number
  busyUntil: number
  /** Octets a millisecond. */
  rate: number
}

type Task =
  | { readonly kind: 'to peer'; readonly peer: Peer; readonly octets: Uint8Array }
  | { readonly kind: 'to collector'; readonly from: Endpoint; readonly octets: Uint8Array }
  | { readonly kind: 'answer'; readonly give: (turn: Turn) => void }
  | { readonly kind: 'script'; readonly run: () => void }

export class Swarm {
  now: Instant = instant(5_000)
  readonly file: MemoryFile
  readonly peers: Peer[] = []
  readonly events: CollectorEvent[] = []
  /** Everything that the collector ordered. */
  readonly orders: TransferEffect[] = []
  /** Blocks that were written, in that order. */
  readonly written: number[] = []
  readonly collector: Collector
  target = new Uint8Array(0)
  /** What the disk of the collector gives instead of blocks. */
  ownFileIs: 'whole' | 'broken' = 'whole'
  readonly #options: SwarmOptions
  readonly #random: SeededRandom
  readonly #tasks = new Agenda<Task>()
  readonly #batch = new SendBatch(64)
  readonly #arrived = new ReceiveBatch(64)
  /** How often the collector took several datagrams at once. */
  runs = 0
  #taken = 0

  constructor(options: SwarmOptions) {
    const { size, peers = 2, hasOwn = false, seed = 1, rates = [] } = options
    this.#options = options
    this.#random = new SeededRandom(seed, 'swarm')
    this.file = memoryFile('file', this.#random.octets(size))
    for (let i = 0; i < peers; i++) this.addPeer(rates[i])
    const sources: Source[] = this.peers.map(sourceOf)
    if (hasOwn) sources.push({ kind: 'self' })
    const { root, tree } = { root: this.file.tree.root, tree: hasOwn ? this.file.tree : undefined }
    const partial = new PartialTree(DIGESTS, size, root, tree)
    this.collector = new Collector(
      {
        tree: partial,
        ownFile: hasOwn ? 0 : undefined,
        member: 5n,
        chunkSize: 1_444,
        datagramMax: options.datagramMax ?? 0,
        receiveBuffer: 4 * 1024 * 1024,
        roundTrip: 10,
        isListed: options.isListed ?? true,
        random: this.#random.fork('collector'),
        digests: DIGESTS,
        earlier: this.#earlierRun(partial),
        blocks: options.blocks,
        trace: options.trace,
      },
      sources,
      this.now,
    )
    this.tell(turn => this.collector.start(turn))
  }

  #earlierRun(tree: PartialTree) {
    const { earlier, changed, size } = this.#options
    if (earlier === undefined) return { kind: 'none', dropped: undefined } as const
    const found = { bytes: size, journal: journalOf(earlier, this.file), changedAfter: changed === undefined ? 0 : 1e9 }
    const judged = judgeEarlierRun(found, tree, DIGESTS, false)
    if (judged.kind !== 'kept') throw new Error(judged.kind)
    return judged
  }

  /** What an earlier run left, as others changed it. */
  #leftPart(): Uint8Array<ArrayBuffer> {
    const { size, earlier = [], changed = [] } = this.#options
    const part = new Uint8Array(size)
    for (const block of earlier) part.set(blockOf(this.file.content, blockIndex(block)), block * BLOCK_BYTES)
    for (const block of changed) part[block * BLOCK_BYTES]! ^= 1
    return part
  }

  addPeer(rate = 200): Peer {
    const number = this.peers.length + 1
    const random = this.#random.fork(`peer ${number}`)
    const peer: Peer = {
      number,
      endpoint: { address: '10.0.0.1', port: 4_000 + number },
      uploads: new Uploads([this.file], random, undefined, this.now),
      content: this.file.content,
      isSilent: false,
      pulls: 0,
      badProofs: 0,
      chunks: 0,
      busyUntil: 0,
      rate: rate * 125,
    }
    this.peers.push(peer)
    return peer
  }

  get finished() {
    return this.events.find(event => event.kind === 'finished')
  }

  get lost(): readonly string[] {
    return this.events.flatMap(event => (event.kind === 'path-lost' ? [`${event.endpoint.port} ${event.why}`] : []))
  }

  get isWhole(): boolean {
    return Buffer.compare(this.target, this.file.content) === 0
  }

  /** Octets that are verified and written. */
  get verified(): number {
    const last = this.events.findLast(event => event.kind === 'progress')
    return last?.progress.verifiedBytes ?? 0
  }

  at(time: number, run: () => void): void {
    this.#tasks.set({ kind: 'script', run }, instant(5_000 + time))
  }

  /** Gives the collector an input. */
  tell(give: (turn: Turn) => void): void {
    const said = this.events.length
    give({ now: this.now, effects: this.orders, events: this.events })
    // The host repeats a goodbye until it is confirmed: here it arrives, after what was said before.
    for (const event of this.events.slice(said)) {
      if (event.kind !== 'dismissed') continue
      const peer = this.peers.find(({ endpoint }) => sameEndpoint(endpoint, event.to))
      const { delay = 5, jitter = 0 } = this.#options
      const run = () => peer?.uploads.onGoodbye(COLLECTOR, event.session)
      this.#tasks.set({ kind: 'script', run }, instant(this.now + delay + jitter))
    }
    this.#perform()
    this.#flush()
  }

  /** A peer says that it leaves. */
  goodbye(peer: Peer): void {
    for (const { session } of peer.uploads.stop()) {
      this.reply(peer, { kind: 'goodbye', ack: false, session, sequence: sequence(1), reason: REASON.GOODBYE })
    }
    peer.isSilent = true
  }

  /** A control message from a peer to the collector. */
  reply(peer: Peer, message: Message): void {
    this.#launch({ kind: 'to collector', from: peer.endpoint, octets: octetsOf(message) }, this.now)
  }

  /** Runs until the collector is done, or for `time` milliseconds. */
  run(time = 60_000): this {
    this.#runUntil(instant(this.now + time), () => this.finished !== undefined)
    return this
  }

  /** Runs for `time` milliseconds, done or not. */
  runOn(time: number): void {
    this.#runUntil(instant(this.now + time), () => false)
  }

  #runUntil(end: Instant, isOver: () => boolean): void {
    for (let steps = 0; !isOver(); steps++) {
      if (steps > 2_000_000) throw new Error(`no end in sight at ${this.now} ms`)
      const next = this.#next()
      if (next > end) {
        this.now = end
        return
      }
      // A tick that is due at once comes with the next wake-up.
      this.now = instant(Math.max(next, this.now + 0.02))
      this.#step()
    }
  }

  #next(): Instant {
    return earliest(
      this.collector.deadline(),
      this.#tasks.earliest(),
      ...this.peers.map(peer => peer.uploads.deadline()),
    )
  }

  #step(): void {
    let came = false
    for (let task = this.#tasks.takeDue(this.now); task !== undefined; task = this.#tasks.takeDue(this.now)) {
      if (task.kind === 'script') task.run()
      else if (task.kind === 'answer') this.tell(task.give)
      else if (task.kind === 'to peer') this.#onPeer(task.peer, task.octets)
      else if (this.#onCollector(task.from, task.octets)) came = true
    }
    this.#takeArrived()
    if (came) this.tell(turn => this.collector.endBatch(turn))
    if (this.collector.deadline() <= this.now) this.tell(turn => this.collector.onTick(turn))
    for (const peer of this.peers) this.#serve(peer)
    this.#flush()
  }

  #onPeer(peer: Peer, octets: Uint8Array): void {
    if (peer.isSilent) return
    const message = decode(octets)
    if (message.kind !== 'pull') return
    peer.pulls++
    const effects: TransferEffect[] = []
    const answer = peer.uploads.onPull(COLLECTOR, message, this.now, effects)
    if (answer === 'bad-proof') peer.badProofs++
    else if (answer !== undefined) {
      const { session } = message
      this.reply(peer, { kind: 'error', code: answer, tag: TAG.PULL, session, sequence: sequence(1) })
    }
    for (let i = 0; i < effects.length; i++) {
      const effect = effects[i]!
      if (effect.kind === 'read-block')
        peer.uploads.onBlockRead(0, effect.block, blockOf(peer.content, effect.block), effects)
    }
  }

  /** Gives one bulk datagram to the collector. @returns whether it belongs to one of its paths */
  giveBulk(octets: Uint8Array, from: Endpoint): boolean {
    const batch = new ReceiveBatch(1)
    batch.push(octets, from)
    return this.collector.onBulk(batch, 0, this.now) > 0
  }

  /** @returns whether it was bulk */
  #onCollector(from: Endpoint, octets: Uint8Array): boolean {
    if (this.#arrived.isFull || this.#options.oneByOne || !isBulk(octets)) this.#takeArrived()
    if (isBulk(octets)) {
      this.#arrived.push(octets, from)
      return true
    }
    const message = decode(octets)
    if (message.kind === 'goodbye') this.tell(turn => this.collector.onGoodbye(from, message.session, turn))
    if (message.kind === 'probe') this.collector.onProbe(from, message.session, octets.length, message.sequence)
    if (message.kind === 'error') this.tell(turn => this.collector.onError(from, message.session, message.code, turn))
    return false
  }

  #takeArrived(): void {
    for (let i = 0; i < this.#arrived.count; ) {
      const taken = this.collector.onBulk(this.#arrived, i, this.now)
      if (taken > 1) this.runs++
      i += taken || 1
    }
    this.#arrived.clear()
  }

  #serve(peer: Peer): void {
    if (peer.uploads.deadline() <= this.now) peer.uploads.onTick(this.now)
    for (;;) {
      peer.uploads.fill(this.#batch, this.now)
      const { count } = this.#batch
      for (let i = 0; i < count; i++) this.#upload(peer, datagramAt(this.#batch, i))
      this.#batch.clear()
      if (count === 0) return
    }
  }

  #upload(peer: Peer, octets: Uint8Array): void {
    if (octets.length > Math.max(DATAGRAM_BYTES, this.#options.datagramMax ?? 0))
      throw new Error(`${octets.length} octets`)
    if (decode(octets).kind === 'chunk') peer.chunks++
    const isKept = this.#options.filter?.(octets, peer, this.now) ?? true
    if (!isKept || peer.isSilent || peer.busyUntil - this.now > 200) return
    peer.busyUntil = Math.max(peer.busyUntil, this.now) + (octets.length + 28) / peer.rate
    this.#launch({ kind: 'to collector', from: peer.endpoint, octets }, peer.busyUntil)
  }

  #flush(): void {
    for (let next = this.collector.nextMessage(this.now); next; next = this.collector.nextMessage(this.now)) {
      const { to, message } = next
      const peer = this.peers.find(({ endpoint }) => sameEndpoint(endpoint, to))
      if (peer === undefined) throw new Error(`${endpointKey(to)} is nobody`)
      this.#launch({ kind: 'to peer', peer, octets: octetsOf(message) }, this.now)
    }
  }

  #launch(task: Task, at: number): void {
    const { loss = 0, delay = 5, jitter = 0, wakes } = this.#options
    if (this.#random.chance(loss)) return
    const arrives = at + delay + this.#random.between(0, jitter)
    const isGathered = wakes !== undefined && task.kind === 'to collector'
    this.#tasks.set(task, instant(isGathered ? Math.ceil(arrives / wakes) * wakes : arrives))
  }

  /** The collector's disk: every order is carried out a little later. */
  #perform(): void {
    for (; this.#taken < this.orders.length; this.#taken++) {
      const order = this.orders[this.#taken]!
      const give = this.#answerOf(order)
      const more = order.kind === 'prepare-target' ? (this.#options.prepareTime ?? 0) : 0
      this.#tasks.set({ kind: 'answer', give }, instant(this.now + more + this.#random.between(0.1, 1)))
    }
  }

  #store({ block, data, leaf }: Extract<TransferEffect, { kind: 'store-block' }>, error: string | undefined): Stored {
    if (leaf !== undefined && Buffer.compare(leafHash(DIGESTS, data), leaf) !== 0) return 'bad'
    this.target.set(data, block * BLOCK_BYTES)
    if (error !== undefined) return { error }
    this.written.push(block)
    return 'stored'
  }

  #answerOf(order: TransferEffect): (turn: Turn) => void {
    const { collector } = this
    const failed = (step: SwarmOptions['failing']) => (this.#options.failing === step ? `${step} failed` : undefined)
    switch (order.kind) {
      case 'prepare-target':
        this.target = order.keep ? this.#leftPart() : new Uint8Array(order.size)
        return turn => this.collector.onTargetReady(failed('prepare'), turn)
      case 'find-target':
        throw new Error('a collector is told what was found')
      case 'read-target':
        return turn => {
          const data = blockOf(this.target, order.block)
          const isIt = Buffer.compare(leafHash(DIGESTS, data), order.leaf) === 0
          collector.onTargetRead(order.block, isIt ? data : undefined, turn)
        }
      case 'flush-target':
        return turn => collector.onTargetFlushed(undefined, turn)
      case 'read-block':
        return turn => {
          const data = this.ownFileIs === 'whole' ? blockOf(this.file.content, order.block) : undefined
          collector.onBlockRead(order.file, order.block, data, 'has changed', turn)
        }
      case 'store-block':
        return turn => collector.onBlockStored(order.block, this.#store(order, failed('write')), turn)
      case 'finish-target':
        return turn => collector.onTargetFinished(failed('finish'), turn)
    }
  }
}

export function sourceOf(peer: Peer): Source {
  return { kind: 'peer', endpoint: peer.endpoint, isPartial: false }
}

function octetsOf(message: Message): Uint8Array {
  const octets = new Uint8Array(DATAGRAM_BYTES)
  return octets.subarray(0, encode(message, octets))
}

function datagramAt(batch: SendBatch, i: number): Uint8Array {
  const start = batch.payloadOffsets[i]!
  const payload = batch.payloads[i]!.subarray(start, start + batch.payloadLengths[i]!)
  return new Uint8Array(Buffer.concat([batch.heads[i]!.subarray(0, batch.headLengths[i]), payload]))
}

function blockOf(content: Uint8Array, block: BlockIndex): Uint8Array {
  return content.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
}
