// A peer's copy of the manager's list. Pages come in any order, doubled, and of more than one version; the copy only
// ever moves from one whole version to a newer whole one. One set of pages is gathered at a time.
import { type Endpoint, endpointKey } from '../endpoint.js'
import { after, type Instant, NEVER, type PeerId } from '../units.js'
import { PEERS_MAX, REASON } from '../wire/layout.js'
import type { LeftEntry, List, ListEntry, PresentEntry } from '../wire/message.js'
import type { Departure } from './event.js'
import type { ListedPeer } from './listed-peer.js'

/** What became of a page. `kept` and `old` ones are to be acknowledged too; after a `gap`, ask. */
export type PageOutcome =
  | { readonly kind: 'kept' | 'old' | 'gap' | 'refused' }
  | { readonly kind: 'applied'; readonly joined: readonly ListedPeer[]; readonly left: readonly Departure[] }

type Change = { readonly kind: 'present'; readonly row: ListedPeer } | LeftEntry

/** Pages that lead from `base` to `version`, as far as they came. */
interface Gathering {
  readonly version: number
  readonly base: number
  readonly pages: number
  readonly received: Map<number, readonly Change[]>
  changes: number
}

/** In one set of pages, and rows in all: everyone may have left and come anew. */
const CHANGES_MAX = 2 * PEERS_MAX

/** What a member needs of its copy. */
export type ListFollower = Pick<ListCopy, 'version' | 'rows' | 'find' | 'startOver' | 'onPage'>

export class ListCopy {
  #version = 0
  readonly #rows = new Map<PeerId, ListedPeer>()
  readonly #byEndpoint = new Map<string, ListedPeer>()
  #gathering: Gathering | undefined

  /** 0 before the first snapshot of this manager. */
  get version(): number {
    return this.#version
  }

  get rows(): ReadonlyMap<PeerId, ListedPeer> {
    return this.#rows
  }

  find(endpoint: Endpoint): ListedPeer | undefined {
    return this.#byEndpoint.get(endpointKey(endpoint))
  }

  /** Another manager's list begins; what we hold stays until its first snapshot is whole. */
  startOver(): void {
    this.#version = 0
    this.#gathering = undefined
  }

  onPage(page: List, now: Instant): PageOutcome {
    if (page.version <= this.#version) return { kind: 'old' }
    if (page.base > this.#version) return { kind: 'gap' }
    const gathering = this.#gatheringFor(page)
    if (gathering === undefined) return { kind: 'refused' }
    if (gathering.received.has(page.page)) return { kind: 'kept' }
    gathering.changes += page.entries.length
    if (gathering.changes > CHANGES_MAX) {
      this.#gathering = undefined
      return { kind: 'refused' }
    }
    const changes = page.entries.map(entry => toChange(entry, now))
    gathering.received.set(page.page, changes)
    return gathering.received.size < gathering.pages ? { kind: 'kept' } : this.#apply(gathering)
  }

  /** The set that this page belongs to; none for a page of an older version than the one being gathered. */
  #gatheringFor({ version, base, pages }: List): Gathering | undefined {
    const current = this.#gathering
    if (current?.version === version && current.base === base && current.pages === pages) return current
    if (current !== undefined && current.version > version) return undefined
    this.#gathering = { version, base, pages, received: new Map(), changes: 0 }
    return this.#gathering
  }

  #apply(gathering: Gathering): PageOutcome {
    this.#gathering = undefined
    const isDelta = gathering.base > 0
    if (isDelta && this.#rows.size + gathering.changes > CHANGES_MAX) return { kind: 'refused' }
    const isOtherManager = this.#version === 0
    this.#version = gathering.version
    const changes = [...gathering.received.values()].flat()
    return isDelta ? this.#applyDelta(changes) : this.#applySnapshot(changes, isOtherManager)
  }

  #applyDelta(changes: readonly Change[]): PageOutcome {
    const joined: ListedPeer[] = []
    const left: Departure[] = []
    for (const change of changes) {
      if (change.kind === 'present') {
        if (!this.#rows.has(change.row.peer)) joined.push(change.row)
        this.#put(change.row)
      } else {
        const peer = this.#rows.get(change.peer)
        if (peer === undefined) continue
        left.push({ peer, reason: change.reason })
        this.#delete(peer)
      }
    }
    return { kind: 'applied', joined, left }
  }

  /**
   * Ids are one manager's own: in the list of another manager, a peer that we know is who has the same endpoint and
   * session, and it neither left nor joined.
   */
  #applySnapshot(changes: readonly Change[], isOtherManager: boolean): PageOutcome {
    const identity = ({ peer, session, endpoint }: ListedPeer) =>
      isOtherManager ? `${endpointKey(endpoint)} ${session}` : peer
    const before = new Map([...this.#rows.values()].map(row => [identity(row), row]))
    const joined: ListedPeer[] = []
    this.#rows.clear()
    this.#byEndpoint.clear()
    for (const change of changes) {
      if (change.kind === 'left') continue
      this.#put(change.row)
      if (!before.delete(identity(change.row))) joined.push(change.row)
    }
    // A snapshot does not say why someone is missing.
    const left = [...before.values()].map(peer => ({ peer, reason: REASON.SILENT }))
    return { kind: 'applied', joined, left }
  }

  #put(row: ListedPeer): void {
    this.#rows.set(row.peer, row)
    this.#byEndpoint.set(endpointKey(row.endpoint), row)
  }

  #delete(row: ListedPeer): void {
    this.#rows.delete(row.peer)
    // Its endpoint may be another's by now, who replaced it.
    const key = endpointKey(row.endpoint)
    if (this.#byEndpoint.get(key)?.peer === row.peer) this.#byEndpoint.delete(key)
  }
}

function toChange(entry: ListEntry, now: Instant): Change {
  return entry.kind === 'left' ? entry : { kind: 'present', row: toRow(entry, now) }
}

export function toRow({ peer, session, address, port, ttlLeft, offers }: PresentEntry, now: Instant): ListedPeer {
  const expires = ttlLeft === 0 ? NEVER : after(now, ttlLeft)
  return { peer, session, endpoint: { address, port }, expires, offers }
}
