// What follows from the estimates of a path. It is asked for at each wake-up, of every path; reckoned only where something came.
import { CHUNK_HEADER_BYTES } from '../wire/layout.js'
import { RATE_MIN } from './bandwidth.js'
import { cadence } from './cadence.js'
import { IP_UDP_BYTES } from './pacer.js'
import type { Path } from './path.js'

/** No datagram but a usual one takes longer than this at the path's rate: it would be a burst, and its loss a large one. */
const DATAGRAM_SPAN_MS = 1
/** Window of a path that our own limit holds back, in products of rate and round trip: as in CRUISE. */
const WINDOW_GAIN_CAPPED = 2
/** Silence means nothing below this: event loops stall. */
const TIMEOUT_MIN_MS = 50

export class PathFigures {
  /** What was set when they were reckoned. */
  cap = 0
  chunkSize = 0
  isPartial = false
  /** Octets of the longest datagram that the rate allows. */
  datagramWorth = 0
  /** Octets of the longest CHUNK. */
  longest = 0
  /** Octets a millisecond to ask for. */
  pacingRate = 0
  /** Octets a millisecond of payload that the path is good for. */
  rate = 0
  /** Between two PULLs, ms. */
  cadence = 0
  /** Datagrams that may be in flight, and that are. */
  windowWanted = 0
  inFlight = 0
  /** Octets to be asked for. */
  target = 0
  /** Silence for so long is the first time-out, ms. */
  timeoutFirst = 0

  reckon({ congestion, cap, chunkSize, isPartial, mtu, roundTrip }: Path): void {
    this.cap = cap
    this.chunkSize = chunkSize
    this.isPartial = isPartial
    const { smoothed, minimum } = roundTrip
    const bandwidth = Math.min(congestion.bandwidth, cap)
    this.datagramWorth = bandwidth * DATAGRAM_SPAN_MS
    const payload = Math.min(mtu.datagram, this.datagramWorth) - CHUNK_HEADER_BYTES
    this.longest = CHUNK_HEADER_BYTES + Math.max(1, Math.floor(payload / chunkSize)) * chunkSize
    this.pacingRate = Math.min(congestion.pacingRate, cap)
    const octets = this.longest + IP_UDP_BYTES
    this.rate = Math.max(RATE_MIN, (bandwidth * (octets - 2 * IP_UDP_BYTES) * (1 - congestion.floor)) / octets)
    const spacing = octets / this.pacingRate
    this.cadence = cadence(smoothed, isPartial ? spacing : undefined)
    const window = Math.min(congestion.window(minimum), WINDOW_GAIN_CAPPED * cap * minimum)
    this.windowWanted = Math.ceil((window + this.pacingRate * this.cadence) / octets)
    this.inFlight = (bandwidth * minimum) / octets
    this.target = window + this.pacingRate * (2 * this.cadence + 4)
    // At a low rate the peer is silent between two datagrams.
    this.timeoutFirst = Math.max(TIMEOUT_MIN_MS, roundTrip.timeout + 2 * this.cadence + 2 * spacing)
  }
}
