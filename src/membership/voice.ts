import type { Endpoint } from '../endpoint.js'
import { type Sequence, sequence } from '../units.js'
import { HEADER_BYTES, REASON, type Reason } from '../wire/layout.js'
import type { List, Message, Offer, Unsequenced } from '../wire/message.js'
import type { Outgoing } from '../wire/outgoing.js'

/** What a peer says to its manager: each message with a number of its own. */
export class Voice {
  readonly session: bigint
  readonly #manager: Endpoint
  #sequence = sequence(0)

  constructor(session: bigint, manager: Endpoint) {
    this.session = session
    this.#manager = manager
  }

  /** The number of the last message. */
  get sequence(): Sequence {
    return this.#sequence
  }

  /** @param octets of the datagram: the answer has no more */
  hello(octets: number, out: Outgoing[]): void {
    this.#send({ kind: 'hello', session: this.session, padding: octets - HEADER_BYTES }, out)
  }

  register(cookie: Uint8Array, ttl: number, offers: readonly Offer[], out: Outgoing[]): void {
    this.#send({ kind: 'register', session: this.session, cookie, ttl, offers }, out)
  }

  heartbeat(version: number, out: Outgoing[]): void {
    this.#send({ kind: 'heartbeat', session: this.session, ack: false, version, ttlLeft: 0 }, out)
  }

  listAck({ epoch, version, base, page }: List, out: Outgoing[]): void {
    this.#send({ kind: 'list-ack', session: this.session, epoch, version, base, page }, out)
  }

  goodbye(out: Outgoing[]): void {
    this.#send({ kind: 'goodbye', session: this.session, ack: false, reason: REASON.GOODBYE }, out)
  }

  confirmGoodbye(reason: Reason, out: Outgoing[]): void {
    this.#send({ kind: 'goodbye', session: this.session, ack: true, reason }, out)
  }

  #send(message: Unsequenced, out: Outgoing[]): void {
    this.#sequence = sequence(this.#sequence + 1)
    out.push({ to: this.#manager, message: { ...message, sequence: this.#sequence } as Message })
  }
}
