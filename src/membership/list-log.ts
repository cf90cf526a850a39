// The manager's list with its versions. A change is staged first; `commit` makes all that is staged one new version,
// so that changes made together cost every member one delta. The last changes are kept to make deltas from; who
// lacks older ones gets a snapshot.
import type { PeerId } from '../units.js'
import type { Reason } from '../wire/layout.js'
import type { Departure } from './event.js'
import type { ListedPeer } from './listed-peer.js'
import { divide, type ListChange, type ListPages } from './pages.js'

interface Commit {
  readonly version: number
  readonly changes: readonly ListChange[]
}

/** Divisions kept for members at different versions; nearly all are at one or two. */
const DIVISIONS_MAX = 16

export class ListLog {
  readonly #changesMax: number
  #version = 0
  readonly #rows = new Map<PeerId, ListedPeer>()
  readonly #staged = new Map<PeerId, ListChange>()
  /** Oldest first, without gaps; `#kept` counts their changes. */
  readonly #commits: Commit[] = []
  #kept = 0
  /** By base, for the present version. */
  readonly #divisions = new Map<number, ListPages>()

  constructor(changesMax: number) {
    this.#changesMax = changesMax
  }

  /** Of the last commit; 0 before the first. */
  get version(): number {
    return this.#version
  }

  /** The list as last committed. */
  get rows(): ReadonlyMap<PeerId, ListedPeer> {
    return this.#rows
  }

  get hasStaged(): boolean {
    return this.#staged.size > 0
  }

  /** A new peer, or new offers of a listed one. */
  put(row: ListedPeer): void {
    this.#staged.set(row.peer, { kind: 'present', row })
  }

  /** Someone who came and went within one commit is told to nobody. */
  remove(row: ListedPeer, reason: Reason): void {
    if (this.#rows.has(row.peer)) this.#staged.set(row.peer, { kind: 'left', row, reason })
    else this.#staged.delete(row.peer)
  }

  unstage(): void {
    this.#staged.clear()
  }

  /** Makes what is staged the next version. */
  commit(): { readonly joined: readonly ListedPeer[]; readonly left: readonly Departure[] } {
    const joined: ListedPeer[] = []
    const left: Departure[] = []
    const changes = [...this.#staged.values()]
    for (const change of changes) {
      if (change.kind === 'left') {
        left.push({ peer: change.row, reason: change.reason })
        this.#rows.delete(change.row.peer)
      } else {
        if (!this.#rows.has(change.row.peer)) joined.push(change.row)
        this.#rows.set(change.row.peer, change.row)
      }
    }
    this.#staged.clear()
    this.#version++
    this.#keep({ version: this.#version, changes })
    this.#divisions.clear()
    return { joined, left }
  }

  /** What leads from the version that a member holds to the present one. */
  pagesFrom(held: number): ListPages {
    const base = this.#reaches(held) ? held : 0
    const made = this.#divisions.get(base)
    if (made !== undefined) return made
    const changes = base === 0 ? this.#snapshot() : this.#since(base)
    const division = { version: this.#version, base, pages: divide(changes) }
    if (this.#divisions.size === DIVISIONS_MAX) this.#divisions.clear()
    this.#divisions.set(base, division)
    return division
  }

  #keep(commit: Commit): void {
    this.#commits.push(commit)
    this.#kept += commit.changes.length
    while (this.#kept > this.#changesMax) this.#kept -= this.#commits.shift()!.changes.length
  }

  #reaches(held: number): boolean {
    const oldest = this.#commits[0]
    return oldest !== undefined && held > 0 && held < this.#version && oldest.version <= held + 1
  }

  *#snapshot(): Iterable<ListChange> {
    for (const row of this.#rows.values()) yield { kind: 'present', row }
  }

  /** The last change of every peer that changed after `base`. */
  #since(base: number): Iterable<ListChange> {
    const latest = new Map<PeerId, ListChange>()
    for (const commit of this.#commits) {
      if (commit.version <= base) continue
      for (const change of commit.changes) latest.set(change.row.peer, change)
    }
    return latest.values()
  }
}
