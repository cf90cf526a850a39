import type { Endpoint } from '../endpoint.js'
import type { PeerId } from '../units.js'
import type { Reason } from '../wire/layout.js'
import type { ListedPeer } from './listed-peer.js'

/** Someone who was on the list and is no more. */
export interface Departure {
  readonly peer: ListedPeer
  readonly reason: Reason
}

/** What the machines of membership tell their host: a part of its own events (host/contract.ts), shape for shape. */
export type MembershipEvent =
  /** The list changed; a peer whose offers changed is in neither `joined` nor `left`. */
  | {
      readonly kind: 'list'
      readonly version: number
      readonly peers: readonly ListedPeer[]
      readonly joined: readonly ListedPeer[]
      readonly left: readonly Departure[]
    }
  | { readonly kind: 'registered'; readonly peer: number; readonly manager: Endpoint; readonly again: boolean }
  /** The manager refused a registration; `code` is a wire ERROR_CODE. */
  | { readonly kind: 'refused'; readonly code: number }
  | {
      readonly kind: 'trace'
      readonly name: string
      readonly fields: Readonly<Record<string, string | number | boolean>>
    }

/** What a member tells its host besides. */
export type MemberEvent =
  | MembershipEvent
  /** The list as it was before we are on it: what to do first may be seen from it; it is no version that we hold. */
  | { readonly kind: 'preview'; readonly peers: ReadonlyMap<PeerId, ListedPeer> }
