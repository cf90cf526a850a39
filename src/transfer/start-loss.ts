// Which losses of STARTUP are chance: those that came at a low rate already.
import type { Losses } from './loss-floor.js'

/** More than so much above the least is not chance. */
const TOLERATED = 0.1
const DATAGRAMS_MIN = 50
const DEVIATIONS = 4
const RUNS_MIN = 6
/** Chance takes no more: what does is a flood of many who begin together. Their queue, full before we came, is not seen. */
const FLOOD = 0.25
const FLOOD_DATAGRAMS_MIN = 16
const FLOOD_DEVIATIONS = 2

export class StartLoss {
  /** Least share lost in a round. */
  #least = 1

  isChance(losses: Losses): boolean {
    const { received, lost } = losses
    return !this.isFlood(losses) && lost <= (this.#least + TOLERATED) * (received + lost)
  }

  /** Of the last round. */
  isFlood({ received, lost }: Losses): boolean {
    const total = received + lost
    const noise = FLOOD_DEVIATIONS * Math.sqrt((FLOOD * (1 - FLOOD)) / total)
    return total >= FLOOD_DATAGRAMS_MIN && lost / total > FLOOD + noise
  }

  /** Of the last round. @returns whether more is lost than at a lower rate, and not in a few bursts */
  rises({ received, lost, runs }: Losses): boolean {
    const total = received + lost
    if (total < DATAGRAMS_MIN) return false
    const least = this.#least
    this.#least = Math.min(least, lost / total)
    return runs > RUNS_MIN && lost / total > least + TOLERATED + DEVIATIONS * Math.sqrt((least * (1 - least)) / total)
  }
}
