// What Linux' BBR takes for a policer (the comment on "long-term" sampling in net/ipv4/tcp_bbr.c): twice in a row about a
// fifth of what it sends is lost over four round trips or more, and each time about as much comes through. Then it sends at
// that rate, and probes no more, for 48 round trips. Beside someone who takes most of a short queue it does so, too.
import { type Instant, since } from '../units.js'

const INTERVAL_ROUNDS_MIN = 4
const INTERVAL_ROUNDS_MAX = 16
/** Lost segments over delivered ones, of an interval: 50 / 256. */
const LOSS = 50 / 256
/** Two rates are the same that differ by so much: a share, or segments a millisecond (4 kbit/s). */
const SAME_SHARE = 1 / 8
const SAME_RATE = 4 / (8 * 1_448)
const HELD_ROUNDS = 48

export class LongTermRate {
  #held: number | undefined
  #last: number | undefined
  #isSampling = false
  #rounds = 0
  #since: Instant
  #deliveredBefore = 0
  #lostBefore = 0

  constructor(now: Instant) {
    this.#since = now
  }

  /** Segments a millisecond; undefined where it takes nobody for a policer. */
  get held(): number | undefined {
    return this.#held
  }

  /**
   * For each acknowledgement.
   *
   * @param delivered segments so far @param lost segments so far @param isLost some since the last one
   * @param mayEnd it probes for bandwidth, and nothing else
   * @returns whether it sends at that rate no longer
   */
  onAck(delivered: number, lost: number, isLost: boolean, isNewRound: boolean, mayEnd: boolean, now: Instant): boolean {
    if (this.#held !== undefined) {
      if (!mayEnd || !isNewRound || ++this.#rounds < HELD_ROUNDS) return false
      this.#stop()
      return true
    }
    if (!this.#isSampling) {
      if (!isLost) return false
      this.#isSampling = true
      this.#start(delivered, lost, now)
    }
    if (isNewRound) this.#rounds++
    if (this.#rounds > INTERVAL_ROUNDS_MAX) this.#stop()
    if (this.#rounds < INTERVAL_ROUNDS_MIN || !isLost) return false
    const came = delivered - this.#deliveredBefore
    const time = since(this.#since, now)
    if (came > 0 && time >= 1 && lost - this.#lostBefore >= LOSS * came) {
      this.#onInterval(came / time)
      this.#start(delivered, lost, now)
    }
    return false
  }

  #onInterval(rate: number): void {
    const difference = Math.abs(rate - (this.#last ?? Infinity))
    if (this.#last !== undefined && (difference <= SAME_SHARE * this.#last || difference <= SAME_RATE)) {
      this.#held = (rate + this.#last) / 2
      return
    }
    this.#last = rate
  }

  #start(delivered: number, lost: number, now: Instant): void {
    this.#rounds = 0
    this.#since = now
    this.#deliveredBefore = delivered
    this.#lostBefore = lost
  }

  #stop(): void {
    this.#held = undefined
    this.#last = undefined
    this.#isSampling = false
    this.#rounds = 0
  }
}
