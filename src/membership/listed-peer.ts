import type { Endpoint } from '../endpoint.js'
import type { Instant, PeerId } from '../units.js'
import type { Offer } from '../wire/message.js'

/** A row of the list of active peers, on the manager and on every peer. */
export interface ListedPeer {
  readonly peer: PeerId
  /** The member's session. */
  readonly session: bigint
  readonly endpoint: Endpoint
  /** When its TTL ends on our clock; `NEVER` without one. */
  readonly expires: Instant
  readonly offers: readonly Offer[]
}
