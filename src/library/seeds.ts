// What a peer goes on serving after it got it: each for its time, and so many at once.
import type { FetchKey } from '../host/contract.js'
import { OFFERS_MAX } from '../wire/layout.js'

/**
 * over: its time is; lost: its files were changed, or can't be read; room: another one took its place; stopped: the peer has.
 */
export type SeedEnd = 'over' | 'lost' | 'room' | 'stopped'

interface Seed {
  readonly resolve: (end: SeedEnd) => void
  readonly timer: NodeJS.Timeout | undefined
}

/** As many as a peer can offer: with one more the oldest ends. */
const SEEDS_MAX = OFFERS_MAX
/** Milliseconds: a longer wait is none at all to Node's timers. */
const TIMER_MAX = 2 ** 31 - 1

export class Seeds {
  /** Serves it no more, and closes its files. */
  readonly #withdraw: (key: FetchKey) => void
  readonly #seeds = new Map<FetchKey, Seed>()

  constructor(withdraw: (key: FetchKey) => void) {
    this.#withdraw = withdraw
  }

  /** @param seconds Infinity: until something else ends it @returns how it ended */
  begin(key: FetchKey, seconds: number): Promise<SeedEnd> {
    const [oldest] = this.#seeds.keys()
    if (oldest !== undefined && this.#seeds.size >= SEEDS_MAX) this.end(oldest, 'room')
    return new Promise(resolve => {
      const wait = 1_000 * seconds
      const timer = wait <= TIMER_MAX ? setTimeout(() => this.end(key, 'over'), wait) : undefined
      this.#seeds.set(key, { resolve, timer })
    })
  }

  end(key: FetchKey, end: SeedEnd): void {
    const seed = this.#seeds.get(key)
    if (seed === undefined) return
    this.#seeds.delete(key)
    clearTimeout(seed.timer)
    // A peer that has stopped serves nothing, and has closed everything.
    if (end !== 'stopped') this.#withdraw(key)
    seed.resolve(end)
  }

  endAll(end: SeedEnd): void {
    for (const key of [...this.#seeds.keys()]) this.end(key, end)
  }
}
