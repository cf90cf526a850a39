import { after, earliest, type Instant, type Sequence, sequence } from '../units.js'
import type { Message, Unsequenced } from '../wire/message.js'
import type { Outgoing } from '../wire/outgoing.js'
import type { Delivery } from './delivery.js'
import type { ListedPeer } from './listed-peer.js'

/** A REGISTER with a larger number counts as this one: numbers don't wrap, and there must be some for the answers. */
const REGISTERED_MAX = 2 ** 31

/** What the manager knows of one member. */
export class Registration {
  /** As it is listed, or will be with the next commit. */
  row: ListedPeer
  /** When it last said anything. */
  heard: Instant
  /** Milliseconds between heartbeats, as told to it. Only ever raised: a lowered one that gets lost would kill it. */
  interval: number
  readonly delivery: Delivery
  /** Of the newest REGISTER: an older one that comes late changes nothing. */
  #registered: Sequence
  #sequence: Sequence

  constructor(row: ListedPeer, registered: Sequence, interval: number, delivery: Delivery, now: Instant) {
    this.row = row
    this.heard = now
    this.interval = interval
    this.delivery = delivery
    this.#registered = registered
    this.#sequence = sequence(Math.min(registered, REGISTERED_MAX))
  }

  /** The last sequence number used towards the member. */
  get sequence(): Sequence {
    return this.#sequence
  }

  /** Whether a REGISTER with this number is newer than all before it. */
  supersedes(registered: Sequence): boolean {
    if (registered <= this.#registered) return false
    this.#registered = registered
    this.#sequence = sequence(Math.max(this.#sequence, Math.min(registered, REGISTERED_MAX)))
    return true
  }

  /** Gives the message its number: above that of the REGISTER, so that no answer to this session repeats one. */
  send(message: Unsequenced, out: Outgoing[]): void {
    this.#sequence = sequence(this.#sequence + 1)
    out.push({ to: this.row.endpoint, message: { ...message, sequence: this.#sequence } as Message })
  }

  /** When it must be off the list: its TTL ended, or nothing was heard for too long. */
  endsAt(silentIntervals: number): Instant {
    const silentAt = after(this.heard, silentIntervals * this.interval)
    return earliest(this.row.expires, silentAt)
  }
}
