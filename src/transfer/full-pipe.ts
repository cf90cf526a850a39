// When a higher rate brings nothing more: the path is full (BBR draft, FullBWThresh and FullBWCnt).

const GROWTH = 1.25

export class FullPipe {
  #rate = 0
  #rounds = 0

  /** @param rate that is reached already, octets a millisecond */
  start(rate: number): void {
    this.#rate = rate
    this.#rounds = 0
  }

  /** It grew in the last round. */
  get grows(): boolean {
    return this.#rounds === 0
  }

  /** @returns whether it did not grow in so many rounds */
  onRound(rate: number, rounds: number): boolean {
    if (rate >= this.#rate * GROWTH) this.start(rate)
    else this.#rounds++
    return this.#rounds >= rounds
  }
}
