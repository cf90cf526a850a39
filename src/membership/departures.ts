// Who left lately, and why. Two uses: a GOODBYE is repeated until the peer confirms it, and a session that ended stays
// ended: a REGISTER of it that the network kept or doubled must not bring it back. A cookie that old is refused anyway,
// so nobody is remembered for longer than a cookie holds.
import { type Endpoint, endpointKey } from '../endpoint.js'
import { after, type Instant, sequence } from '../units.js'
import type { Reason } from '../wire/layout.js'
import type { Outgoing } from '../wire/outgoing.js'
import { Agenda } from './agenda.js'
import type { Budget } from './budget.js'
import { COOKIE_BUCKET } from './cookie.js'

/** Milliseconds: a cookie holds for two buckets at most. */
const REMEMBERED = 2 * COOKIE_BUCKET
/** Milliseconds to the second GOODBYE; each further wait is twice as long. */
const REPEAT_FIRST = 100
const SENDINGS_MAX = 4

export interface Leaver {
  readonly to: Endpoint
  readonly session: bigint
  readonly reason: Reason
  /** The last sequence number used towards it. */
  readonly sequence: number
}

interface Entry {
  readonly leaver: Leaver
  readonly until: Instant
  sequence: number
  sendings: number
}

export class Departures {
  readonly #max: number
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>()
  readonly #repeats = new Agenda<Entry>()

  /** @param max when so many are remembered, the one that left first is forgotten */
  constructor(max: number) {
    this.#max = max
  }

  /** GOODBYEs not confirmed yet. */
  get unconfirmed(): number {
    return this.#repeats.size
  }

  /** @param tell whether a GOODBYE is sent until it is confirmed, or given up */
  add(leaver: Leaver, tell: boolean, now: Instant): void {
    this.#forget(now)
    const entry = { leaver, until: after(now, REMEMBERED), sequence: leaver.sequence, sendings: 0 }
    this.#entries.set(keyOf(leaver.to, leaver.session), entry)
    if (tell) this.#repeats.set(entry, now)
  }

  /** Says GOODBYE once more to a session that still speaks to us. @returns whether it is one that ended */
  remind(endpoint: Endpoint, session: bigint, out: Outgoing[]): boolean {
    const entry = this.#entries.get(keyOf(endpoint, session))
    if (entry !== undefined) say(entry, out)
    return entry !== undefined
  }

  onConfirmed(endpoint: Endpoint, session: bigint): void {
    const entry = this.#entries.get(keyOf(endpoint, session))
    if (entry !== undefined) this.#repeats.delete(entry)
  }

  tick(now: Instant, budget: Budget, out: Outgoing[]): void {
    while (this.#repeats.earliest() <= now && budget.take(now)) {
      const entry = this.#repeats.takeDue(now)!
      const wait = REPEAT_FIRST * 2 ** entry.sendings
      entry.sendings++
      say(entry, out)
      if (entry.sendings < SENDINGS_MAX) this.#repeats.set(entry, after(now, wait))
    }
  }

  deadline(): Instant {
    return this.#repeats.earliest()
  }

  #forget(now: Instant): void {
    for (const [key, entry] of this.#entries) {
      if (entry.until > now && this.#entries.size < this.#max) return
      this.#entries.delete(key)
      this.#repeats.delete(entry)
    }
  }
}

function keyOf(endpoint: Endpoint, session: bigint): string {
  return `${endpointKey(endpoint)} ${session}`
}

function say(entry: Entry, out: Outgoing[]): void {
  const { to, session, reason } = entry.leaver
  entry.sequence++
  out.push({ to, message: { kind: 'goodbye', session, sequence: sequence(entry.sequence), ack: false, reason } })
}
