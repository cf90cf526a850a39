// How changes of the list become LIST pages: each page is one datagram of CONTROL_BYTES_MAX octets at most.
import { type Instant, instant, NEVER, since } from '../units.js'
import { CONTROL_BYTES_MAX, LIST_ENTRIES_AT, LIST_PAGES_MAX, type Reason, TTL_LEFT_MAX_MS } from '../wire/layout.js'
import type { ListEntry } from '../wire/message.js'
import { entrySize } from '../wire/size.js'
import type { ListedPeer } from './listed-peer.js'

/** What happened to one peer, the latest only. */
export type ListChange =
  | { readonly kind: 'present'; readonly row: ListedPeer }
  | { readonly kind: 'left'; readonly row: ListedPeer; readonly reason: Reason }

/** The changes from one version (0 = the whole list) to another. Members at one version share them. */
export interface ListPages {
  readonly version: number
  readonly base: number
  readonly pages: readonly (readonly ListChange[])[]
}

/** The count of entries on a page is one octet. */
const PAGE_ENTRIES_MAX = 255
const PAGE_BYTES = CONTROL_BYTES_MAX - LIST_ENTRIES_AT
/**
 * Octets of entries that fit LIST_PAGES_MAX pages however they fall: the first entry of a page did not fit the page before
 * it, so any two neighbours hold more than one page's octets.
 */
export const LIST_BYTES_MAX = Math.floor((LIST_PAGES_MAX - 1) / 2) * PAGE_BYTES
/** An entry's size is the same at any time. */
const ANY_TIME = instant(0)

/** Fills page after page; there is one page at least. */
export function divide(changes: Iterable<ListChange>): readonly (readonly ListChange[])[] {
  let page: ListChange[] = []
  let room = PAGE_BYTES
  const pages = [page]
  for (const change of changes) {
    const size = changeBytes(change)
    if (size > room || page.length === PAGE_ENTRIES_MAX) {
      page = []
      room = PAGE_BYTES
      pages.push(page)
    }
    page.push(change)
    room -= size
  }
  return pages
}

/** Octets of a peer's entry. */
export function rowBytes(row: ListedPeer): number {
  return changeBytes({ kind: 'present', row })
}

/** An entry as it stands on a page sent at `now`. */
export function toEntry(change: ListChange, now: Instant): ListEntry {
  const { peer, session, endpoint, expires, offers } = change.row
  if (change.kind === 'left') return { kind: 'left', peer, reason: change.reason }
  const { address, port } = endpoint
  return { kind: 'present', peer, session, address, port, ttlLeft: ttlLeft(expires, now), offers }
}

/** Milliseconds left, for the wire: 0 means no TTL, so what is about to end still counts 1. */
export function ttlLeft(expires: Instant, now: Instant): number {
  if (expires === NEVER) return 0
  return Math.min(TTL_LEFT_MAX_MS, Math.max(1, Math.round(since(now, expires))))
}

function changeBytes(change: ListChange): number {
  return entrySize(toEntry(change, ANY_TIME))
}
