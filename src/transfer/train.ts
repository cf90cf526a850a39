// The rate of the narrowest link, from datagrams that the peer sent back to back: a link passes them on no faster than it
// can (packet-train dispersion: Dovrolis, Ramanathan, Moore, INFOCOM 2001). One round trip then tells what STARTUP would
// need several to find out. It is a hint: only what arrives later proves a rate.
import { type Instant, since } from '../units.js'

/**
 * An upload sends its first datagrams in so many trains. One may come while the collector is busy, and then tells nothing; and
 * where either end takes its time over one, which is likeliest for the first, the link seems slower than it is: the best counts.
 */
export const TRAINS = { count: 8, octets: 16 * 1_500 } as const
const TRAIN_DATAGRAMS = 16
/** Sequence numbers among which trains may be: ECHOs and hash pages may go before them. */
const SEQUENCE_MAX = 192
/** Datagrams of a train that must come: some may be lost. */
const DATAGRAMS_MIN = 10
/** With fewer instants of arrival it came in as few reads, and its length says how fast we read. */
const ARRIVALS_MIN = 4
/** A train is told of where it came so much faster than all before it. */
const BETTER = 1.1
/** Datagrams sent closer together than this were sent back to back. */
const GAP_MICROS = 500

export class Train {
  #firstAt: Instant | undefined
  #lastAt: Instant | undefined
  #lastSent = 0
  #datagrams = 0
  #arrivals = 0
  /** Octets that came after the first instant. */
  #octets = 0
  #best = 0
  #isOver = false

  /** Nothing is to be learnt of it any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /**
   * @param octets of the IP datagram; `sentAt` in microseconds modulo 2^32
   * @returns octets a millisecond, when a train is over that tells more than those before
   */
  onArrival(sequence: number, sentAt: number, octets: number, now: Instant): number | undefined {
    if (this.#isOver) return undefined
    const gap = (sentAt - this.#lastSent) >>> 0
    this.#isOver = sequence > SEQUENCE_MAX
    const told = gap > GAP_MICROS || this.#isOver ? this.#end() : undefined
    if (this.#isOver) return told
    this.#firstAt ??= now
    if (now !== this.#lastAt) this.#arrivals++
    if (now > this.#firstAt) this.#octets += octets
    this.#datagrams++
    this.#lastAt = now
    this.#lastSent = sentAt
    return told ?? (this.#datagrams === TRAIN_DATAGRAMS ? this.#end() : undefined)
  }

  /** The train is over, if it was one; the next datagram may begin another. */
  #end(): number | undefined {
    const tells = this.#datagrams >= DATAGRAMS_MIN && this.#arrivals >= ARRIVALS_MIN
    const rate = tells ? this.#octets / since(this.#firstAt!, this.#lastAt!) : 0
    this.#firstAt = undefined
    this.#lastAt = undefined
    this.#datagrams = 0
    this.#arrivals = 0
    this.#octets = 0
    if (rate < BETTER * this.#best || rate === 0) return undefined
    this.#best = rate
    return rate
  }
}
