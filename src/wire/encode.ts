// Messages to octets, at exact size. A value that no datagram may hold is a fault of ours, not of the network: it stops
// the process here, before a receiver would have to drop it.
import { assert, unreachable } from '../errors.js'
import { parseAddress } from './address.js'
import {
  COOKIE_COUNT_AT,
  ENTRY,
  FAMILY,
  FLAG,
  HASH_BYTES,
  HELD,
  IPV4_BYTES,
  LIST_COUNT_AT,
  STATE,
  TAG,
  type Tag,
  VERSION,
} from './layout.js'
import { BYTES } from './lengths.js'
import type {
  Chunk,
  Echo,
  Have,
  List,
  ListEntry,
  Message,
  Offer,
  PresentEntry,
  Pull,
  Register,
  Tree,
} from './message.js'
import { nameOctets } from './name.js'
import { rangeFault } from './ranges.js'
import { encodedSize } from './size.js'
import { Writer } from './writer.js'

export { encodedSize } from './size.js'

export const TAG_OF: Readonly<Record<Message['kind'], Tag>> = {
  hello: TAG.HELLO,
  cookie: TAG.COOKIE,
  register: TAG.REGISTER,
  registered: TAG.REGISTERED,
  heartbeat: TAG.HEARTBEAT,
  list: TAG.LIST,
  'list-ack': TAG.LIST_ACK,
  goodbye: TAG.GOODBYE,
  error: TAG.ERROR,
  pull: TAG.PULL,
  probe: TAG.PROBE,
  chunk: TAG.CHUNK,
  tree: TAG.TREE,
  echo: TAG.ECHO,
  have: TAG.HAVE,
}

/** Entries that went out before, as octets, their count first: the manager shows the same ones to thousands. */
const written = new WeakMap<readonly ListEntry[], Uint8Array>()
const NO_ENTRIES: readonly ListEntry[] = []
const COUNT_BYTES = 1
/** The octet above an offer's size says how much of it the peer has. */
const SIZE_BITS = 56n
/** The octet above a HAVE's first block is the state of its range. */
const FIRST_VALUES = 2 ** 24

/**
 * Writes `message` into `into` from `at` on, and nothing beyond it.
 *
 * @returns octets written: `encodedSize(message)`
 * @throws InvariantError where a value is out of its range or the room too small
 */
export function encode(message: Message, into: Uint8Array, at = 0): number {
  const entries = message.kind === 'cookie' || message.kind === 'list' ? message.entries : NO_ENTRIES
  const known = written.get(entries)
  const rest = known === undefined ? message : ({ ...message, entries: NO_ENTRIES } as Message)
  const fault = rangeFault(rest)
  assert(fault === undefined, `our own ${message.kind} breaks a rule: ${fault}`)
  const size = known === undefined ? encodedSize(message) : encodedSize(rest) - COUNT_BYTES + known.length
  const { min, max } = BYTES[TAG_OF[message.kind]]
  assert(size >= min && size <= max, `our own ${message.kind} takes ${size} octets, not ${min} to ${max}`)
  assert(into.length - at >= size, `no room for ${size} octets at ${at} of ${into.length}`)

  const write = new Writer(into, at, size)
  write.u8((VERSION << 4) | flagsOf(message))
  write.u8(TAG_OF[message.kind])
  write.u64(message.session)
  write.u32(message.sequence)
  writeBody(write, message)
  assert(write.at === at + size, `${message.kind} ended at ${write.at}, not at ${at + size}`)
  if (known === undefined && entries.length > 0) {
    const countAt = message.kind === 'cookie' ? COOKIE_COUNT_AT : LIST_COUNT_AT
    written.set(entries, into.slice(at + countAt, at + size))
  }
  return size
}

function flagsOf(message: Message): number {
  switch (message.kind) {
    case 'heartbeat':
    case 'goodbye':
      return message.ack ? FLAG.ACK : 0
    case 'chunk':
    case 'tree':
      return (message.retransmitted ? FLAG.RETRANSMITTED : 0) | (message.appLimited ? FLAG.APP_LIMITED : 0)
    case 'echo':
    case 'have':
      return message.appLimited ? FLAG.APP_LIMITED : 0
    default:
      return 0
  }
}

function writeBody(write: Writer, message: Message): void {
  switch (message.kind) {
    case 'hello':
    case 'probe':
      write.zeros(message.padding)
      break
    case 'cookie':
      write.octets(message.cookie)
      write.u32(message.version)
      writeEntries(write, message.entries)
      break
    case 'register':
      writeRegister(write, message)
      break
    case 'registered':
      write.u64(message.epoch)
      write.u32(message.peer)
      write.u32(message.ttlLeft)
      write.u16(message.heartbeat)
      write.u32(message.version)
      break
    case 'heartbeat':
      write.u32(message.version)
      write.u32(message.ttlLeft)
      break
    case 'list':
      writeList(write, message)
      break
    case 'list-ack':
      write.u64(message.epoch)
      write.u32(message.version)
      write.u32(message.base)
      write.u16(message.page)
      break
    case 'goodbye':
      write.u8(message.reason)
      break
    case 'error':
      write.u8(message.code)
      write.u8(message.tag)
      break
    case 'pull':
      writePull(write, message)
      break
    case 'chunk':
      writeBulkPrefix(write, message)
      write.u32(message.block)
      write.u16(message.offset)
      write.octets(message.payload)
      break
    case 'tree':
      writeBulkPrefix(write, message)
      write.u8(message.height)
      write.u32(message.index)
      write.u8(message.hashes.length / HASH_BYTES)
      write.octets(message.hashes)
      break
    case 'echo':
      writeBulkPrefix(write, message)
      break
    case 'have':
      writeBulkPrefix(write, message)
      write.u32(message.from)
      write.u32(message.to)
      write.u8(message.ranges.length)
      for (const { isComing, first, count } of message.ranges) {
        write.u32((isComing ? STATE.COMING : STATE.THERE) * FIRST_VALUES + first)
        write.u16(count)
      }
      break
    default:
      unreachable(message)
  }
}

function writeBulkPrefix(write: Writer, message: Chunk | Tree | Echo | Have): void {
  write.u32(message.sentAt)
  write.u16(message.echo)
  write.u16(message.hold)
}

function writeRegister(write: Writer, message: Register): void {
  write.octets(message.cookie)
  write.u32(message.ttl)
  writeOffers(write, message.offers)
}

function writeOffers(write: Writer, offers: readonly Offer[]): void {
  write.u8(offers.length)
  for (const offer of offers) {
    const name = nameOctets(offer.name)
    write.u64(BigInt(offer.size) | (BigInt(offer.isPartial ? HELD.PART : HELD.WHOLE) << SIZE_BITS))
    write.octets(offer.root)
    write.u8(name.length)
    write.octets(name)
  }
}

function writeList(write: Writer, message: List): void {
  write.u64(message.epoch)
  write.u32(message.version)
  write.u32(message.base)
  write.u16(message.page)
  write.u16(message.pages)
  writeEntries(write, message.entries)
}

function writeEntries(write: Writer, entries: readonly ListEntry[]): void {
  const known = written.get(entries)
  if (known !== undefined) {
    write.octets(known)
    return
  }
  write.u8(entries.length)
  for (const entry of entries) {
    write.u8(entry.kind === 'left' ? ENTRY.LEFT : ENTRY.PRESENT)
    write.u32(entry.peer)
    if (entry.kind === 'left') write.u8(entry.reason)
    else writePresent(write, entry)
  }
}

function writePresent(write: Writer, entry: PresentEntry): void {
  const address = parseAddress(entry.address)
  assert(address !== undefined, `not an address: ${entry.address}`)
  write.u64(entry.session)
  write.u8(address.length === IPV4_BYTES ? FAMILY.IPV4 : FAMILY.IPV6)
  write.octets(address)
  write.u16(entry.port)
  write.u32(entry.ttlLeft)
  writeOffers(write, entry.offers)
}

function writePull(write: Writer, message: Pull): void {
  write.u64(message.member)
  write.octets(message.root)
  write.u32(message.statement)
  write.u32(message.credit)
  write.u32(message.rate)
  write.u32(message.horizon)
  write.u32(message.largest)
  write.u32(message.proof)
  write.u16(message.chunkSize)
  write.u16(message.datagram)
  write.u16(message.probe)
  write.u8(message.pages.length)
  write.u8(message.ranges.length)
  write.u8(message.blocks.length)
  for (const { height, index } of message.pages) {
    write.u8(height)
    write.u32(index)
  }
  for (const { first, count } of message.ranges) {
    write.u32(first)
    write.u16(count)
  }
  for (const { block, wanted } of message.blocks) {
    write.u32(block)
    write.octets(wanted)
  }
}
