// How many octets a message takes as a datagram, and its parts in it: for `encode`, and for who fills pages.
import { unreachable } from '../errors.js'
import {
  CHUNK_HEADER_BYTES,
  COOKIE_ENTRIES_AT,
  ECHO_BYTES,
  ENTRY_LEFT_BYTES,
  ENTRY_PRESENT_FIXED_BYTES,
  ERROR_BYTES,
  GOODBYE_BYTES,
  HAVE_RANGE_BYTES,
  HAVE_RANGES_AT,
  HEADER_BYTES,
  HEARTBEAT_BYTES,
  IPV4_BYTES,
  IPV6_BYTES,
  LIST_ACK_BYTES,
  LIST_ENTRIES_AT,
  OFFER_FIXED_BYTES,
  PULL_BLOCK_BYTES,
  PULL_PAGE_BYTES,
  PULL_RANGE_BYTES,
  PULL_WANTS_AT,
  REGISTER_OFFERS_AT,
  REGISTERED_BYTES,
  TREE_HEADER_BYTES,
} from './layout.js'
import type { ListEntry, Message, Offer } from './message.js'
import { nameOctets } from './name.js'

/** Octets of the datagram that `message` becomes. */
export function encodedSize(message: Message): number {
  switch (message.kind) {
    case 'hello':
    case 'probe':
      return HEADER_BYTES + message.padding
    case 'cookie':
      return message.entries.reduce((sum, entry) => sum + entrySize(entry), COOKIE_ENTRIES_AT)
    case 'register':
      return REGISTER_OFFERS_AT + offersSize(message.offers)
    case 'registered':
      return REGISTERED_BYTES
    case 'heartbeat':
      return HEARTBEAT_BYTES
    case 'list':
      return message.entries.reduce((sum, entry) => sum + entrySize(entry), LIST_ENTRIES_AT)
    case 'list-ack':
      return LIST_ACK_BYTES
    case 'goodbye':
      return GOODBYE_BYTES
    case 'error':
      return ERROR_BYTES
    case 'pull':
      return (
        PULL_WANTS_AT +
        message.pages.length * PULL_PAGE_BYTES +
        message.ranges.length * PULL_RANGE_BYTES +
        message.blocks.length * PULL_BLOCK_BYTES
      )
    case 'chunk':
      return CHUNK_HEADER_BYTES + message.payload.length
    case 'tree':
      return TREE_HEADER_BYTES + message.hashes.length
    case 'echo':
      return ECHO_BYTES
    case 'have':
      return HAVE_RANGES_AT + message.ranges.length * HAVE_RANGE_BYTES
    default:
      return unreachable(message)
  }
}

/** Octets that an entry takes on a LIST page and in a COOKIE, for who fills them. */
export function entrySize(entry: ListEntry): number {
  if (entry.kind === 'left') return ENTRY_LEFT_BYTES
  const addressBytes = entry.address.includes(':') ? IPV6_BYTES : IPV4_BYTES
  return ENTRY_PRESENT_FIXED_BYTES - IPV4_BYTES + addressBytes + offersSize(entry.offers)
}

/** Octets that offers take in a REGISTER and in a list entry, their count not included. */
export function offersSize(offers: readonly Offer[]): number {
  return offers.reduce((sum, offer) => sum + OFFER_FIXED_BYTES + nameOctets(offer.name).length, 0)
}
