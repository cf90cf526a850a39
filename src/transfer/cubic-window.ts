// The window of those who share their link with others who answer to loss: CUBIC's (RFC 9438), so that a TCP connection
// beside them gets as much as they do.
import { type Instant, since } from '../units.js'

/** Multiplicative decrease, and the scale of the cubic (RFC 9438, sections 4.6 and 4.1). */
const BETA = 0.7
const SCALE = 0.4
/** Segments a round trip that make Reno with that BETA as fast as standard Reno (section 4.3). */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA)
/** TCP counts its window in these, octets of an IP datagram. */
const SEGMENT = 1_500
const SEGMENTS_MIN = 2
/** A window of which less than this share is used is not raised. */
const USED_MIN = 0.8
/** One step raises it to this at most. */
const GROWTH_MAX = 1.5

export class CubicWindow {
  #octets: number
  /** Where it stood when it was last cut, and right after. */
  #most: number
  #least: number
  #reno: number
  #cutAt: Instant

  constructor(octets: number, now: Instant) {
    this.#octets = Math.max(SEGMENTS_MIN * SEGMENT, octets)
    this.#most = this.#octets
    this.#least = this.#octets
    this.#reno = this.#octets
    this.#cutAt = now
  }

  get octets(): number {
    return this.#octets
  }

  /** Someone else begins or stops to use it too. */
  scale(factor: number): void {
    this.#octets *= factor
    this.#most *= factor
    this.#least *= factor
    this.#reno *= factor
  }

  /** The answer to a loss. @param used octets in flight */
  cut(used: number, now: Instant): void {
    this.#octets = Math.min(this.#octets, used / USED_MIN)
    // Below the last maximum: someone new takes part, leave him more room.
    this.#most = this.#octets < this.#most ? (this.#octets * (1 + BETA)) / 2 : this.#octets
    this.#octets = Math.max(SEGMENTS_MIN * SEGMENT, this.#octets * BETA)
    this.#least = this.#octets
    this.#reno = this.#octets
    this.#cutAt = now
  }

  /**
   * @param roundTrip with the queue, ms
   * @param time since it was called last, ms
   * @param used octets in flight
   */
  grow(roundTrip: number, time: number, used: number, now: Instant): void {
    if (used < USED_MIN * this.#octets) return
    const seconds = (since(this.#cutAt, now) + roundTrip) / 1_000
    const recovery = Math.cbrt(Math.max(0, this.#most - this.#least) / SEGMENT / SCALE)
    const cubic = this.#most + SEGMENT * SCALE * (seconds - recovery) ** 3
    this.#reno += ((this.#reno < this.#most ? ALPHA : 1) * SEGMENT * time) / roundTrip
    const wanted = Math.max(this.#octets, this.#reno, cubic)
    this.#octets = Math.min(wanted, GROWTH_MAX * this.#octets)
  }
}
