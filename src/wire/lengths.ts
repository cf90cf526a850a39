// How long each datagram is: the rules that hold before anything is parsed. They walk the octets without allocating, and
// check each count before they follow it, so that what they pass can be parsed without looking at the end again.
import {
  CHUNK_HEADER_BYTES,
  CONTROL_BYTES_MAX,
  COOKIE_COUNT_AT,
  COOKIE_ENTRIES_AT,
  DATAGRAM_BYTES_MAX,
  ECHO_BYTES,
  ENTRY,
  ENTRY_FAMILY_AT,
  ENTRY_LEFT_BYTES,
  ENTRY_PRESENT_FIXED_BYTES,
  ERROR_BYTES,
  FAMILY,
  GOODBYE_BYTES,
  HASH_BYTES,
  HAVE_COUNT_AT,
  HAVE_RANGE_BYTES,
  HAVE_RANGES_AT,
  HAVE_RANGES_MAX,
  HEARTBEAT_BYTES,
  HELLO_BYTES_MIN,
  IPV4_BYTES,
  IPV6_BYTES,
  LIST_ACK_BYTES,
  LIST_COUNT_AT,
  LIST_ENTRIES_AT,
  OFFER_FIXED_BYTES,
  OFFER_NAME_BYTES_AT,
  OFFERS_MAX,
  PROBE_BYTES_MIN,
  PULL_BLOCK_BYTES,
  PULL_BLOCK_COUNT_AT,
  PULL_PAGE_BYTES,
  PULL_PAGE_COUNT_AT,
  PULL_RANGE_BYTES,
  PULL_RANGE_COUNT_AT,
  PULL_WANTS_AT,
  REGISTER_BYTES_MAX,
  REGISTER_OFFER_COUNT_AT,
  REGISTER_OFFERS_AT,
  REGISTERED_BYTES,
  TAG,
  type Tag,
  TREE_COUNT_AT,
  TREE_HEADER_BYTES,
  TREE_PAGE_HASHES_MAX,
} from './layout.js'
import type { MalformedReason } from './message.js'

interface Bounds {
  readonly min: number
  readonly max: number
}
const exactly = (size: number): Bounds => ({ min: size, max: size })

/** The least and the most octets of each datagram. `min` reaches past every field at a fixed place. */
export const BYTES: Readonly<Record<Tag, Bounds>> = {
  [TAG.HELLO]: { min: HELLO_BYTES_MIN, max: CONTROL_BYTES_MAX },
  [TAG.COOKIE]: { min: COOKIE_ENTRIES_AT, max: CONTROL_BYTES_MAX },
  [TAG.REGISTER]: { min: REGISTER_OFFERS_AT, max: REGISTER_BYTES_MAX },
  [TAG.REGISTERED]: exactly(REGISTERED_BYTES),
  [TAG.HEARTBEAT]: exactly(HEARTBEAT_BYTES),
  [TAG.LIST]: { min: LIST_ENTRIES_AT, max: CONTROL_BYTES_MAX },
  [TAG.LIST_ACK]: exactly(LIST_ACK_BYTES),
  [TAG.GOODBYE]: exactly(GOODBYE_BYTES),
  [TAG.ERROR]: exactly(ERROR_BYTES),
  [TAG.PULL]: { min: PULL_WANTS_AT, max: CONTROL_BYTES_MAX },
  [TAG.CHUNK]: { min: CHUNK_HEADER_BYTES + 1, max: DATAGRAM_BYTES_MAX },
  [TAG.TREE]: { min: TREE_HEADER_BYTES, max: TREE_HEADER_BYTES + TREE_PAGE_HASHES_MAX * HASH_BYTES },
  [TAG.ECHO]: exactly(ECHO_BYTES),
  [TAG.PROBE]: { min: PROBE_BYTES_MIN, max: DATAGRAM_BYTES_MAX },
  [TAG.HAVE]: { min: HAVE_RANGES_AT, max: HAVE_RANGES_AT + HAVE_RANGES_MAX * HAVE_RANGE_BYTES },
}

/** What is wrong with the datagram's length, its counts or the kinds that lengths depend on; undefined if nothing is. */
export function lengthFault(tag: Tag, datagram: Uint8Array): MalformedReason | undefined {
  const { min, max } = BYTES[tag]
  if (datagram.length < min || datagram.length > max) return 'length'
  switch (tag) {
    case TAG.REGISTER:
      return endFault(skipOffers(datagram, REGISTER_OFFER_COUNT_AT), datagram)
    case TAG.COOKIE:
      return endFault(skipEntries(datagram, COOKIE_COUNT_AT), datagram)
    case TAG.LIST:
      return endFault(skipEntries(datagram, LIST_COUNT_AT), datagram)
    case TAG.PULL:
      return endFault(pullBytes(datagram), datagram)
    case TAG.TREE: {
      const count = datagram[TREE_COUNT_AT]!
      if (count === 0 || count > TREE_PAGE_HASHES_MAX) return 'count'
      return endFault(TREE_HEADER_BYTES + count * HASH_BYTES, datagram)
    }
    case TAG.HAVE:
      return endFault(HAVE_RANGES_AT + datagram[HAVE_COUNT_AT]! * HAVE_RANGE_BYTES, datagram)
    default:
      return undefined
  }
}

/** A place in the datagram, or what stopped the walk before it. */
type Place = number | MalformedReason

function endFault(end: Place, datagram: Uint8Array): MalformedReason | undefined {
  if (typeof end === 'string') return end
  return end === datagram.length ? undefined : 'length'
}

function pullBytes(datagram: Uint8Array): number {
  return (
    PULL_WANTS_AT +
    datagram[PULL_PAGE_COUNT_AT]! * PULL_PAGE_BYTES +
    datagram[PULL_RANGE_COUNT_AT]! * PULL_RANGE_BYTES +
    datagram[PULL_BLOCK_COUNT_AT]! * PULL_BLOCK_BYTES
  )
}

/** @returns where the offers end whose count stands at `at` and which follow it */
function skipOffers(datagram: Uint8Array, at: number): Place {
  const count = datagram[at]
  if (count === undefined) return 'length'
  if (count > OFFERS_MAX) return 'count'
  let place = at + 1
  for (let i = 0; i < count; i++) {
    const nameBytes = datagram[place + OFFER_NAME_BYTES_AT]
    if (nameBytes === undefined) return 'length'
    place += OFFER_FIXED_BYTES + nameBytes
  }
  return place
}

/** @returns where the entries end whose count stands at `at` and which follow it */
function skipEntries(datagram: Uint8Array, at: number): Place {
  const count = datagram[at]!
  let place: Place = at + 1
  for (let i = 0; i < count; i++) {
    place = skipEntry(datagram, place)
    if (typeof place === 'string') return place
  }
  return place
}

function skipEntry(datagram: Uint8Array, at: number): Place {
  const kind = datagram[at]
  if (kind === undefined) return 'length'
  if (kind === ENTRY.LEFT) return at + ENTRY_LEFT_BYTES
  if (kind !== ENTRY.PRESENT) return 'range'
  const family = datagram[at + ENTRY_FAMILY_AT]
  if (family === undefined) return 'length'
  if (family !== FAMILY.IPV4 && family !== FAMILY.IPV6) return 'family'
  const addressBytes = family === FAMILY.IPV4 ? IPV4_BYTES : IPV6_BYTES
  // The fixed part counts an IPv4 address, and ends with the count of offers.
  return skipOffers(datagram, at + ENTRY_PRESENT_FIXED_BYTES - IPV4_BYTES + addressBytes - 1)
}
