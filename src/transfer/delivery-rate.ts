// How fast a path delivers, measured where it arrives. One sample is octets / max(receive time, send time): the send
// time, from the sender's own stamps, keeps a batched read or a stall of ours from looking like a fast link.
import { type Instant, since } from '../units.js'

/** Datagrams that a sample needs, unless it took long. */
const SAMPLE_DATAGRAMS = 16
const SAMPLE_MS = 2

/** A sample of this length is little changed by what one read leaves behind. */
const LAGGING_MS = 100

export interface RateSample {
  /** Octets a millisecond that went over the link, counting IP and UDP headers; forgiven losses included. */
  readonly rate: number
  /** The same, in octets, and the milliseconds in which they came; they may have been sent in more. */
  readonly octets: number
  readonly time: number
  /** The sender lacked data in it: the path could do more. */
  readonly appLimited: boolean
}

/** What about a quarter of a round trip showed. */
export interface Sample extends RateSample {
  /** Least queueing delay, ms. */
  readonly queue: number
}

export class DeliveryRate {
  #startedAt: Instant | undefined
  #startSent = 0
  #startSequence = 0
  #lastSent = 0
  #lastSequence = 0
  #octets = 0
  #datagrams = 0
  #appLimited = false

  /** @param octets of the IP datagram; `sentAt` in microseconds modulo 2^32 */
  onArrival(sequence: number, sentAt: number, octets: number, appLimited: boolean, now: Instant): void {
    if (this.#startedAt === undefined) {
      this.#startedAt = now
      this.#startSent = sentAt
      this.#startSequence = sequence
      this.#lastSent = sentAt
      this.#lastSequence = sequence
      return
    }
    this.#octets += octets
    this.#datagrams++
    if (appLimited) this.#appLimited = true
    if (sequence > this.#lastSequence) {
      this.#lastSequence = sequence
      this.#lastSent = sentAt
    }
  }

  /** So many more arrived with the one before, right behind it. @param octets of them all */
  onMore(count: number, octets: number): void {
    this.#octets += octets
    this.#datagrams += count
    this.#lastSequence += count
  }

  /**
   * Ends a sample where enough has come; to be called once a wake-up.
   * @param floor loss ratio that is not congestion: as much of it counts as delivered, because those datagrams took their
   *   time on the link too
   * @param hasMore what waits in the socket came in this sample's time, but would count as the next one's: the sample
   *   goes on, unless it took so long that this matters little
   */
  sample(now: Instant, roundTrip: number, floor: number, hasMore = false): RateSample | undefined {
    if (this.#startedAt === undefined || this.#datagrams === 0) return undefined
    const received = since(this.#startedAt, now)
    const enough =
      (this.#datagrams >= SAMPLE_DATAGRAMS && received >= Math.max(roundTrip / 4, SAMPLE_MS)) ||
      (this.#datagrams >= 4 && received >= Math.max(roundTrip, 100))
    if (!enough || (hasMore && received < LAGGING_MS)) return undefined
    const sent = ((this.#lastSent - this.#startSent) >>> 0) / 1000
    const span = this.#lastSequence - this.#startSequence
    const missing = Math.max(0, span - this.#datagrams)
    // Of what was sent more may be missing: what the link never carried.
    const carried = Math.min(span, this.#datagrams / (1 - floor))
    const tolerated = floor * carried + Math.sqrt(floor * (1 - floor) * carried)
    const forgiven = (Math.min(missing, tolerated) * this.#octets) / this.#datagrams
    // A send time beyond a minute is a stamp gone wrong, not a measurement.
    const time = sent < 60_000 ? Math.max(received, sent) : received
    const octets = this.#octets + forgiven
    const result = { rate: octets / time, octets, time: received, appLimited: this.#appLimited }
    this.#startedAt = now
    this.#startSent = this.#lastSent
    this.#startSequence = this.#lastSequence
    this.#octets = 0
    this.#datagrams = 0
    this.#appLimited = false
    return result
  }
}
