// A peer's side of membership: proves its address, registers, keeps its heart beating, follows the list, leaves.
//
//   new -> joining (HELLO) -> registering (REGISTER) -> member (HEARTBEAT) -> leaving (GOODBYE) -> stopped
//
// `joining` and `registering` come again when the manager forgot us, was restarted, or must hear of new offers; the list
// stays as it is meanwhile. Only what comes from the manager's endpoint with our session is looked at. A stopped member
// keeps its list, so that a host can finish its transfers before it reports the end. spec/membership.md has the tables.
import type { Random } from '../ambient.js'
import { type Endpoint, sameEndpoint } from '../endpoint.js'
import { assert, unreachable } from '../errors.js'
import { after, earliest, type Instant, instant, type Milliseconds, NEVER, type PeerId, since } from '../units.js'
import { CONTROL_BYTES_MAX, ERROR_CODE, HELLO_BYTES_MIN, REASON } from '../wire/layout.js'
import type { Cookie, ErrorMessage, Goodbye, Heartbeat, List, Message, Offer, Registered } from '../wire/message.js'
import type { Outgoing } from '../wire/outgoing.js'
import type { MemberEvent } from './event.js'
import { ListCopy, type ListFollower, toRow } from './list-copy.js'
import type { ListedPeer } from './listed-peer.js'
import type { LeaveWhy, MemberEnd, MemberState } from './member-state.js'
import { offersFit, sameOffers } from './offers.js'
import { Pulse } from './pulse.js'
import { Repeat, uniform } from './repeat.js'
import { RetryTimer } from './retry-timer.js'
import { MEMBER_DEFAULTS, type MemberSettings } from './settings.js'
import { Voice } from './voice.js'

export interface MemberOptions {
  readonly manager: Endpoint
  /** Our own random session. */
  readonly session: bigint
  /** Seconds; 0 = until the manager closes. */
  readonly ttl: number
  readonly offers: readonly Offer[]
  readonly random: Random
  /** Look for the manager for as long as it takes, at the start and whenever it is gone. */
  readonly wait?: boolean | undefined
  /** Ask to see the list before we are on it: it comes a round trip earlier, where the swarm is small. */
  readonly preview?: boolean | undefined
  readonly settings?: Partial<MemberSettings> | undefined
  /** What follows the list; by default a copy of all of it. */
  readonly copy?: ListFollower | undefined
}

const MILLISECONDS_PER_SECOND = 1_000

/** States in which one thing is said until it is answered. */
type Asking = Extract<MemberState, { readonly repeat: Repeat }>

export class Member {
  readonly #manager: Endpoint
  readonly #voice: Voice
  readonly #ttl: number
  readonly #random: Random
  readonly #waits: boolean
  readonly #seeksPreview: boolean
  readonly #settings: MemberSettings
  readonly #copy: ListFollower
  readonly #retry = new RetryTimer()
  #offers: readonly Offer[]
  #state: MemberState = { kind: 'new' }
  #cookie: { readonly octets: Uint8Array; readonly at: Instant } | undefined
  /** The manager's; undefined before its first answer. */
  #epoch: bigint | undefined
  #peer: PeerId | undefined
  #expires: Instant = NEVER
  /** The version at which the manager was last told that the list shows our offers wrongly. */
  #toldAt = 0
  /** In the newest heartbeat. */
  #versionSaid = 0
  /** The last refusal told to our host: each is told once. */
  #refusal: number | undefined

  constructor(options: MemberOptions) {
    assert(offersFit(options.offers), 'offers take more than one REGISTER')
    this.#manager = options.manager
    this.#copy = options.copy ?? new ListCopy()
    this.#voice = new Voice(options.session, options.manager)
    this.#ttl = options.ttl
    this.#offers = options.offers
    this.#random = options.random
    this.#waits = options.wait ?? false
    this.#seeksPreview = options.preview ?? false
    this.#settings = { ...MEMBER_DEFAULTS, ...options.settings }
  }

  get manager(): Endpoint {
    return this.#manager
  }

  /** Our copy of the list; we are on it. */
  get list(): ReadonlyMap<PeerId, ListedPeer> {
    return this.#copy.rows
  }

  /** Version of that copy. */
  get version(): number {
    return this.#copy.version
  }

  /** Who is listed at this endpoint. */
  find(endpoint: Endpoint): ListedPeer | undefined {
    return this.#copy.find(endpoint)
  }

  /** Our own number; undefined before we are registered. */
  get peer(): PeerId | undefined {
    return this.#peer
  }

  /** Smoothed round trip to the manager, in milliseconds; undefined before it answered. */
  get roundTrip(): Milliseconds | undefined {
    return this.#retry.roundTrip
  }

  /** When our TTL ends by what the manager last said; `NEVER` without one. */
  get expires(): Instant {
    return this.#expires
  }

  get state(): MemberState['kind'] {
    return this.#state.kind
  }

  /** Why it stopped; undefined while it has not. A host with a transfer under way reports the end after that. */
  get stopped(): MemberEnd | undefined {
    return this.#state.kind === 'stopped' ? this.#state.why : undefined
  }

  receive(message: Message, from: Endpoint, now: Instant, out: Outgoing[], events: MemberEvent[]): void {
    if (message.session !== this.#voice.session || !sameEndpoint(from, this.#manager)) return
    if (this.#state.kind === 'member') this.#state.pulse.onHeard(now)
    if (message.kind === 'cookie') this.#onCookie(message, now, events)
    else if (message.kind === 'registered') this.#onRegistered(message, now, events)
    else if (message.kind === 'heartbeat') this.#onHeartbeat(message, now)
    else if (message.kind === 'list') this.#onList(message, now, out, events)
    else if (message.kind === 'goodbye') this.#onGoodbye(message, now, out, events)
    else if (message.kind === 'error') this.#onError(message, now, events)
    this.tick(now, out, events)
  }

  tick(now: Instant, out: Outgoing[], events: MemberEvent[]): void {
    if (this.#state.kind === 'new') this.#join(now)
    if (now >= this.#overdueAt()) this.#stop('ttl-ended', events)
    const state = this.#state
    switch (state.kind) {
      case 'joining':
      case 'registering':
        if (now >= state.giveUpAt) this.#part(this.#peer === undefined ? 'no-manager' : 'manager-silent', now, events)
        else if (now >= state.repeat.next) this.#say(state, now, out)
        return
      case 'member':
        if (now >= state.pulse.silentAt) this.#part('manager-silent', now, events)
        else if (now >= state.pulse.next) this.#beat(state.pulse, now, out)
        return
      case 'leaving':
        if (now >= state.until) this.#stop(state.why, events)
        else if (now >= state.repeat.next) this.#say(state, now, out)
        return
      case 'new':
      case 'stopped':
        return
      default:
        unreachable(state)
    }
  }

  deadline(): Instant {
    const state = this.#state
    switch (state.kind) {
      case 'new':
        return instant(-Infinity)
      case 'joining':
      case 'registering':
        return earliest(state.repeat.next, state.giveUpAt, this.#overdueAt())
      case 'member':
        return earliest(state.pulse.next, state.pulse.silentAt, this.#overdueAt())
      case 'leaving':
        return earliest(state.repeat.next, state.until)
      case 'stopped':
        return NEVER
      default:
        return unreachable(state)
    }
  }

  /** What we offer from now on. The manager hears of it with the next tick. */
  setOffers(offers: readonly Offer[], now: Instant): void {
    assert(offersFit(offers), 'offers take more than one REGISTER')
    this.#offers = offers
    if (this.#state.kind === 'registering' || this.#state.kind === 'member') this.#registerAgain(now)
  }

  /** Looks once more for a manager that fell silent: it may have been the link. */
  seek(now: Instant): void {
    if (this.stopped === 'manager-silent') this.#join(now)
  }

  /** Says GOODBYE with the next tick; stopped when it is confirmed, or soon after. */
  leave(now: Instant, why: LeaveWhy = 'asked'): void {
    const { kind } = this.#state
    if (kind === 'leaving' || kind === 'stopped') return
    const isUnknown = this.#peer === undefined && kind !== 'registering'
    this.#state = isUnknown
      ? { kind: 'stopped', why }
      : {
          kind: 'leaving',
          repeat: this.#repeatFrom(now, this.#retry.wait),
          until: after(now, this.#settings.leaving),
          why,
        }
  }

  #onCookie(message: Cookie, now: Instant, events: MemberEvent[]): void {
    const state = this.#state
    if (state.kind !== 'joining') return
    const roundTrip = state.repeat.roundTripOf(message.sequence, now)
    if (roundTrip !== undefined) this.#retry.measure(roundTrip)
    this.#cookie = { octets: message.cookie, at: now }
    this.#register(message.cookie, state.giveUpAt, now)
    // Who was a member has a list.
    if (message.version === 0 || this.#peer !== undefined) return
    const rows = message.entries.flatMap(entry => (entry.kind === 'present' ? [toRow(entry, now)] : []))
    events.push({ kind: 'preview', peers: new Map(rows.map(row => [row.peer, row])) })
  }

  #onRegistered(message: Registered, now: Instant, events: MemberEvent[]): void {
    const state = this.#state
    if (state.kind === 'member' && message.epoch === this.#epoch) state.pulse.interval = message.heartbeat
    if (state.kind !== 'registering') return
    const roundTrip = state.repeat.roundTrip(now)
    if (roundTrip !== undefined) this.#retry.measure(roundTrip)
    const again = this.#peer !== undefined
    const isNew = this.#peer !== message.peer || this.#epoch !== message.epoch
    if (this.#epoch !== message.epoch) this.#copy.startOver()
    this.#epoch = message.epoch
    this.#peer = message.peer
    this.#refusal = undefined
    this.#setTtl(message.ttlLeft, now)
    // Somewhere in the second half of the interval: peers that were started together do not beat together.
    const first = after(now, message.heartbeat * (0.5 + 0.5 * uniform(this.#random)))
    this.#state = {
      kind: 'member',
      pulse: new Pulse(message.heartbeat, first, this.#settings, now),
      after: this.#voice.sequence,
    }
    if (isNew) events.push({ kind: 'registered', peer: message.peer, manager: this.#manager, again })
  }

  #onHeartbeat(message: Heartbeat, now: Instant): void {
    const state = this.#state
    if (!message.ack || state.kind !== 'member') return
    const roundTrip = state.pulse.onAnswered(now)
    if (roundTrip !== undefined) {
      this.#retry.measure(roundTrip)
      // We hold a version that the manager never made: damage that no checksum saw. Only its whole list can mend that.
      if (message.version < this.#versionSaid) this.#copy.startOver()
    }
    this.#setTtl(message.ttlLeft, now)
    // An answer to an older REGISTER may have passed for one to the newest: the list shows what the manager knows.
    const own = this.#peer === undefined ? undefined : this.list.get(this.#peer)
    const isNewest = message.version === this.version
    if (!isNewest || own === undefined || sameOffers(own.offers, this.#offers)) return
    // It was told at this very version: then our copy is wrong, not the manager.
    if (this.#toldAt === this.version) this.#copy.startOver()
    else this.#registerAgain(now)
    this.#toldAt = this.version
  }

  #onList(message: List, now: Instant, out: Outgoing[], events: MemberEvent[]): void {
    const state = this.#state
    if (state.kind !== 'member' && state.kind !== 'registering') return
    // A first page that overtakes REGISTERED: nobody else sends it but a manager that took our REGISTER.
    if (state.kind === 'registering') this.#epoch ??= message.epoch
    if (message.epoch !== this.#epoch) {
      // Late, or from a restarted manager whose REGISTERED we took for a late one: its answer will tell.
      if (state.kind === 'member') this.#registerAgain(now)
      return
    }
    const outcome = this.#copy.onPage(message, now)
    if (outcome.kind === 'refused') return
    if (outcome.kind === 'gap') {
      if (state.kind === 'member') state.pulse.hurry(now)
      return
    }
    this.#voice.listAck(message, out)
    if (outcome.kind !== 'applied') return
    const { joined, left } = outcome
    events.push({ kind: 'list', version: this.version, peers: [...this.list.values()], joined, left })
  }

  #onGoodbye(message: Goodbye, now: Instant, out: Outgoing[], events: MemberEvent[]): void {
    const state = this.#state
    if (message.ack) {
      if (state.kind === 'leaving') this.#stop(state.why, events)
      return
    }
    const { reason } = message
    this.#voice.confirmGoodbye(reason, out)
    if (state.kind === 'stopped') return
    if (state.kind === 'leaving') this.#stop(state.why, events)
    else if (reason === REASON.TTL_ENDED) this.#stop('ttl-ended', events)
    else if (reason === REASON.REPLACED) this.#stop('replaced', events)
    else if (reason === REASON.MANAGER_CLOSING) this.#part('manager-closed', now, events)
  }

  #onError(message: ErrorMessage, now: Instant, events: MemberEvent[]): void {
    const state = this.#state
    if (state.kind === 'member') {
      if (message.code !== ERROR_CODE.UNKNOWN_SESSION || message.sequence <= state.after) return
      if (now >= this.#expires) this.#stop('ttl-ended', events)
      else this.#join(now)
      return
    }
    if (state.kind !== 'registering') return
    const { retryMin, refusedWait } = this.#settings
    if (message.code === ERROR_CODE.BAD_COOKIE) this.#join(after(now, retryMin), state.giveUpAt)
    else if (message.code === ERROR_CODE.TOO_MANY_REGISTRATIONS || message.code === ERROR_CODE.LIST_FULL) {
      if (this.#refusal !== message.code) events.push({ kind: 'refused', code: message.code })
      this.#refusal = message.code
      if (message.code === ERROR_CODE.LIST_FULL && !this.#waits) this.#stop('refused', events)
      else this.#join(after(now, refusedWait * (1 + uniform(this.#random))))
    }
  }

  /** Begins with HELLO at `first`. */
  #join(first: Instant, giveUpAt = this.#giveUpAt(first)): void {
    this.#state = { kind: 'joining', repeat: this.#repeatFrom(first, this.#settings.retryMin), giveUpAt }
  }

  #register(cookie: Uint8Array, giveUpAt: Instant, now: Instant): void {
    this.#state = { kind: 'registering', repeat: this.#repeatFrom(now, this.#retry.wait), giveUpAt, cookie }
  }

  /** With the cookie that we have, if it can still be good. */
  #registerAgain(now: Instant): void {
    const cookie = this.#cookie
    if (cookie === undefined || since(cookie.at, now) > this.#settings.cookieAge) this.#join(now)
    else this.#register(cookie.octets, this.#giveUpAt(now), now)
  }

  /** The manager is gone. */
  #part(why: MemberEnd, now: Instant, events: MemberEvent[]): void {
    if (!this.#waits) {
      this.#stop(why, events)
      return
    }
    trace('member:waits', why, events)
    this.#join(now)
  }

  #stop(why: MemberEnd, events: MemberEvent[]): void {
    this.#state = { kind: 'stopped', why }
    trace('member:stopped', why, events)
  }

  #say(state: Asking, now: Instant, out: Outgoing[]): void {
    if (state.kind === 'joining') this.#voice.hello(this.#helloBytes, out)
    else if (state.kind === 'leaving') this.#voice.goodbye(out)
    else this.#voice.register(state.cookie, this.#ttlSeconds(now), this.#offers, out)
    state.repeat.onSent(this.#voice.sequence, now)
  }

  #beat(pulse: Pulse, now: Instant, out: Outgoing[]): void {
    this.#versionSaid = this.version
    this.#voice.heartbeat(this.version, out)
    pulse.onSent(this.#retry.wait, now)
  }

  #setTtl(ttlLeft: number, now: Instant): void {
    this.#expires = ttlLeft === 0 ? NEVER : after(now, ttlLeft)
  }

  get #helloBytes(): number {
    return this.#seeksPreview && this.#peer === undefined ? CONTROL_BYTES_MAX : HELLO_BYTES_MIN
  }

  /** What a REGISTER asks for: to a manager that forgot us, what is left of our time. */
  #ttlSeconds(now: Instant): number {
    if (this.#peer === undefined) return this.#ttl
    if (this.#expires === NEVER) return 0
    return Math.max(1, Math.ceil(since(now, this.#expires) / MILLISECONDS_PER_SECOND))
  }

  /** Our time is over and the manager had time to say so; `NEVER` if we are leaving anyway. */
  #overdueAt(): Instant {
    if (this.#state.kind === 'leaving' || this.#state.kind === 'stopped') return NEVER
    return after(this.#expires, this.#settings.ttlGrace)
  }

  #giveUpAt(start: Instant): Instant {
    return this.#waits ? NEVER : after(start, this.#settings.joinPatience)
  }

  #repeatFrom(first: Instant, wait: number): Repeat {
    return new Repeat(first, wait, this.#random, this.#settings)
  }
}

function trace(name: string, why: MemberEnd, events: MemberEvent[]): void {
  events.push({ kind: 'trace', name, fields: { why } })
}
