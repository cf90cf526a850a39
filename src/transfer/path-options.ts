import type { Endpoint } from '../endpoint.js'
import type { Competition } from './competition.js'
import type { Trace } from './trace.js'

export interface PathOptions {
  readonly endpoint: Endpoint
  /** Source number in the ledger. */
  readonly number: number
  /** The transfer's session with this peer. */
  readonly session: bigint
  /** The peer collects the file itself. */
  readonly isPartial?: boolean
  /** How many may begin with the peer at once: they share what one would begin with. */
  readonly beginners?: number
  /** A first guess of the round trip, ms. */
  readonly roundTrip: number | undefined
  readonly chunkSize: number
  /** UDP payload of the longest datagram that our own interface carries. */
  readonly datagramMax: number
  readonly chance: () => number
  /** That of all paths of the transfer. */
  readonly competition: Competition
  readonly trace?: Trace | undefined
}
