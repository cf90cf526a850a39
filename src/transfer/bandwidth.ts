// What we believe that a link carries for us. All is octets a millisecond of IP datagrams.

/** Rate floor: 64 kbit/s. */
export const RATE_MIN = 8
/** Datagrams that may always be in flight. */
export const WINDOW_MIN = 4
/** First window (RFC 6928 allows 10; paced over a round trip 32 is what large senders use), and first rate where that is more: 5 Mbit/s. */
const WINDOW_INITIAL = 32
const RATE_INITIAL = 625
/** Rounds whose deliveries are remembered: more than a drain takes, or its own low rate would be believed. */
const DELIVERIES = 6

/** @param datagram octets @param beginners all who begin with the peer share what one would begin with @param roundTrip ms */
export function initialRate(datagram: number, beginners: number, roundTrip: number): number {
  const window = Math.max(WINDOW_MIN, WINDOW_INITIAL / beginners)
  return Math.max(RATE_MIN, RATE_INITIAL / beginners, (window * datagram) / Math.max(1, roundTrip))
}

export class Bandwidth {
  readonly #initial: number
  /** Best rate of this probe cycle and of the one before. */
  #best = 0
  #bestBefore = 0
  /** A queue showed what the link carries: no more, until the next probe. */
  #limit = Infinity
  /** What the last rounds delivered. */
  readonly #deliveries: number[] = []

  /** @param initial before any sample */
  constructor(initial: number) {
    this.#initial = initial
  }

  get value(): number {
    return Math.max(RATE_MIN, Math.min(this.#limit, Math.max(this.#best, this.#bestBefore) || this.#initial))
  }

  /** @param least below this the sample says nothing; 0: it counts */
  onSample(rate: number, least: number): void {
    const credible = Math.min(rate, this.#limit)
    if (credible > least) this.#best = Math.max(this.#best, credible)
  }

  onRound(delivered: number): void {
    this.#deliveries.push(delivered)
    if (this.#deliveries.length > DELIVERIES) this.#deliveries.shift()
  }

  /** The most that one of the last rounds delivered, and chance took. @param floor the share that it takes */
  sent(floor: number, rounds = DELIVERIES): number {
    return Math.max(RATE_MIN, ...this.#deliveries.slice(-rounds)) / (1 - floor)
  }

  /** It is `rate` at most, and samples may raise it again. */
  lower(rate: number): void {
    this.#best = Math.min(this.value, rate)
  }

  /** Whatever was measured, it is `rate`. */
  set(rate: number): void {
    this.#best = rate
    this.#bestBefore = 0
  }

  /** It is `rate` at most, until the next probe. */
  limit(rate: number): void {
    this.#limit = rate
  }

  /** The next probe begins. */
  onProbe(): void {
    // A cycle in which the sender lacked data taught nothing: what was known before still counts.
    if (this.#best > 0) this.#bestBefore = Math.min(this.#limit, this.#best)
    this.#best = 0
    this.#limit = Infinity
  }
}
