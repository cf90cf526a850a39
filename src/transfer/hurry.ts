// Whether the next PULL can wait for its time.

/** A short window is used up long before the cadence on a fast path: with this share of it come, but for so many ms. */
const USED = 1 / 3
const USED_MS = 0.25
/** A PULL that asks for less than this share of what the last one did would let a queue grow meanwhile. */
const SLOWER = 0.6

export class Hurry {
  #came = 0
  #isTrainOver = false
  #rate = 0

  /** So many datagrams came. */
  onArrivals(count: number): void {
    this.#came += count
  }

  /** The first datagrams showed the link's rate. */
  onTrain(): void {
    this.#isTrainOver = true
  }

  /** @param rate that it asks for, octets a millisecond */
  onSent(rate: number): void {
    this.#came = 0
    this.#isTrainOver = false
    this.#rate = rate
  }

  /** @param window datagrams */
  hasUsed(window: number): boolean {
    return this.#came >= USED * window
  }

  /** @param rate to be asked for @param window datagrams @param waited since the last one, ms */
  isWanted(rate: number, window: number, waited: number): boolean {
    return this.#isTrainOver || rate < SLOWER * this.#rate || (this.hasUsed(window) && waited >= USED_MS)
  }
}
