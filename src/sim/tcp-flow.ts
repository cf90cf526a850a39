// A TCP connection that always has data, as far as a neighbour on its link can tell: windows, pacing, selective
// acknowledgement of every segment, loss after three later ones, a retransmission time-out. What decides the window is a
// TcpControl. A repetition is a segment like any other, with a number of its own.
import { type Instant, instant } from '../units.js'
import type { Flow } from './flow.js'
import type { Link } from './link.js'

/** Octets of an IP datagram, and of what Link takes for its payload. */
export const SEGMENT = 1_500
const SEGMENT_PAYLOAD = SEGMENT - 28
/** Later segments that must have come before a missing one is lost (RFC 6675, DupThresh). */
const DUPLICATES = 3
/** Least retransmission time-out, ms (Linux). */
const TIMEOUT_MIN_MS = 200

/** What one acknowledgement says. Times are milliseconds, amounts are segments. */
export interface Ack {
  readonly number: number
  /** Largest number sent so far. */
  readonly sent: number
  readonly roundTrip: number
  /** Segments that had come when the acknowledged one was sent, and that have now. */
  readonly deliveredBefore: number
  readonly delivered: number
  /** Segments a millisecond (draft-cheng-iccrg-delivery-rate-estimation). */
  readonly rate: number
  readonly inFlight: number
}

export interface TcpControl {
  /** Segments that may be in flight. */
  readonly window: number
  /** Segments a millisecond; Infinity = whenever the window allows. */
  readonly pacing: number
  /** Segments that are handed over together, and paced as one. */
  readonly burst: number
  onAck(ack: Ack, now: Instant): void
  /** @param sent largest number sent so far */
  onLoss(number: number, sent: number, inFlight: number): void
  onTimeout(now: Instant): void
}

interface Segment {
  readonly number: number
  readonly sentAt: number
  /** When its acknowledgement is there. */
  readonly ackAt: number
  readonly delivered: number
  readonly deliveredAt: number
  readonly firstSentAt: number
}

export class TcpFlow implements Flow {
  octets = 0
  /** Segments sent, and those that did not arrive. */
  sent = 0
  lost = 0
  readonly #link: Link
  readonly #roundTrip: number
  readonly #control: TcpControl
  /** Oldest first, from `#next` on: what was acknowledged before stays for a while. */
  #segments: Segment[] = []
  #next = 0
  /** Numbers of segments that the link dropped and the sender does not know of. */
  #dropped: number[] = []
  #inFlight = 0
  #delivered = 0
  #deliveredAt = 0
  #firstSentAt = 0
  #smoothed: number
  #heardAt: number
  #mayPaceAt: number
  /** Segments of the burst under way. */
  #burst = 0

  /** @param startsAt when it sends its first segment; the handshake is over */
  constructor(link: Link, roundTrip: number, control: TcpControl, startsAt: number) {
    this.#link = link
    this.#roundTrip = roundTrip
    this.#control = control
    this.#smoothed = roundTrip
    this.#heardAt = startsAt
    this.#mayPaceAt = startsAt
  }

  step(now: Instant): void {
    if (now < this.#mayPaceAt && this.sent === 0) return
    for (let segment = this.#segments[this.#next]; segment !== undefined && segment.ackAt <= now; ) {
      this.#onAck(segment, now)
      segment = this.#segments[++this.#next]
    }
    if (this.#next > 10_000) {
      this.#segments = this.#segments.slice(this.#next)
      this.#next = 0
    }
    if (now >= this.#timeoutAt()) this.#onTimeout(now)
    while (this.#inFlight < Math.floor(this.#control.window) && this.#mayPaceAt <= now) this.#send(now)
  }

  nextAt(): number {
    const ack = this.#segments[this.#next]?.ackAt ?? Infinity
    const maySend = this.#inFlight < Math.floor(this.#control.window)
    return Math.min(ack, this.#timeoutAt(), maySend ? this.#mayPaceAt : Infinity)
  }

  #timeoutAt(): number {
    return this.#inFlight === 0 ? Infinity : this.#heardAt + Math.max(TIMEOUT_MIN_MS, 2 * this.#smoothed)
  }

  #onAck(segment: Segment, now: Instant): void {
    const { number, sentAt, delivered, deliveredAt, firstSentAt } = segment
    const roundTrip = now - sentAt
    this.#smoothed += (roundTrip - this.#smoothed) / 8
    this.#heardAt = now
    this.#inFlight--
    this.#delivered++
    this.#deliveredAt = now
    this.#firstSentAt = sentAt
    this.octets += SEGMENT
    while (this.#dropped.length > 0 && this.#dropped[0]! <= number - DUPLICATES) {
      this.#inFlight--
      this.lost++
      this.#control.onLoss(this.#dropped.shift()!, this.sent, this.#inFlight)
    }
    const rate = (this.#delivered - delivered) / Math.max(now - deliveredAt, sentAt - firstSentAt, 0.01)
    const ack = { number, sent: this.sent, roundTrip, deliveredBefore: delivered, delivered: this.#delivered, rate }
    this.#control.onAck({ ...ack, inFlight: this.#inFlight }, now)
  }

  /** Whatever has not been acknowledged is taken for lost, though some of it may still come. */
  #onTimeout(now: Instant): void {
    this.lost += this.#dropped.length
    this.#dropped = []
    this.#inFlight = this.#segments.length - this.#next
    this.#heardAt = now
    this.#control.onTimeout(now)
  }

  #send(now: Instant): void {
    if (this.#inFlight === 0) {
      this.#deliveredAt = now
      this.#firstSentAt = now
      this.#heardAt = now
    }
    const number = ++this.sent
    this.#inFlight++
    if (++this.#burst >= this.#control.burst) {
      this.#mayPaceAt = Math.max(this.#mayPaceAt, now - 1) + this.#burst / this.#control.pacing
      this.#burst = 0
    }
    if (this.#link.carry(now, SEGMENT_PAYLOAD) === 0) {
      this.#dropped.push(number)
      return
    }
    this.#segments.push({
      number,
      sentAt: now,
      ackAt: instant(this.#link.arrivals[0]! + this.#roundTrip / 2),
      delivered: this.#delivered,
      deliveredAt: this.#deliveredAt,
      firstSentAt: this.#firstSentAt,
    })
  }
}
