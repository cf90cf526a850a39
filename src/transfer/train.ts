// The rate of the narrowest link, from the first datagrams of an upload, which its peer sends back to back: a link passes
// them on no faster than it can (packet-train dispersion: Dovrolis, Ramanathan, Moore, INFOCOM 2001). One round trip then
// tells what STARTUP would need several to find out. It is a hint: only what arrives later proves a rate.
import { type Instant, since } from '../units.js'

/** Datagrams that an upload sends at once when it begins. */
export const TRAIN_DATAGRAMS = 16
/** With fewer instants of arrival the train came in as few reads, and its length says how fast we read. */
const ARRIVALS_MIN = 4

export class Train {
  #firstAt: Instant | undefined
  #lastAt: Instant | undefined
  #firstSent = 0
  #lastSent = 0
  /** Octets that came after the first instant. */
  #octets = 0
  #arrivals = 0
  #isOver = false

  /**
   * @param octets of the IP datagram; `sentAt` in microseconds modulo 2^32
   * @returns octets a millisecond, once, where the train is over and tells something
   */
  onArrival(sequence: number, sentAt: number, octets: number, now: Instant): number | undefined {
    if (this.#isOver) return undefined
    if (sequence <= TRAIN_DATAGRAMS) this.#measure(sentAt, octets, now)
    if (sequence < TRAIN_DATAGRAMS) return undefined
    this.#isOver = true
    if (this.#firstAt === undefined || this.#lastAt === undefined || this.#arrivals < ARRIVALS_MIN) return undefined
    const time = since(this.#firstAt, this.#lastAt)
    const sent = ((this.#lastSent - this.#firstSent) >>> 0) / 1000
    // Sent as slowly as it came: the sender was the limit, not the link.
    return sent < time / 2 ? this.#octets / time : undefined
  }

  #measure(sentAt: number, octets: number, now: Instant): void {
    if (this.#firstAt === undefined) {
      this.#firstAt = now
      this.#firstSent = sentAt
    }
    if (now > this.#firstAt) this.#octets += octets
    if (now !== this.#lastAt) this.#arrivals++
    this.#lastAt = now
    this.#lastSent = sentAt
  }
}
