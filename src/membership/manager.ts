// The manager keeps the list of active peers and brings it to all of them. Its rules stand in spec/membership.md:
//
// - Nothing is kept for an address, and nothing larger than the question is answered, until a cookie comes back.
// - A member is an endpoint with a session. The same session again is the same member; another one replaces it.
// - A TTL runs from the first REGISTER of a session by this clock; no later REGISTER restarts it.
// - A session that ended stays ended.
import type { Digests, Random } from '../ambient.js'
import { type Endpoint, endpointKey } from '../endpoint.js'
import { after, earliest, type Instant, NEVER, type PeerId, peerId } from '../units.js'
import { parseAddress } from '../wire/address.js'
import {
  COOKIE_ENTRIES_AT,
  ERROR_CODE,
  type ErrorCode,
  HEADER_BYTES,
  REASON,
  type Reason,
  TAG,
} from '../wire/layout.js'
import type { Goodbye, Heartbeat, Hello, ListAck, Message, Register } from '../wire/message.js'
import type { Outgoing } from '../wire/outgoing.js'
import { Admission } from './admission.js'
import { Agenda } from './agenda.js'
import { Broadcast } from './broadcast.js'
import { Budget } from './budget.js'
import { CookieJar } from './cookie.js'
import { Delivery } from './delivery.js'
import { Departures } from './departures.js'
import type { MembershipEvent } from './event.js'
import type { ListedPeer } from './listed-peer.js'
import { sameOffers } from './offers.js'
import { ttlLeft } from './pages.js'
import { Preview } from './preview.js'
import { Registration } from './registration.js'
import { MANAGER_DEFAULTS, type ManagerSettings } from './settings.js'

const MILLISECONDS_PER_SECOND = 1_000
/** The interval is sent in a u16. */
const HEARTBEAT_MAX = 0xffff
/** A member is told a longer interval when it is so much longer. */
const HEARTBEAT_STEP = 1.25

export interface ManagerOptions {
  /** The manager's own random session, by which peers notice a restart. */
  readonly epoch: bigint
  readonly random: Random
  readonly digests: Digests
  readonly settings?: Partial<ManagerSettings> | undefined
}

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'closing'; readonly until: Instant }
  | { readonly kind: 'stopped' }

export class Manager {
  readonly #epoch: bigint
  readonly #settings: ManagerSettings
  readonly #cookies: CookieJar
  readonly #preview = new Preview()
  readonly #admission: Admission
  readonly #budget: Budget
  readonly #broadcast: Broadcast
  readonly #departures: Departures
  /** By endpoint. */
  readonly #members = new Map<string, Registration>()
  /** When a member may have ended: hearing from it does not move this, so it is looked at again then. */
  readonly #ends = new Agenda<Registration>()
  #state: State = { kind: 'open' }
  #nextPeer = 1

  constructor(options: ManagerOptions) {
    const settings = { ...MANAGER_DEFAULTS, ...options.settings }
    const { registrationsPerSecond, registrationsBurst, addressesMax, burstMax, burstEvery } = settings
    this.#epoch = options.epoch
    this.#settings = settings
    this.#cookies = new CookieJar(options.random, options.digests)
    this.#admission = new Admission(registrationsPerSecond, registrationsBurst, addressesMax)
    this.#budget = new Budget(burstMax, burstEvery)
    this.#broadcast = new Broadcast(options.epoch, settings, this.#budget)
    // Room for a full list at once, and for those who left before.
    this.#departures = new Departures(2 * settings.peersMax)
  }

  /** The list as the last event showed it. */
  get list(): ReadonlyMap<PeerId, ListedPeer> {
    return this.#broadcast.rows
  }

  get version(): number {
    return this.#broadcast.version
  }

  get isStopped(): boolean {
    return this.#state.kind === 'stopped'
  }

  /** Whether every member holds the newest list and no word waits to be said or confirmed. */
  get isQuiet(): boolean {
    return this.#broadcast.isQuiet && this.#departures.unconfirmed === 0
  }

  /** Takes one message; what is not a peer's to say to a manager is ignored. Members hear of changes in `tick`. */
  receive(message: Message, from: Endpoint, now: Instant, out: Outgoing[], events: MembershipEvent[]): void {
    if (this.#state.kind === 'stopped') return
    if (message.kind === 'hello') this.#onHello(message, from, now, out)
    else if (message.kind === 'register') this.#onRegister(message, from, now, out, events)
    else if (message.kind === 'heartbeat') this.#onHeartbeat(message, from, now, out)
    else if (message.kind === 'list-ack') this.#onListAck(message, from, now, out)
    else if (message.kind === 'goodbye') this.#onGoodbye(message, from, now, out)
    this.#broadcast.commitIfDue(now, events)
  }

  tick(now: Instant, out: Outgoing[], events: MembershipEvent[]): void {
    if (this.#state.kind === 'stopped') return
    this.#endMembers(now)
    this.#broadcast.commitIfDue(now, events)
    this.#departures.tick(now, this.#budget, out)
    this.#broadcast.tick(now, out)
    if (this.#state.kind !== 'closing') return
    if (this.#departures.unconfirmed === 0 || now >= this.#state.until) this.#state = { kind: 'stopped' }
  }

  /** Says GOODBYE to all members in this tick and the next ones; stopped when all confirmed it, or soon after. */
  stop(now: Instant, out: Outgoing[]): void {
    if (this.#state.kind !== 'open') return
    for (const member of this.#members.values()) this.#depart(member, REASON.MANAGER_CLOSING, true, now)
    this.#members.clear()
    this.#ends.clear()
    this.#broadcast.close()
    this.#state = { kind: 'closing', until: after(now, this.#settings.closing) }
    this.tick(now, out, [])
  }

  deadline(): Instant {
    if (this.#state.kind === 'stopped') return NEVER
    const goodbyes = this.#budget.opensAt(this.#departures.deadline())
    if (this.#state.kind === 'closing') return earliest(goodbyes, this.#state.until)
    return earliest(goodbyes, this.#broadcast.deadline(), this.#ends.earliest())
  }

  #onHello({ session, sequence, padding }: Hello, from: Endpoint, now: Instant, out: Outgoing[]): void {
    // What no list could show can't become a member: it gets no cookie, and so no further.
    if (this.#state.kind !== 'open' || from.port === 0 || parseAddress(from.address) === undefined) return
    const cookie = this.#cookies.bake(from, session, now)
    const room = HEADER_BYTES + padding - COOKIE_ENTRIES_AT
    const preview = this.#preview.of(this.list, this.version, room, now)
    out.push({ to: from, message: { kind: 'cookie', session, sequence, cookie, ...preview } })
  }

  #onRegister(message: Register, from: Endpoint, now: Instant, out: Outgoing[], events: MembershipEvent[]): void {
    const { session } = message
    if (!this.#cookies.isFresh(message.cookie, from, session, now)) {
      refuse(message, ERROR_CODE.BAD_COOKIE, from, out)
      return
    }
    if (this.#departures.remind(from, session, out) || this.#state.kind !== 'open') return
    const present = this.#members.get(endpointKey(from))
    const isKnown = present?.row.session === session
    if (isKnown) present.heard = now
    const row = isKnown ? { ...present.row, offers: message.offers } : this.#newRow(message, from, now)
    const refusal = this.#refusal(row, present, now)
    if (refusal !== undefined) {
      refuse(message, refusal, from, out)
      return
    }
    const member = isKnown ? this.#update(present, row, message) : this.#admit(present, row, message, now)
    // Before the answer, so that who joins a quiet swarm finds itself in its first snapshot.
    this.#broadcast.commitIfDue(now, events)
    this.#sendRegistered(member, now, out)
    this.#broadcast.deliver(member, now, out)
  }

  #newRow({ session, ttl, offers }: Register, endpoint: Endpoint, now: Instant): ListedPeer {
    const expires = ttl === 0 ? NEVER : after(now, ttl * MILLISECONDS_PER_SECOND)
    return { peer: peerId(this.#nextPeer), session, endpoint, expires, offers }
  }

  /** Only what changes the list costs a token: a retransmission is not a registration. */
  #refusal(row: ListedPeer, present: Registration | undefined, now: Instant): ErrorCode | undefined {
    if (present?.row.session === row.session && sameOffers(present.row.offers, row.offers)) return undefined
    if (present === undefined && this.#members.size >= this.#settings.peersMax) return ERROR_CODE.LIST_FULL
    if (!this.#broadcast.hasRoomFor(row, present?.row)) return ERROR_CODE.LIST_FULL
    return this.#admission.admits(row.endpoint.address, now) ? undefined : ERROR_CODE.TOO_MANY_REGISTRATIONS
  }

  /** @param present who is replaced */
  #admit(present: Registration | undefined, row: ListedPeer, { sequence }: Register, now: Instant): Registration {
    if (present !== undefined) this.#remove(present, REASON.REPLACED, now)
    this.#nextPeer++
    const interval = this.#interval(this.#members.size + 1)
    const member = new Registration(row, sequence, interval, new Delivery(this.#settings.pagesInFlight), now)
    this.#members.set(endpointKey(row.endpoint), member)
    this.#ends.set(member, member.endsAt(this.#settings.silentIntervals))
    this.#broadcast.add(member)
    return member
  }

  /** The same session again, with new offers perhaps. Its TTL goes on as it was. */
  #update(member: Registration, row: ListedPeer, { sequence }: Register): Registration {
    if (member.supersedes(sequence) && !sameOffers(member.row.offers, row.offers)) this.#broadcast.update(member, row)
    return member
  }

  #onHeartbeat(message: Heartbeat, from: Endpoint, now: Instant, out: Outgoing[]): void {
    if (message.ack) return
    const { session, version } = message
    const member = this.#memberOf(from, session)
    if (member === undefined) {
      if (!this.#departures.remind(from, session, out)) refuse(message, ERROR_CODE.UNKNOWN_SESSION, from, out)
      return
    }
    member.heard = now
    const interval = this.#interval(this.#members.size)
    if (interval >= HEARTBEAT_STEP * member.interval) {
      member.interval = interval
      this.#sendRegistered(member, now, out)
    }
    const left = ttlLeft(member.row.expires, now)
    member.send({ kind: 'heartbeat', session, ack: true, version: this.version, ttlLeft: left }, out)
    this.#broadcast.onHeld(member, version, now, out)
  }

  #onListAck(message: ListAck, from: Endpoint, now: Instant, out: Outgoing[]): void {
    const member = this.#memberOf(from, message.session)
    if (member === undefined) return
    member.heard = now
    this.#broadcast.onAck(member, message, now, out)
  }

  #onGoodbye(message: Goodbye, from: Endpoint, now: Instant, out: Outgoing[]): void {
    const { session, sequence, reason } = message
    // A GOODBYE of its own also shows that the peer needs no more of ours.
    this.#departures.onConfirmed(from, session)
    if (message.ack) return
    const member = this.#memberOf(from, session)
    if (member !== undefined) this.#remove(member, REASON.GOODBYE, now)
    // Answered even if it is not known: the first answer may have been lost.
    out.push({ to: from, message: { kind: 'goodbye', session, sequence, ack: true, reason } })
  }

  #endMembers(now: Instant): void {
    for (let member = this.#ends.takeDue(now); member !== undefined; member = this.#ends.takeDue(now)) {
      const end = member.endsAt(this.#settings.silentIntervals)
      if (end > now) this.#ends.set(member, end)
      else this.#remove(member, member.row.expires <= now ? REASON.TTL_ENDED : REASON.SILENT, now)
    }
  }

  #remove(member: Registration, reason: Reason, now: Instant): void {
    this.#members.delete(endpointKey(member.row.endpoint))
    this.#ends.delete(member)
    this.#broadcast.remove(member, reason)
    // Who was silent may come back with the same session. Who was replaced is told only if it still speaks.
    if (reason !== REASON.SILENT) this.#depart(member, reason, reason === REASON.TTL_ENDED, now)
  }

  /** @param tell whether the peer is told until it confirms */
  #depart(member: Registration, reason: Reason, tell: boolean, now: Instant): void {
    const { endpoint: to, session } = member.row
    this.#departures.add({ to, session, reason, sequence: member.sequence }, tell, now)
  }

  #sendRegistered(member: Registration, now: Instant, out: Outgoing[]): void {
    const { session, peer, expires } = member.row
    const { interval: heartbeat } = member
    const left = ttlLeft(expires, now)
    const epoch = this.#epoch
    member.send({ kind: 'registered', session, epoch, peer, ttlLeft: left, heartbeat, version: this.version }, out)
  }

  #memberOf(from: Endpoint, session: bigint): Registration | undefined {
    const member = this.#members.get(endpointKey(from))
    return member?.row.session === session ? member : undefined
  }

  /** Milliseconds between heartbeats: grows with the members, so that all of theirs together stay a bounded load. */
  #interval(members: number): number {
    const { heartbeatMin, heartbeatPerMember } = this.#settings
    return Math.min(HEARTBEAT_MAX, Math.max(heartbeatMin, Math.ceil(members * heartbeatPerMember)))
  }
}

/** Bears the number of what it answers: the manager counts nothing for those it does not know. */
function refuse(message: Register | Heartbeat, code: ErrorCode, to: Endpoint, out: Outgoing[]): void {
  const { session, sequence } = message
  const tag = message.kind === 'register' ? TAG.REGISTER : TAG.HEARTBEAT
  out.push({ to, message: { kind: 'error', session, sequence, code, tag } })
}
