// Octets from anywhere to a message, or to the reason why not. Never throws, whatever the octets.
//
// The order of checks is part of the protocol (spec/wire.md): the header, then the length (lengths.ts), then values
// (ranges.ts). binary-parser stands between the last two: it clamps what runs past the end, passes over what is left
// there and throws at an unknown choice, so it sees only datagrams whose every octet is accounted for.
import { Parser } from 'binary-parser'
import { blockIndex, peerId, sequence } from '../units.js'
import { formatAddress } from './address.js'
import { flagsOf, sequenceOf, sessionHigh, sessionLow } from './bulk.js'
import {
  COOKIE_BYTES,
  ENTRY,
  FAMILY,
  FLAG,
  FLAGS_ALLOWED,
  HASH_BYTES,
  HEADER_BYTES,
  HELD,
  IPV4_BYTES,
  IPV6_BYTES,
  PULL_BITMAP_BYTES,
  SESSION_AT,
  STATE,
  TAG,
  TAG_AT,
  type Tag,
  VERSION,
  VERSION_FLAGS_AT,
} from './layout.js'
import { lengthFault } from './lengths.js'
import type {
  HaveRange,
  Hello,
  ListEntry,
  Malformed,
  MalformedReason,
  Message,
  Offer,
  PresentEntry,
  Probe,
} from './message.js'
import { nameText } from './name.js'
import { rangeFault } from './ranges.js'

/**
 * Reads one datagram. Octets in the message are its own, but for a chunk's payload and a tree page's hashes, which are
 * views of `datagram`.
 */
export function decode(datagram: Uint8Array): Message | Malformed {
  const fault = headerFault(datagram)
  if (fault !== undefined) return malformed(fault)
  const tag = datagram[TAG_AT] as Tag
  const wrongLength = lengthFault(tag, datagram)
  if (wrongLength !== undefined) return malformed(wrongLength)
  if ((tag === TAG.HELLO || tag === TAG.PROBE) && !isZero(datagram, HEADER_BYTES)) return malformed('padding')
  const message = READERS[tag](datagram)
  const wrongValue = rangeFault(message)
  return wrongValue === undefined ? message : malformed(wrongValue)
}

function malformed(reason: MalformedReason): Malformed {
  return { kind: 'malformed', reason }
}

function headerFault(datagram: Uint8Array): MalformedReason | undefined {
  if (datagram.length < HEADER_BYTES) return 'short-header'
  if (datagram[VERSION_FLAGS_AT]! >> 4 !== VERSION) return 'version'
  const tag = datagram[TAG_AT]!
  if (!isTag(tag)) return 'unknown-tag'
  if ((flagsOf(datagram) & ~FLAGS_ALLOWED[tag]) !== 0) return 'flags'
  if (sessionHigh(datagram) === 0 && sessionLow(datagram) === 0) return 'session'
  if (sequenceOf(datagram) === 0) return 'sequence'
  return undefined
}

function isTag(octet: number): octet is Tag {
  return octet in READERS
}

function isZero(datagram: Uint8Array, from: number): boolean {
  for (let at = from; at < datagram.length; at++) {
    if (datagram[at] !== 0) return false
  }
  return true
}

// Parsers name their fields as the messages do, so that what they give is the message already. Numbers of octets and
// elements, which only the datagram needs, stand under `counts`.

/** Octets that outlive the datagram, whose memory is used again. */
const copy = (octets: Uint8Array) => new Uint8Array(octets)
const start = () => new Parser().endianness('big')
const head = () => start().seek(SESSION_AT).uint64('session').uint32('sequence', { formatter: sequence })
const bulkHead = () => head().uint32('sentAt').uint16('echo').uint16('hold')
const counts = (...names: readonly string[]) => ({
  type: names.reduce((parser, name) => parser.uint8(name), start()),
})

/** The octet above an offer's size says how much of it the peer has: any other value than the two is an absurd size. */
const SIZE_BITS = 56n
const SIZE_MASK = (1n << SIZE_BITS) - 1n
const PARTIAL = BigInt(HELD.PART)

interface RawOffer {
  readonly size: bigint
  readonly root: Uint8Array
  readonly name: string
}
const offer = start()
  .uint64('size')
  .buffer('root', { length: HASH_BYTES, formatter: copy })
  .nest('counts', counts('name'))
  .buffer('name', { length: 'counts.name', formatter: nameText })
const offers = {
  type: offer,
  length: 'counts.offers',
  formatter: (raw: readonly RawOffer[]): Offer[] =>
    raw.map(({ size, root, name }) =>
      size >> SIZE_BITS === PARTIAL
        ? { name, size: Number(size & SIZE_MASK), root, isPartial: true }
        : { name, size: Number(size), root },
    ),
}

type RawEntry =
  | (Omit<PresentEntry, 'kind'> & { readonly kind: typeof ENTRY.PRESENT })
  | (Omit<Extract<ListEntry, { kind: 'left' }>, 'kind'> & { readonly kind: typeof ENTRY.LEFT })
const address = (length: number) => start().buffer('address', { length, formatter: formatAddress })
const present = start()
  .uint64('session')
  .uint8('family')
  .choice({ tag: 'family', choices: { [FAMILY.IPV4]: address(IPV4_BYTES), [FAMILY.IPV6]: address(IPV6_BYTES) } })
  .uint16('port')
  .uint32('ttlLeft')
  .nest('counts', counts('offers'))
  .array('offers', offers)
const entry = start()
  .uint8('kind')
  .uint32('peer', { formatter: peerId })
  .choice({ tag: 'kind', choices: { [ENTRY.PRESENT]: present, [ENTRY.LEFT]: start().uint8('reason') } })
const entries = {
  type: entry,
  length: 'counts.entries',
  formatter: (raw: readonly RawEntry[]): ListEntry[] => raw.map(toEntry),
}

function toEntry(raw: RawEntry): ListEntry {
  if (raw.kind === ENTRY.LEFT) return { kind: 'left', peer: raw.peer, reason: raw.reason }
  const { peer, session, address, port, ttlLeft, offers } = raw
  return { kind: 'present', peer, session, address, port, ttlLeft, offers }
}

const ranges = { type: start().uint32('first', { formatter: blockIndex }).uint16('count'), length: 'counts.ranges' }

interface RawHaveRange {
  readonly first: number
  readonly count: number
}
/** The octet above the first block is the state: any other than the two makes an absurd block. */
const FIRST_BITS = 24
const FIRST_MASK = (1 << FIRST_BITS) - 1
const haveRanges = {
  type: start().uint32('first').uint16('count'),
  length: 'counts.ranges',
  formatter: (raw: readonly RawHaveRange[]): HaveRange[] =>
    raw.map(({ first, count }) => {
      const isComing = first >>> FIRST_BITS === STATE.COMING
      return { isComing, first: blockIndex(isComing ? first & FIRST_MASK : first), count }
    }),
}

const pull = head()
  .uint64('member')
  .buffer('root', { length: HASH_BYTES, formatter: copy })
  .uint32('statement')
  .uint32('credit', { formatter: sequence })
  .uint32('rate')
  .uint32('horizon', { formatter: sequence })
  .uint32('largest', { formatter: sequence })
  .uint32('proof')
  .uint16('chunkSize')
  .uint16('datagram')
  .uint16('probe')
  .nest('counts', counts('pages', 'ranges', 'blocks'))
  .array('pages', { type: start().uint8('height').uint32('index'), length: 'counts.pages' })
  .array('ranges', ranges)
  .array('blocks', {
    type: start()
      .uint32('block', { formatter: blockIndex })
      .buffer('wanted', { length: PULL_BITMAP_BYTES, formatter: copy }),
    length: 'counts.blocks',
  })

type Reader = (datagram: Uint8Array) => Message

const ACKS = { ack: FLAG.ACK }
const PLACED = { retransmitted: FLAG.RETRANSMITTED, appLimited: FLAG.APP_LIMITED }

const hello = reader('hello', head())
const probe = reader('probe', head())
const READERS: Readonly<Record<Tag, Reader>> = {
  [TAG.HELLO]: datagram => ({ ...hello(datagram), padding: datagram.length - HEADER_BYTES }) as Hello,
  [TAG.COOKIE]: reader(
    'cookie',
    head()
      .buffer('cookie', { length: COOKIE_BYTES, formatter: copy })
      .uint32('version')
      .nest('counts', counts('entries'))
      .array('entries', entries),
  ),
  [TAG.REGISTER]: reader(
    'register',
    head()
      .buffer('cookie', { length: COOKIE_BYTES, formatter: copy })
      .uint32('ttl')
      .nest('counts', counts('offers'))
      .array('offers', offers),
  ),
  [TAG.REGISTERED]: reader(
    'registered',
    head()
      .uint64('epoch')
      .uint32('peer', { formatter: peerId })
      .uint32('ttlLeft')
      .uint16('heartbeat')
      .uint32('version'),
  ),
  [TAG.HEARTBEAT]: reader('heartbeat', head().uint32('version').uint32('ttlLeft'), ACKS),
  [TAG.LIST]: reader(
    'list',
    head()
      .uint64('epoch')
      .uint32('version')
      .uint32('base')
      .uint16('page')
      .uint16('pages')
      .nest('counts', counts('entries'))
      .array('entries', entries),
  ),
  [TAG.LIST_ACK]: reader('list-ack', head().uint64('epoch').uint32('version').uint32('base').uint16('page')),
  [TAG.GOODBYE]: reader('goodbye', head().uint8('reason'), ACKS),
  [TAG.ERROR]: reader('error', head().uint8('code').uint8('tag')),
  [TAG.PULL]: reader('pull', pull),
  [TAG.CHUNK]: reader(
    'chunk',
    bulkHead().uint32('block', { formatter: blockIndex }).uint16('offset').buffer('payload', { readUntil: 'eof' }),
    PLACED,
  ),
  [TAG.TREE]: reader(
    'tree',
    bulkHead().uint8('height').uint32('index').nest('counts', counts('hashes')).buffer('hashes', { readUntil: 'eof' }),
    PLACED,
  ),
  [TAG.ECHO]: reader('echo', bulkHead(), { appLimited: FLAG.APP_LIMITED }),
  [TAG.PROBE]: datagram => ({ ...probe(datagram), padding: datagram.length - HEADER_BYTES }) as Probe,
  [TAG.HAVE]: reader(
    'have',
    bulkHead().uint32('from').uint32('to').nest('counts', counts('ranges')).array('ranges', haveRanges),
    { appLimited: FLAG.APP_LIMITED },
  ),
}

/** @param flags the message's fields that stand in the header's flags, and their bits */
function reader(kind: Message['kind'], parser: Parser, flags: Readonly<Record<string, number>> = {}): Reader {
  const bits = Object.entries(flags)
  return datagram => {
    const fields = parser.parse(datagram) as Readonly<Record<string, unknown>>
    const message: Record<string, unknown> = { kind }
    // One by one: to leave a field out of a copy takes longer than all the rest.
    for (const name in fields) if (name !== 'counts') message[name] = fields[name]
    for (const [name, bit] of bits) message[name] = (flagsOf(datagram) & bit) !== 0
    return message as unknown as Message
  }
}
