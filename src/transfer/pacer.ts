import { after, type Instant, NEVER, since } from '../units.js'

/** IPv4 and UDP headers: rates and windows count them, because links do. */
export const IP_UDP_BYTES = 28
/** A stall longer than this is not caught up: what was not sent in it is given up. Chosen for timers that fire up to 2 ms late. */
const CATCH_UP_MS = 4
/** A burst may always hold this many octets, so that slow paths send whole datagrams. */
const BURST_BYTES_MIN = 3_000
/** Waiting is for this much of the rate: on fast paths a wake-up is worth many datagrams. */
const GRAIN_MS = 0.25
/** And for this share of a burst where bursts are bounded: fewer wake-ups, and room to make up for a late one. */
const GRAIN_SHARE = 0.75
/** What is missed is made up for at this multiple of the rate, where it may not go out at once. */
const CATCH_UP_GAIN = 2
/** 50 Mbit/s: on slower paths even a burst of a millisecond is more than a short queue likes (picoquic#1110). */
const SLOW_RATE = 6_250
/** A rate at which a train takes longer needs none to be found out, and would make long pauses of them. */
const TRAIN_MS_MAX = 50

const NO_TRAINS = { count: 0, octets: 0 }

/**
 * Spaces what is sent to a rate. Fractions carry over, so any rate is kept exactly (libudx#260 shows what truncation does).
 * A datagram may be sent while the allowance is above zero, and takes it below: the debt is the wait for the next.
 */
export class Pacer {
  #rate = 0
  #allowance: number
  #updatedAt: Instant | undefined
  readonly #trainOctets: number
  #trains: number
  #isInTrain = false
  readonly #burst: number
  /** Octets that may go out now, whatever was missed. */
  #room: number

  /**
   * @param trains what is sent first goes out as so many bursts of `octets`, back to back, at the same rate in all
   * @param burst milliseconds of the rate that may go out at once; of a rate below SLOW_RATE two datagrams, if less than the
   *   default. What was missed goes out faster than the rate, but not at once: for whoever's timers come in time
   */
  constructor(trains: { readonly count: number; readonly octets: number } = NO_TRAINS, burst = CATCH_UP_MS) {
    this.#burst = burst
    this.#room = burst < CATCH_UP_MS ? BURST_BYTES_MIN : Infinity
    this.#trains = trains.count
    this.#trainOctets = trains.octets
    this.#allowance = Math.max(BURST_BYTES_MIN, trains.octets)
  }

  /** @param rate octets a millisecond, counting IP and UDP headers; 0 stops */
  setRate(rate: number, now: Instant): void {
    this.#advance(now)
    this.#rate = rate
    if (this.#trains > 0 && rate * TRAIN_MS_MAX < this.#trainOctets) this.#endTrains()
  }

  canSend(now: Instant): boolean {
    this.#advance(now)
    if (this.#rate <= 0 || this.#allowance <= 0) return false
    if (this.#trains === 0) return this.#room > 0
    this.#isInTrain ||= this.#allowance >= this.#trainOctets
    return this.#isInTrain
  }

  /** How many datagrams of that size may be sent now, where one may. */
  worth(octets: number, now: Instant): number {
    this.#advance(now)
    return this.#trains > 0 ? 1 : Math.ceil(Math.min(this.#allowance, this.#room) / octets)
  }

  spend(octets: number): void {
    this.#allowance -= octets
    if (this.#trains === 0) this.#room -= octets
    if (this.#allowance > 0 || !this.#isInTrain) return
    this.#isInTrain = false
    this.#trains--
  }

  /** When it is worth while to send: `canSend` is true by then. */
  nextAt(): Instant {
    if (this.#rate <= 0 || this.#updatedAt === undefined) return NEVER
    if (this.#trains > 0) {
      const needed = this.#isInTrain ? 0 : this.#trainOctets
      return after(this.#updatedAt, Math.max(0, (needed - this.#allowance) / this.#rate + 0.001))
    }
    const paced = this.#allowance > 0 ? 0 : -this.#allowance / this.#rate + this.#grain
    const apart = this.#room > 0 ? 0 : -this.#room / (CATCH_UP_GAIN * this.#rate) + GRAIN_MS
    return after(this.#updatedAt, Math.max(paced, apart))
  }

  #endTrains(): void {
    this.#trains = 0
    this.#isInTrain = false
    this.#allowance = Math.min(this.#allowance, BURST_BYTES_MIN)
  }

  get #grain(): number {
    if (this.#burst >= CATCH_UP_MS) return GRAIN_MS
    return GRAIN_SHARE * Math.min(this.#burst, this.#roomMax / this.#rate)
  }

  get #roomMax(): number {
    if (this.#burst >= CATCH_UP_MS) return Infinity
    return this.#rate < SLOW_RATE ? BURST_BYTES_MIN : Math.max(BURST_BYTES_MIN, this.#rate * this.#burst)
  }

  #advance(now: Instant): void {
    if (this.#updatedAt !== undefined) {
      const cap = Math.max(BURST_BYTES_MIN, this.#rate * CATCH_UP_MS, this.#trains > 0 ? this.#trainOctets : 0)
      const saved = Math.min(cap, this.#allowance + this.#rate * since(this.#updatedAt, now))
      this.#allowance = Math.max(this.#allowance, saved)
      this.#room = Math.min(this.#roomMax, this.#room + CATCH_UP_GAIN * this.#rate * since(this.#updatedAt, now))
    }
    this.#updatedAt = now
  }
}
