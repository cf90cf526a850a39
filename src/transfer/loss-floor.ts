// The share of datagrams that chance takes, learned where nothing else can: without a queue.

const BUCKETS = 8
const BUCKET_DATAGRAMS = 200
const SHARE_MAX = 0.25
/** A round that lost more of its datagrams, standard deviations included, is no phase without a queue: its delay misleads. */
const LOST_MAX = 0.4
const LOST_DEVIATIONS = 2
/** Fewer say nothing: one loss of fifty would be two per cent. */
const KNOWN_DATAGRAMS = 50
/** What is lost of so many datagrams, whenever, bounds the floor from above. */
const BOUND_DATAGRAMS = 1_000
/** Loss above the floor that is still chance or noise (BBRv3's threshold). */
const TOLERATED = 0.02
/** Standard deviations beyond which a loss is no chance any more. Where chance takes some a single one never is. */
const NO_CHANCE = 4
const SINGLE = 1

export interface Losses {
  readonly received: number
  readonly lost: number
  /** Runs of datagrams sent one after the other that were lost: a burst of chance is one. */
  readonly runs: number
}

export interface LossCount {
  lost: number
  runs: number
  total: number
}

export class LossFloor {
  #buckets: LossCount[] = [emptyCount()]
  #known: LossCount = emptyCount()
  #bound: LossCount = emptyCount()
  #share = 0

  /** 0 to 0.25. */
  get share(): number {
    return this.#share
  }

  /** Runs of losses for each datagram that came: a run begins after one, so that where most is lost they are few. */
  get strikes(): number {
    return this.#known.runs / Math.max(1, this.#known.total - this.#known.lost)
  }

  forget(): void {
    this.#buckets = [emptyCount()]
    this.#known = emptyCount()
    this.#share = 0
  }

  /** Takes what a round without a queue showed: the floor is the loss over the last buckets. */
  learn(losses: Losses): void {
    const total = losses.received + losses.lost
    if (losses.lost > LOST_MAX * total + LOST_DEVIATIONS * Math.sqrt(LOST_MAX * (1 - LOST_MAX) * total)) return
    const last = this.#buckets[this.#buckets.length - 1]!
    add(last, losses)
    this.#sum()
    if (last.total < BUCKET_DATAGRAMS) return
    this.#buckets.push(emptyCount())
    if (this.#buckets.length > BUCKETS) this.#buckets.shift()
  }

  /** Takes what any round showed: of no thousand datagrams chance takes more than what was lost. */
  bound(losses: Losses): void {
    add(this.#bound, losses)
    if (this.#bound.total < BOUND_DATAGRAMS) return
    const { lost, runs, total } = this.#bound
    const most = lost + 3 * Math.sqrt(lost) + 3
    if (this.#share * total > most) this.set({ lost: most, runs: most * (runs / Math.max(1, lost)), total })
    this.#bound = emptyCount()
  }

  /** Loss above what the floor, three standard deviations and noise explain. */
  excess({ lost, received }: Losses): number {
    const total = lost + received
    if (total < 8) return 0
    // Where the floor is not known yet, what was lost may be chance itself.
    const chance = Math.min(0.5, Math.max(this.#share, lost / total))
    const noise = Math.max(TOLERATED, 3 * Math.sqrt((chance * (1 - chance)) / total))
    return lost / total - this.#share - noise
  }

  /** Chance does not explain these losses, as far as the floor is known. */
  isExceeded({ received, runs }: Losses): boolean {
    const known = Math.max(1, this.#known.total - this.#known.lost)
    if (this.#share === 0) return runs > 0
    const rate = this.strikes
    return runs > rate * received + NO_CHANCE * Math.sqrt(rate * (received + received ** 2 / known)) + SINGLE
  }

  /** What was lost at a rate at which nothing but chance takes anything. */
  set(count: LossCount): void {
    this.#buckets = [count]
    this.#sum()
  }

  #sum(): void {
    this.#known = emptyCount()
    for (const { lost, runs, total } of this.#buckets) {
      this.#known.lost += lost
      this.#known.runs += runs
      this.#known.total += total
    }
    const { lost, total } = this.#known
    if (total >= KNOWN_DATAGRAMS) this.#share = Math.min(SHARE_MAX, Math.max(0, lost / total))
  }
}

function emptyCount(): LossCount {
  return { lost: 0, runs: 0, total: 0 }
}

function add(count: LossCount, { received, lost, runs }: Losses): void {
  count.lost += lost
  count.runs += runs
  count.total += received + lost
}
