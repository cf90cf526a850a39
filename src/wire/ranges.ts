// Which values a message may hold: the rules that hold after parsing. `decode` refuses what the network breaks, `encode`
// stops the process where our own values do: one text of the rules for both.

import { unreachable } from '../errors.js'
import { parseAddress } from './address.js'
import {
  BLOCK_BYTES,
  BLOCKS_MAX,
  CHUNK_BYTES_MAX,
  CHUNK_BYTES_MIN,
  CHUNK_HEADER_BYTES,
  COOKIE_BYTES,
  DATAGRAM_BYTES_MAX,
  ERROR_CODE,
  FILE_BYTES_MAX,
  HASH_BYTES,
  LIST_PAGES_MAX,
  LOG_HEIGHT,
  OFFERS_MAX,
  PLACES_MAX,
  PROBE_BYTES_MIN,
  PULL_BITMAP_BYTES,
  REASON,
  TREE_HEIGHT_MAX,
  TREE_PAGE_HASHES_MAX,
  TTL_MAX_SECONDS,
} from './layout.js'
import type {
  BlockRange,
  Cookie,
  List,
  ListAck,
  ListEntry,
  MalformedReason,
  Message,
  Offer,
  Pull,
  Tree,
} from './message.js'
import { isName } from './name.js'

const REASONS: ReadonlySet<number> = new Set(Object.values(REASON))
const ERROR_CODES: ReadonlySet<number> = new Set(Object.values(ERROR_CODE))
const PORT_MAX = 0xffff

/** The first rule that a value of `message` breaks; undefined if all hold. Widths in octets are not looked at. */
export function rangeFault(message: Message): MalformedReason | undefined {
  if (message.session === 0n) return 'session'
  if (message.sequence === 0) return 'sequence'
  switch (message.kind) {
    case 'hello':
    case 'heartbeat':
    case 'echo':
    case 'probe':
      return undefined
    case 'cookie':
      return cookieFault(message)
    case 'register':
      return (
        rangeUnless(message.cookie.length === COOKIE_BYTES && message.ttl <= TTL_MAX_SECONDS) ??
        offersFault(message.offers)
      )
    case 'registered':
      return rangeUnless(message.epoch !== 0n && message.heartbeat > 0)
    case 'list':
      return listFault(message)
    case 'list-ack':
      return rangeUnless(message.epoch !== 0n && leadsUp(message) && message.page < LIST_PAGES_MAX)
    case 'goodbye':
      return rangeUnless(REASONS.has(message.reason))
    case 'error':
      return rangeUnless(ERROR_CODES.has(message.code))
    case 'pull':
      return pullFault(message)
    case 'chunk':
      return rangeUnless(message.block < BLOCKS_MAX && message.offset + message.payload.length <= BLOCK_BYTES)
    case 'tree':
      return treeFault(message)
    case 'have':
      return rangeUnless(message.from < message.to && message.to <= PLACES_MAX && message.ranges.every(isRange))
    default:
      return unreachable(message)
  }
}

function rangeUnless(holds: boolean): MalformedReason | undefined {
  return holds ? undefined : 'range'
}

function offersFault(offers: readonly Offer[]): MalformedReason | undefined {
  return offers.length > OFFERS_MAX ? 'count' : firstFault(offers, offerFault)
}

function offerFault({ name, size, root }: Offer): MalformedReason | undefined {
  if (size > FILE_BYTES_MAX || root.length !== HASH_BYTES) return 'range'
  return isName(name) ? undefined : 'name'
}

/** A preview is a snapshot: it knows nobody who left. */
function cookieFault({ cookie, version, entries }: Cookie): MalformedReason | undefined {
  if (cookie.length !== COOKIE_BYTES || (version === 0 && entries.length > 0)) return 'range'
  return firstFault(entries, entry => (entry.kind === 'left' ? 'range' : entryFault(entry)))
}

/** Pages lead from an older version, or from nothing. */
function leadsUp({ base, version }: List | ListAck): boolean {
  return base === 0 || base < version
}

function listFault(list: List): MalformedReason | undefined {
  const { epoch, page, pages } = list
  if (epoch === 0n || !leadsUp(list) || pages === 0 || pages > LIST_PAGES_MAX || page >= pages) return 'range'
  return firstFault(list.entries, entryFault)
}

function entryFault(entry: ListEntry): MalformedReason | undefined {
  if (entry.kind === 'left') return rangeUnless(REASONS.has(entry.reason))
  if (entry.session === 0n || entry.port === 0 || entry.port > PORT_MAX) return 'range'
  if (parseAddress(entry.address) === undefined) return 'family'
  return offersFault(entry.offers)
}

function pullFault(pull: Pull): MalformedReason | undefined {
  const { member, root, rate, largest, proof, chunkSize, datagram, probe } = pull
  if (member === 0n || root.length !== HASH_BYTES || rate === 0 || (largest === 0 && proof !== 0)) return 'range'
  if (chunkSize < CHUNK_BYTES_MIN || chunkSize > CHUNK_BYTES_MAX) return 'range'
  if (datagram < CHUNK_HEADER_BYTES + chunkSize || datagram > DATAGRAM_BYTES_MAX) return 'range'
  if (probe !== 0 && (probe < PROBE_BYTES_MIN || probe > DATAGRAM_BYTES_MAX)) return 'range'
  return rangeUnless(
    pull.pages.every(page => page.height <= TREE_HEIGHT_MAX || page.height === LOG_HEIGHT) &&
      pull.ranges.every(isRange) &&
      pull.blocks.every(
        ({ block, wanted }) =>
          block < BLOCKS_MAX && wanted.length === PULL_BITMAP_BYTES && wanted.some(octet => octet !== 0),
      ),
  )
}

function isRange({ first, count }: BlockRange): boolean {
  return count > 0 && first + count <= BLOCKS_MAX
}

function treeFault({ height, hashes }: Tree): MalformedReason | undefined {
  const count = hashes.length / HASH_BYTES
  if (!Number.isInteger(count) || count === 0 || count > TREE_PAGE_HASHES_MAX) return 'count'
  return rangeUnless(height <= TREE_HEIGHT_MAX)
}

function firstFault<T>(items: readonly T[], faultOf: (item: T) => MalformedReason | undefined) {
  for (const item of items) {
    const fault = faultOf(item)
    if (fault !== undefined) return fault
  }
  return undefined
}
