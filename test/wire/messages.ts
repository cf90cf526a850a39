// Messages of every kind for fast-check: any value that the wire can carry, with the edges well represented.
import fc from 'fast-check'
import { blockIndex, peerId, sequence } from '../../src/units.js'
import { formatAddress } from '../../src/wire/address.js'
import * as wire from '../../src/wire/layout.js'
import type { BlockRange, List, Message, Offer } from '../../src/wire/message.js'
import { isName } from '../../src/wire/name.js'
import { entrySize, offersSize } from '../../src/wire/size.js'

/** Plain objects, as `decode` gives them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T>(model, { noNullPrototype: true })
const u8 = fc.integer({ min: 0, max: 0xff })
const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const session = fc.bigInt({ min: 1n, max: 0xffff_ffff_ffff_ffffn })
const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const upTo = (max: number, min = 0) => fc.integer({ min, max })
const common = { session, sequence: upTo(0xffff_ffff, 1).map(sequence) }
const bulk = { ...common, sentAt: u32, echo: u16, hold: u16, appLimited: fc.boolean() }
const reason = fc.constantFrom(...Object.values(wire.REASON))
const block = upTo(wire.BLOCKS_MAX - 1).map(blockIndex)
const height = upTo(wire.TREE_HEIGHT_MAX)

const offer: fc.Arbitrary<Offer> = fc.record<Offer>(
  {
    isPartial: fc.constant(true as const),
    name: fc.string({ unit: 'binary', minLength: 1, maxLength: 120 }).filter(isName),
    size: fc.maxSafeNat().map(size => size % (wire.FILE_BYTES_MAX + 1)),
    root: octets(wire.HASH_BYTES),
  },
  { noNullPrototype: true, requiredKeys: ['name', 'size', 'root'] },
)
const offers = fc
  .array(offer, { maxLength: wire.OFFERS_MAX })
  .filter(offers => wire.REGISTER_OFFERS_AT + offersSize(offers) <= wire.REGISTER_BYTES_MAX)

const entry = fc.oneof(
  record({ kind: fc.constant('left' as const), peer: u32.map(peerId), reason }),
  record({
    kind: fc.constant('present' as const),
    peer: u32.map(peerId),
    session,
    address: fc.oneof(octets(wire.IPV4_BYTES), octets(wire.IPV6_BYTES)).map(formatAddress),
    port: upTo(0xffff, 1),
    ttlLeft: u32,
    offers,
  }),
)
const entries = fc
  .array(entry, { maxLength: 40 })
  .filter(entries => entries.reduce((sum, entry) => sum + entrySize(entry), wire.LIST_ENTRIES_AT) <= 1_200)

const present = entries.map(entries => entries.filter(({ kind }) => kind === 'present'))
const cookie = fc
  .tuple(record({ kind: fc.constant('cookie' as const), ...common, cookie: octets(wire.COOKIE_BYTES) }), u32, present)
  .map(([cookie, version, entries]) => ({ ...cookie, version, entries: version === 0 ? [] : entries }))
  .filter(({ entries }) => entries.reduce((sum, entry) => sum + entrySize(entry), wire.COOKIE_ENTRIES_AT) <= 1_200)

/** `version` and `base` as they must stand to each other. */
const versions = fc.tuple(u32, u32).map(([a, b]) => ({ version: Math.max(a, b), base: a === b ? 0 : Math.min(a, b) }))
const pages = fc.tuple(upTo(wire.LIST_PAGES_MAX, 1), u16).map(([pages, page]) => ({ pages, page: page % pages }))
const list = fc
  .tuple(record({ kind: fc.constant('list' as const), ...common, epoch: session, entries }), versions, pages)
  .map(([list, versions, pages]): List => ({ ...list, ...versions, ...pages }))

const range: fc.Arbitrary<BlockRange> = fc
  .tuple(block, upTo(0xffff, 1))
  .map(([first, count]) => ({ first, count: Math.min(count, wire.BLOCKS_MAX - first) }))
const newest = fc.tuple(u32, u32).map(([largest, proof]) => ({
  largest: sequence(largest),
  proof: largest === 0 ? 0 : proof,
}))
const pull = fc
  .tuple(
    record({
      kind: fc.constant('pull' as const),
      ...common,
      member: session,
      root: octets(wire.HASH_BYTES),
      statement: u32,
      credit: u32.map(sequence),
      rate: upTo(0xffff_ffff, 1),
      horizon: u32.map(sequence),
      chunkSize: upTo(wire.CHUNK_BYTES_MAX, wire.CHUNK_BYTES_MIN),
      spare: upTo(wire.DATAGRAM_BYTES_MAX),
      probe: fc.oneof(fc.constant(0), upTo(wire.DATAGRAM_BYTES_MAX, wire.PROBE_BYTES_MIN)),
      pages: fc.array(record({ height: fc.oneof(height, fc.constant(wire.LOG_HEIGHT)), index: u32 }), {
        maxLength: 20,
      }),
      ranges: fc.array(range, { maxLength: 40 }),
      blocks: fc.array(
        record({
          block,
          wanted: octets(wire.PULL_BITMAP_BYTES).filter(wanted => wanted.some(octet => octet !== 0)),
        }),
        { maxLength: 60 },
      ),
    }),
    newest,
  )
  .map(([{ spare, ...pull }, newest]) => ({
    ...pull,
    ...newest,
    datagram: Math.min(wire.DATAGRAM_BYTES_MAX, wire.CHUNK_HEADER_BYTES + pull.chunkSize + spare),
  }))

const chunk = fc
  .tuple(
    record({ kind: fc.constant('chunk' as const), ...bulk, retransmitted: fc.boolean(), block, offset: u16 }),
    fc.uint8Array({ minLength: 1, maxLength: 1_500 }),
  )
  .map(([chunk, octets]) => ({ ...chunk, payload: octets.subarray(0, wire.BLOCK_BYTES - chunk.offset) }))

const have = fc
  .tuple(
    record({
      kind: fc.constant('have' as const),
      ...bulk,
      ranges: fc
        .array(fc.tuple(range, fc.boolean()), { maxLength: wire.HAVE_RANGES_MAX })
        .map(ranges => ranges.map(([range, isComing]) => ({ isComing, ...range }))),
    }),
    upTo(wire.PLACES_MAX - 1),
    upTo(wire.PLACES_MAX, 1),
  )
  .map(([have, from, places]) => ({ ...have, from, to: Math.min(wire.PLACES_MAX, from + places) }))

const acknowledged = fc
  .tuple(
    record({
      kind: fc.constant('list-ack' as const),
      ...common,
      epoch: session,
      page: upTo(wire.LIST_PAGES_MAX - 1),
    }),
    versions,
  )
  .map(([ack, versions]) => ({ ...ack, ...versions }))

export const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  record({ kind: fc.constant('hello' as const), ...common, padding: upTo(1_186, 25) }),
  cookie,
  record({
    kind: fc.constant('register' as const),
    ...common,
    cookie: octets(wire.COOKIE_BYTES),
    ttl: upTo(wire.TTL_MAX_SECONDS),
    offers,
  }),
  record({
    kind: fc.constant('registered' as const),
    ...common,
    epoch: session,
    peer: u32.map(peerId),
    ttlLeft: u32,
    heartbeat: upTo(0xffff, 1),
    version: u32,
  }),
  record({ kind: fc.constant('heartbeat' as const), ...common, ack: fc.boolean(), version: u32, ttlLeft: u32 }),
  list,
  acknowledged,
  record({ kind: fc.constant('goodbye' as const), ...common, ack: fc.boolean(), reason }),
  record({
    kind: fc.constant('error' as const),
    ...common,
    code: fc.constantFrom(...Object.values(wire.ERROR_CODE)),
    tag: u8,
  }),
  pull,
  chunk,
  record({
    kind: fc.constant('tree' as const),
    ...bulk,
    retransmitted: fc.boolean(),
    height,
    index: u32,
    hashes: upTo(wire.TREE_PAGE_HASHES_MAX, 1).chain(count => octets(count * wire.HASH_BYTES)),
  }),
  record({ kind: fc.constant('echo' as const), ...bulk }),
  record({
    kind: fc.constant('probe' as const),
    ...common,
    padding: upTo(wire.DATAGRAM_BYTES_MAX - wire.HEADER_BYTES, wire.PROBE_BYTES_MIN - wire.HEADER_BYTES),
  }),
  have,
)
