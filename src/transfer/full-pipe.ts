// When a higher rate brings nothing more: the path is full.

/** In so many rounds it did not grow by so much (STARTUP: BBR draft, FullBWThresh and FullBWCnt). UP asks for a quarter more only. */
const FULL = { startup: { growth: 1.25, rounds: 3 }, up: { growth: 1.15, rounds: 2 } } as const

export class FullPipe {
  #rate = 0
  #deliveredBefore = 0
  #rounds = 0
  #hasGrown = false

  /** @param rate that is reached already @param delivered lately, both octets a millisecond */
  start(rate: number, delivered: number): void {
    this.#rate = rate
    this.#deliveredBefore = delivered
    this.#rounds = 0
    this.#hasGrown = false
  }

  /** The rate grew since the start. */
  get hasGrown(): boolean {
    return this.#hasGrown
  }

  /** UP's quarter more brings about as much more. @param delivered in the last round, octets a millisecond */
  brings(delivered: number): boolean {
    return delivered >= FULL.up.growth * this.#deliveredBefore
  }

  /** @returns whether it did not grow for too long */
  onRound(rate: number, state: keyof typeof FULL): boolean {
    const { growth, rounds } = FULL[state]
    if (rate < this.#rate * growth) return ++this.#rounds >= rounds
    this.#rate = rate
    this.#rounds = 0
    this.#hasGrown = true
    return false
  }
}
