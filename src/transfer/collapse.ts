// Loss so heavy that what we believe of the path must be wrong: a policer, or a link that got far slower.

/** This share lost, or half of it above the floor, in so many rounds running. */
const LOSS = 0.3
const ROUNDS = 3
/** Fewer datagrams say nothing. */
const DATAGRAMS_MIN = 8

export class Collapse {
  #rounds = 0
  /** In lossy rounds running but the first, which the others only confirm. */
  #lost = 0
  #total = 0

  /** @param floor share lost by chance @returns whether it is more, in the last rounds together, than chance brings */
  onRound(lost: number, total: number, floor: number): boolean {
    const heavy = Math.max(LOSS, floor + LOSS / 2)
    const isLossy = total >= DATAGRAMS_MIN && lost / total > heavy
    this.#rounds = isLossy ? this.#rounds + 1 : 0
    if (this.#rounds <= 1) {
      this.#lost = 0
      this.#total = 0
      return false
    }
    this.#lost += lost
    this.#total += total
    const expected = heavy * this.#total
    return this.#rounds >= ROUNDS && this.#lost > expected + 3 * Math.sqrt(expected * (1 - heavy))
  }

  clear(): void {
    this.#rounds = 0
  }
}
