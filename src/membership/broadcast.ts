// Brings the list to all members. The first change after a quiet time becomes a version at once, the following ones
// together when the window ends: it grows with the members, so that N joins cost O(N) datagrams a window.
import { after, earliest, type Instant, instant, NEVER, type PeerId, since } from '../units.js'
import type { Reason } from '../wire/layout.js'
import type { ListAck, ListEntry } from '../wire/message.js'
import type { Outgoing } from '../wire/outgoing.js'
import { Agenda } from './agenda.js'
import type { Budget } from './budget.js'
import type { MembershipEvent } from './event.js'
import { ListLog } from './list-log.js'
import type { ListedPeer } from './listed-peer.js'
import { LIST_BYTES_MAX, type ListPages, rowBytes, toEntry } from './pages.js'
import type { Registration } from './registration.js'
import type { ManagerSettings } from './settings.js'

/** Milliseconds for which entries are shown as they are: so much too long a TTL left in them may be. */
const SHOWN_FOR = 100

interface Shown {
  readonly at: Instant
  readonly entries: readonly ListEntry[]
}

export class Broadcast {
  readonly #epoch: bigint
  readonly #settings: ManagerSettings
  readonly #budget: Budget
  readonly #log: ListLog
  readonly #members = new Set<Registration>()
  /** When a member's delivery wants to send. */
  readonly #due = new Agenda<Registration>()
  #committedAt = instant(-Infinity)
  /** Octets of all members' entries. */
  #bytes = 0
  /** By page. */
  readonly #shown = new WeakMap<ListPages, Shown[]>()

  /** @param budget shared with whatever else the manager sends of its own accord */
  constructor(epoch: bigint, settings: ManagerSettings, budget: Budget) {
    this.#epoch = epoch
    this.#settings = settings
    this.#budget = budget
    this.#log = new ListLog(settings.logChangesMax)
  }

  /** The list as last committed. */
  get rows(): ReadonlyMap<PeerId, ListedPeer> {
    return this.#log.rows
  }

  get version(): number {
    return this.#log.version
  }

  /** Whether every member holds the newest list and no change waits. */
  get isQuiet(): boolean {
    return !this.#log.hasStaged && this.#due.size === 0
  }

  /** Whether the pages of a snapshot have room for `row` in the place of `present`, if there is one. */
  hasRoomFor(row: ListedPeer, present: ListedPeer | undefined): boolean {
    const freed = present === undefined ? 0 : rowBytes(present)
    return this.#bytes - freed + rowBytes(row) <= LIST_BYTES_MAX
  }

  add(member: Registration): void {
    this.#members.add(member)
    this.#bytes += rowBytes(member.row)
    this.#log.put(member.row)
  }

  update(member: Registration, row: ListedPeer): void {
    this.#bytes += rowBytes(row) - rowBytes(member.row)
    member.row = row
    this.#log.put(row)
  }

  remove(member: Registration, reason: Reason): void {
    this.#members.delete(member)
    this.#due.delete(member)
    this.#bytes -= rowBytes(member.row)
    this.#log.remove(member.row, reason)
  }

  /** Makes what is staged a version if the window has ended. The datagrams for it go out in `tick`. */
  commitIfDue(now: Instant, events: MembershipEvent[]): void {
    if (this.#commitDueAt() > now) return
    const { joined, left } = this.#log.commit()
    this.#committedAt = now
    for (const member of this.#members) if (member.delivery.isIdle) this.#due.set(member, now)
    events.push({ kind: 'list', version: this.version, peers: [...this.rows.values()], joined, left })
  }

  onHeld(member: Registration, version: number, now: Instant, out: Outgoing[]): void {
    member.delivery.onHeld(version, this.version)
    this.deliver(member, now, out)
  }

  onAck(member: Registration, ack: ListAck, now: Instant, out: Outgoing[]): void {
    if (ack.epoch !== this.#epoch) return
    member.delivery.onAck(ack.version, ack.base, ack.page, now)
    this.deliver(member, now, out)
  }

  /** Sends what the member lacks, as far as its window and the budget allow. */
  deliver(member: Registration, now: Instant, out: Outgoing[]): void {
    const { delivery } = member
    while (!this.#budget.isSpent(now)) {
      if (this.#isBehind(member)) delivery.begin(this.#log.pagesFrom(delivery.held))
      const page = delivery.next(now)
      if (page === undefined) break
      this.#budget.take(now)
      this.#send(member, page, now, out)
    }
    this.#due.set(member, this.#isBehind(member) ? now : delivery.deadline(now))
  }

  tick(now: Instant, out: Outgoing[]): void {
    while (!this.#budget.isSpent(now)) {
      const member = this.#due.takeDue(now)
      if (member === undefined) return
      this.deliver(member, now, out)
    }
  }

  deadline(): Instant {
    return earliest(this.#commitDueAt(), this.#budget.opensAt(this.#due.earliest()))
  }

  /** Tells nobody anything any more. */
  close(): void {
    this.#members.clear()
    this.#due.clear()
    this.#log.unstage()
  }

  #isBehind({ delivery }: Registration): boolean {
    return delivery.isIdle && delivery.held < this.version
  }

  /** `NEVER` while nothing is staged. */
  #commitDueAt(): Instant {
    if (!this.#log.hasStaged) return NEVER
    // With nobody on the list there is nobody to spare.
    if (this.rows.size === 0) return this.#committedAt
    const { coalesceBase, coalescePerMember, coalesceMax } = this.#settings
    const window = Math.min(coalesceMax, coalesceBase + coalescePerMember * this.#members.size)
    return after(this.#committedAt, window)
  }

  /** Made once for all who are sent the page at about the same time. */
  #entriesOf(list: ListPages, page: number, now: Instant): readonly ListEntry[] {
    const pages = this.#shown.get(list) ?? []
    this.#shown.set(list, pages)
    const shown = pages[page]
    if (shown !== undefined && since(shown.at, now) < SHOWN_FOR) return shown.entries
    const entries = list.pages[page]!.map(change => toEntry(change, now))
    pages[page] = { at: now, entries }
    return entries
  }

  #send(member: Registration, page: number, now: Instant, out: Outgoing[]): void {
    const list = member.delivery.list!
    const { version, base, pages } = list
    const entries = this.#entriesOf(list, page, now)
    const { session } = member.row
    member.send({ kind: 'list', session, epoch: this.#epoch, version, base, page, pages: pages.length, entries }, out)
  }
}
