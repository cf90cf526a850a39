import { type Endpoint, sameEndpoint } from '../endpoint.js'
import { after, earliest, type Instant, NEVER, sequence } from '../units.js'
import type { Reason } from '../wire/layout.js'
import type { Outgoing } from '../wire/outgoing.js'

const TRIES = 3
const RETRY_MS = 250
/** Goodbyes waiting to be confirmed; beyond it they are said once. */
const WAITING_MAX = 1_024

interface Farewell {
  readonly to: Endpoint
  readonly session: bigint
  readonly reason: Reason
  tries: number
  next: Instant
}

/** The goodbyes of transfers, repeated until they are confirmed or have been said often enough. */
export class Farewells {
  readonly #waiting = new Map<bigint, Farewell>()

  say(to: Endpoint, session: bigint, reason: Reason, now: Instant, out: Outgoing[]): void {
    const farewell = { to, session, reason, tries: 0, next: now }
    if (this.#waiting.size < WAITING_MAX) this.#waiting.set(session, farewell)
    this.#utter(farewell, now, out)
  }

  onConfirmed(from: Endpoint, session: bigint): void {
    const farewell = this.#waiting.get(session)
    if (farewell !== undefined && sameEndpoint(farewell.to, from)) this.#waiting.delete(session)
  }

  tick(now: Instant, out: Outgoing[]): void {
    for (const farewell of this.#waiting.values()) if (farewell.next <= now) this.#utter(farewell, now, out)
  }

  deadline(): Instant {
    let at = NEVER
    for (const { next } of this.#waiting.values()) at = earliest(at, next)
    return at
  }

  #utter(farewell: Farewell, now: Instant, out: Outgoing[]): void {
    const { to, session, reason } = farewell
    farewell.tries++
    farewell.next = after(now, RETRY_MS)
    if (farewell.tries >= TRIES) this.#waiting.delete(session)
    const message = { kind: 'goodbye', ack: false, session, reason, sequence: sequence(farewell.tries) } as const
    out.push({ to, message })
  }
}
