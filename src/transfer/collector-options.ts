import type { Digests, Random } from '../ambient.js'
import type { Bitmap } from '../content/bitmap.js'
import type { PartialTree } from '../content/tree.js'
import type { Endpoint } from '../endpoint.js'
import type { EarlierRun } from './earlier-run.js'

/** Who holds the file: a peer that offers it, or a part of it, or the collector itself. */
export type Source =
  | { readonly kind: 'peer'; readonly endpoint: Endpoint; readonly isPartial: boolean }
  | { readonly kind: 'self' }
export type PeerSource = Extract<Source, { kind: 'peer' }>

export interface CollectorOptions {
  readonly tree: PartialTree
  /** Which blocks to fetch; undefined: all of them. */
  readonly blocks?: Bitmap | undefined
  /** Blocks that the target has as soon as it is prepared; their hashes are known. */
  readonly given?: Bitmap | undefined
  readonly earlier: Exclude<EarlierRun, { readonly kind: 'other' }>
  /** The collector's own copy of the file, by its key for `read-block`. */
  readonly ownFile: number | undefined
  /** Our session as the list shows it. */
  readonly member: bigint
  readonly chunkSize: number
  /** UDP payload of the longest datagram that our own interface carries. */
  readonly datagramMax: number
  /** Octets of our socket's receive buffer. */
  readonly receiveBuffer: number
  /** Makes BLOCK_BYTES of memory for a block; undefined: what the assembly makes itself. */
  readonly blockMemory?: (() => Uint8Array) | undefined
  /** Octets a millisecond that all peers together are asked for; undefined = no limit. */
  readonly limit?: number | undefined
  /** Leaves the link to others while they use it. */
  readonly background?: boolean | undefined
  /** A first guess of round trips, ms. */
  readonly roundTrip: number | undefined
  /** Whether we are on the list: peers serve nobody else. */
  readonly isListed: boolean
  /** Others get from us what we have: it is to be something else than what they begin with. */
  readonly isServed?: boolean
  /** How many may begin with the same peers at the same time, ourselves included; undefined: nobody else. */
  readonly beginners?: number
  readonly random: Random
  readonly digests: Digests
  readonly trace?: boolean | undefined
}
