// What a collector says of a transfer, as data: commands draw it, tests compare it. Sizes in octets.
import type { Endpoint } from '../endpoint.js'

export interface TransferProgress {
  readonly bytes: number
  readonly verifiedBytes: number
  /** Octets verified a second over about the last second. */
  readonly rate: number
  readonly peers: readonly PeerProgress[]
}

export interface PathProgress {
  readonly endpoint: Endpoint
  readonly bytes: number
  /** kbit/s delivered, as estimated. */
  readonly rate: number
  /** Smoothed, milliseconds. */
  readonly roundTrip: number
  /** 0 to 1. */
  readonly loss: number
}

export interface PeerProgress extends PathProgress {
  /** Share of the content's blocks that the peer has, 0 to 1; undefined where it collects them, too, and has not said yet. */
  readonly has: number | undefined
}

/** Why octets came from the local file. */
export type LocalWhy = 'own fragment' | 'peer left' | 'no other source' | 'earlier run'

export interface FragmentSource {
  readonly endpoint: Endpoint
  readonly bytes: number
  readonly chunks: number
  readonly retransmitted: number
}

export interface FragmentReport {
  readonly index: number
  readonly bytes: number
  /** Whose fragment it was to begin with; undefined = the collector's own. */
  readonly owner: Endpoint | undefined
  readonly sources: readonly FragmentSource[]
  /** Chunks that came again. */
  readonly duplicates: number
  readonly localBytes: number
  readonly localWhy: readonly LocalWhy[]
}

export type TransferFailure =
  /** Nobody left has these blocks. `missing` counts octets not verified. */
  | { readonly kind: 'incomplete'; readonly missing: number; readonly detail: string }
  /** The target could not be made, written or renamed. */
  | { readonly kind: 'disk'; readonly detail: string }
  /** What an earlier run left there is of another content, and is kept. */
  | { readonly kind: 'other-part'; readonly detail: string }
  /** The rebuilt file's root is not the one that was asked for. */
  | { readonly kind: 'not-identical'; readonly detail: string }
  | { readonly kind: 'no-offer'; readonly detail: string }
  /** Stopped by the operator, a TTL or the manager before it was whole. */
  | { readonly kind: 'interrupted'; readonly detail: string }

export interface TransferResult {
  readonly name: string
  readonly bytes: number
  readonly root: Uint8Array
  /** From the first datagram of the collector (its HELLO) to the renamed file. */
  readonly seconds: number
  readonly fragments: readonly FragmentReport[]
  /** undefined: the file is whole and verified. */
  readonly failure: TransferFailure | undefined
}
