// One upload, or all of a peer, with the disk behind them: PULLs and instants go in, datagrams come out.
import type { Endpoint } from '../../src/endpoint.js'
import { type MemoryFile, memoryFile } from '../../src/sim/memory-file.js'
import { SeededRandom } from '../../src/sim/random.js'
import { BlockCache } from '../../src/transfer/block-cache.js'
import type { TransferEffect } from '../../src/transfer/effect.js'
import type { Have } from '../../src/transfer/have.js'
import { CREDIT_UNPROVEN, Upload } from '../../src/transfer/upload.js'
import { Uploads } from '../../src/transfer/uploads.js'
import { type BlockIndex, blockIndex, type Instant, instant, sequence } from '../../src/units.js'
import { SendBatch } from '../../src/wire/batch.js'
import { decode } from '../../src/wire/decode.js'
import { BLOCK_BYTES, CHUNK_HEADER_BYTES } from '../../src/wire/layout.js'
import type { BlockRange, BlockWant, Chunk, Echo, Pull, Tree } from '../../src/wire/message.js'

export const CHUNK = 1_444
export const COLLECTOR: Endpoint = { address: '10.0.0.9', port: 5_001 }
export const FILE = fileOf(12 * BLOCK_BYTES + 1_000)
/** Mbit/s: all that the credit allows goes in a moment. */
export const FAST = 10_000_000

export type Sent = Chunk | Tree | Echo

interface PeerOptions {
  readonly file?: MemoryFile
  readonly clockZero?: number
  /** The file is still being collected. */
  readonly have?: Have
  /** Reads are answered by `answerReads` only. */
  readonly isDiskSlow?: boolean
  /** Datagrams that are asked of the upload at once. */
  readonly most?: number
}

/** One upload and the disk behind it. */
export class Peer {
  now: Instant = instant(1_000)
  readonly upload: Upload
  readonly effects: TransferEffect[] = []
  /** When each datagram was sent, and its octets. */
  readonly sentAt = new Map<Sent, readonly [Instant, number]>()
  last: Sent | undefined
  readonly #file: MemoryFile
  readonly #cache = new BlockCache()
  readonly #isDiskSlow: boolean
  readonly #batch = new SendBatch(64)
  readonly #most: number
  #pulls = 0

  constructor({ file = FILE, clockZero = 12_345, have, isDiskSlow = false, most = 64 }: PeerOptions = {}) {
    this.#most = most
    this.#file = file
    this.#isDiskSlow = isDiskSlow
    const options = {
      to: COLLECTOR,
      session: 77n,
      file: 0,
      tree: file.tree,
      have,
      cache: this.#cache,
      clockZero,
      datagramMax: 65_507,
    }
    this.upload = new Upload(options, this.now)
  }

  pull(wants: Partial<Pull>): void {
    if (!this.tryPull(wants)) throw new Error('the proof is wrong')
  }

  tryPull(wants: Partial<Pull>): boolean {
    const isTaken = this.upload.onPull(pullOf(this.#file, 77n, ++this.#pulls, wants), this.now, this.effects)
    if (!this.#isDiskSlow) this.answerReads()
    return isTaken
  }

  answerReads(): void {
    for (let i = 0; i < this.effects.length; i++) {
      const effect = this.effects[i]!
      if (effect.kind !== 'read-block') continue
      this.#cache.onRead(0, effect.block, blockOf(this.#file, effect.block), this.effects)
    }
    this.effects.length = 0
  }

  /** What is sent without time going by. */
  take(): Sent[] {
    const sent: Sent[] = []
    for (;;) {
      while (!this.#batch.isFull && this.upload.fillSome(this.#batch, this.now, true, this.#most) > 0);
      if (this.#batch.count === 0) return sent
      for (const { datagram } of datagramsOf(this.#batch)) {
        const message = decode(datagram) as Sent
        this.sentAt.set(message, [this.now, datagram.length])
        this.last = message
        sent.push(message)
      }
      this.#batch.clear()
    }
  }

  /** What is sent in so many milliseconds. */
  run(time: number): Sent[] {
    const end = instant(this.now + time)
    const sent = this.take()
    while (this.upload.nextAt() <= end) {
      this.now = instant(Math.max(this.now, this.upload.nextAt()))
      const more = this.take()
      if (more.length === 0) break
      sent.push(...more)
    }
    this.now = end
    return sent
  }
}

/** All uploads of a peer. */
export class House {
  now: Instant = instant(500)
  readonly effects: TransferEffect[] = []
  readonly uploads: Uploads
  #pulls = 0

  constructor(limit?: number) {
    this.uploads = new Uploads([FILE], new SeededRandom(1), limit, this.now)
  }

  pull(from: Endpoint, session: bigint, wants: Partial<Pull>) {
    const answer = this.uploads.onPull(from, pullOf(FILE, session, ++this.#pulls, wants), this.now, this.effects)
    for (const effect of this.effects.splice(0)) {
      if (effect.kind !== 'read-block') continue
      this.uploads.onBlockRead(0, effect.block, blockOf(FILE, effect.block), this.effects)
    }
    return answer
  }

  /** As `fill`, decoded. */
  take(capacity: number): Sent[] {
    const batch = new SendBatch(capacity)
    this.uploads.fill(batch, this.now)
    return datagramsOf(batch).map(({ datagram }) => decode(datagram) as Sent)
  }

  fill(capacity: number): { to: Endpoint; size: number }[] {
    const batch = new SendBatch(capacity)
    this.uploads.fill(batch, this.now)
    return datagramsOf(batch).map(({ to, datagram }) => ({ to, size: datagram.length }))
  }
}

function pullOf(file: MemoryFile, session: bigint, number: number, wants: Partial<Pull>): Pull {
  return {
    kind: 'pull',
    session,
    sequence: sequence(number),
    member: 1n,
    root: file.tree.root,
    statement: number,
    credit: sequence(CREDIT_UNPROVEN),
    rate: FAST,
    horizon: sequence(0),
    largest: sequence(0),
    proof: 0,
    chunkSize: CHUNK,
    datagram: CHUNK_HEADER_BYTES + (wants.chunkSize ?? CHUNK),
    probe: 0,
    pages: [],
    ranges: [],
    blocks: [],
    ...wants,
  }
}

function datagramsOf(batch: SendBatch) {
  return Array.from({ length: batch.count }, (_, i) => {
    const payload = batch.payloads[i]!.subarray(
      batch.payloadOffsets[i],
      batch.payloadOffsets[i]! + batch.payloadLengths[i]!,
    )
    const head = batch.heads[i]!.subarray(0, batch.headLengths[i])
    return { to: batch.to[i]!, datagram: new Uint8Array(Buffer.concat([head, payload])) }
  })
}

export function range(first: number, count: number): BlockRange {
  return { first: blockIndex(first), count }
}

export function want(block: number, chunks: readonly number[]): BlockWant {
  const wanted = new Uint8Array(8)
  for (const c of chunks) wanted[c >> 3]! |= 0x80 >> (c & 7)
  return { block: blockIndex(block), wanted }
}

export function fileOf(size: number): MemoryFile {
  return memoryFile('file', new SeededRandom(size).octets(size))
}

function blockOf({ content }: MemoryFile, block: BlockIndex): Uint8Array {
  return content.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
}
