// src/wire/decode.ts and src/wire/bulk.ts against octets that nobody meant to send, and against each other.
import t from 'tap'
import * as bulk from '../../src/wire/bulk.js'
import { decode } from '../../src/wire/decode.js'
import { encode, encodedSize } from '../../src/wire/encode.js'
import {
  BULK_HEADER_BYTES,
  CHUNK_HEADER_BYTES,
  FLAG,
  HASH_BYTES,
  TAG,
  TREE_HEADER_BYTES,
} from '../../src/wire/layout.js'
import type { Chunk, Echo, Have, Malformed, Message, Tree } from '../../src/wire/message.js'
import { malformed, valid } from './vectors.js'

const SEED = Number(process.env.PEER_UDP_SEED ?? 20_011)
const MUTATED = 800_000
const RANDOM = 200_000
/** Octets that rules turn on. */
const EDGES = [0x00, 0x01, 0x02, 0x10, 0x11, 0x20, 0x7f, 0x80, 0xfe, 0xff]
const REASONS = new Set(malformed.map(({ reason }) => reason))

t.test('any octets give a message that encodes to them again, or a reason; isBulk says the same as decode', async t => {
  const random = randomFrom(SEED)
  const kinds = new Map<string, number>()
  const scratch = new Uint8Array(2_048)
  // The few vectors that fill a whole UDP datagram would take most of the time and show nothing of their own.
  const seeds = [...valid, ...malformed].map(({ octets }) => octets).filter(octets => octets.length <= 1_300)
  for (let run = 0; run < MUTATED + RANDOM; run++) {
    const datagram = run < MUTATED ? mutated(seeds, scratch, random) : randomOctets(scratch, random)
    const read = decode(datagram)
    const fault = faultOf(datagram, read)
    if (fault !== undefined) {
      t.fail(`${fault}: PEER_UDP_SEED=${SEED}, run ${run}: ${Buffer.from(datagram).toString('hex')}`)
      return
    }
    const kind = read.kind === 'malformed' ? read.reason : read.kind
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  for (const kind of [...Object.keys(TAG).map(tag => tag.toLowerCase().replace('_', '-')), ...REASONS]) {
    t.ok((kinds.get(kind) ?? 0) > 50, `${kind} was met: ${kinds.get(kind)}`)
  }
})

t.test('isBulk says the same as decode for every vector', async t => {
  for (const { name, octets } of [...valid, ...malformed])
    t.equal(bulk.isBulk(octets), isBulkMessage(decode(octets)), name)
})

t.test('fields read in place are those that the parser gives', async t => {
  for (const { name, octets: d, message } of valid) {
    if (!isBulkMessage(message)) continue
    t.equal((BigInt(bulk.sessionHigh(d)) << 32n) | BigInt(bulk.sessionLow(d)), message.session, name)
    t.equal(bulk.sequenceOf(d), message.sequence, name)
    t.equal(bulk.sentAt(d), message.sentAt, name)
    t.equal(bulk.echoOf(d), message.echo, name)
    t.equal(bulk.holdOf(d), message.hold, name)
    t.equal(bulk.isAppLimited(d), message.appLimited, name)
    if ('retransmitted' in message) t.equal(bulk.isRetransmitted(d), message.retransmitted, name)
    if (message.kind === 'chunk') {
      t.equal(bulk.tagOf(d), TAG.CHUNK, name)
      t.equal(bulk.chunkBlock(d), message.block, name)
      t.equal(bulk.chunkOffset(d), message.offset, name)
      t.equal(bulk.chunkPayloadSize(d), message.payload.length, name)
    }
    if (message.kind === 'tree') {
      t.equal(bulk.treeHeight(d), message.height, name)
      t.equal(bulk.treeIndex(d), message.index, name)
      t.equal(bulk.treeCount(d) * HASH_BYTES, message.hashes.length, name)
    }
    if (message.kind === 'have') {
      t.strictSame([bulk.haveFrom(d), bulk.haveTo(d)], [message.from, message.to], name)
      const ranges = Array.from({ length: bulk.haveCount(d) }, (_, i) => [
        bulk.haveIsComing(d, i),
        bulk.haveFirst(d, i),
        bulk.haveBlocks(d, i),
      ])
      t.strictSame(
        ranges,
        message.ranges.map(({ isComing, first, count }) => [isComing, first, count]),
        name,
      )
    }
  }
})

t.test('headers written in place are those that the encoder writes', async t => {
  for (const { name, octets, message } of valid) {
    if (!isBulkMessage(message)) continue
    const head = new Uint8Array(message.kind === 'have' ? octets.length : BULK_HEADER_BYTES + 6)
    const flags = octets[0]! & (FLAG.RETRANSMITTED | FLAG.APP_LIMITED)
    const [high, low] = [Number(message.session >> 32n), Number(message.session & 0xffff_ffffn)]
    const { sequence, sentAt, echo, hold } = message
    bulk.writeBulkHeader(head, bulk.tagOf(octets) as never, flags, high, low, sequence, sentAt, echo, hold)
    if (message.kind === 'chunk') bulk.writeChunkPlace(head, message.block, message.offset)
    if (message.kind === 'tree') {
      bulk.writeTreePlace(head, message.height, message.index, message.hashes.length / HASH_BYTES)
    }
    if (message.kind === 'have') {
      bulk.writeHavePlace(head, message.from, message.to, message.ranges.length)
      for (const [i, { isComing, first, count }] of message.ranges.entries()) {
        bulk.writeHaveRange(head, i, isComing, first, count)
      }
    }
    t.strictSame(head.subarray(0, Math.min(octets.length, head.length)), octets.subarray(0, head.length), name)
  }
  t.equal(CHUNK_HEADER_BYTES, TREE_HEADER_BYTES)
})

t.test('a whole sequence number given as echo leaves its low 16 bits', async t => {
  const head = new Uint8Array(BULK_HEADER_BYTES)
  bulk.writeBulkHeader(head, TAG.ECHO, 0, 0, 1, 1, 0, 0x1234_5678, 0)
  t.equal(bulk.echoOf(head), 0x5678)
  t.ok(bulk.isBulk(head))
})

t.test('a datagram too short for a tag has none', async t => {
  t.equal(bulk.tagOf(new Uint8Array(1)), undefined)
})

function faultOf(datagram: Uint8Array, read: Message | Malformed): string | undefined {
  if (bulk.isBulk(datagram) !== isBulkMessage(read)) return 'isBulk differs'
  if (read.kind === 'malformed') return REASONS.has(read.reason) ? undefined : `unknown reason ${read.reason}`
  const again = new Uint8Array(encodedSize(read))
  encode(read, again)
  return Buffer.compare(again, datagram) === 0 ? undefined : 'another way back'
}

function isBulkMessage(message: Message | Malformed): message is Chunk | Tree | Echo | Have {
  return ['chunk', 'tree', 'echo', 'have'].includes(message.kind)
}

type Rng = (below: number) => number

/** Mulberry32: small and good enough to choose mutations by. */
function randomFrom(seed: number): Rng {
  let state = seed >>> 0
  return below => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** One of `seeds` with one to four changes, in `scratch`. */
function mutated(seeds: readonly Uint8Array[], scratch: Uint8Array, random: Rng): Uint8Array {
  const seed = seeds[random(seeds.length)]!
  scratch.set(seed)
  let size = seed.length
  for (let changes = 1 + random(4); changes > 0; changes--) {
    // Half of all changes hit the front, where headers, counts and kinds stand.
    const at = random(Math.max(1, random(2) === 0 ? Math.min(size, 48) : size))
    switch (random(7)) {
      case 0:
        scratch[at] = scratch[at]! ^ (1 << random(8))
        break
      case 1:
        scratch[at] = random(256)
        break
      case 2:
        scratch[at] = EDGES[random(EDGES.length)]!
        break
      case 3:
        size = at
        break
      case 4: {
        const more = 1 + random(40)
        for (let i = 0; i < more; i++) scratch[size + i] = random(256)
        size += more
        break
      }
      case 5: {
        const other = seeds[random(seeds.length)]!
        scratch.set(other.subarray(at, at + 64), at)
        size = Math.max(size, Math.min(other.length, at + 64))
        break
      }
      default:
        scratch.copyWithin(at, at + 1 + random(8), size)
    }
  }
  return scratch.subarray(0, size)
}

/** Random octets behind a header that passes more often than not. */
function randomOctets(scratch: Uint8Array, random: Rng): Uint8Array {
  const size = random(160)
  for (let at = 0; at < size; at++) scratch[at] = random(256)
  if (random(8) > 0) {
    scratch[0] = 0x10
    scratch[1] = random(0x16)
  }
  return scratch.subarray(0, size)
}
