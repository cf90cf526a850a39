// Whether someone on the link answers no loss, as BBR does: beside those who do little is lost while we answer every loss.
import { after, type Instant, since } from '../units.js'

/** So long is looked at, round trips, twice running: those who begin lose much once. */
const SPAN_ROUND_TRIPS = 10
/** More than so much above chance is lost beside nobody who answers. */
const LOSS = 0.025
/** He is believed in for so long, round trips: at first, and at most where he shows himself again and again. */
const BELIEVED_MIN = 100
const BELIEVED_MAX = 400
/** Who shows himself within so many round trips after that is the same. */
const SAME_ROUND_TRIPS = 400

export class Stubborn {
  #until: Instant
  #wasSeen = false
  /** Round trips for which he is believed in. */
  #believed = BELIEVED_MIN
  #since: Instant
  #total = 0
  /** Above what chance takes. */
  #lost = 0
  /** In the look before this one, too much was. */
  #wasLossy = false

  constructor(now: Instant) {
    this.#until = now
    this.#since = now
  }

  isThere(now: Instant): boolean {
    return now < this.#until
  }

  /** Nothing was looked at since the last looks ended. */
  get isFresh(): boolean {
    return this.#total === 0 && !this.#wasLossy
  }

  /** Looks anew: at what comes when he is not believed in. */
  start(now: Instant): void {
    this.#wasLossy = false
    this.#since = now < this.#until ? this.#until : now
    this.#total = 0
    this.#lost = 0
  }

  /** He shows himself. @param roundTrip ms */
  believe(roundTrip: number, now: Instant): void {
    if (!this.isThere(now)) {
      const isSame = this.#wasSeen && since(this.#until, now) < SAME_ROUND_TRIPS * roundTrip
      this.#believed = isSame ? Math.min(BELIEVED_MAX, 2 * this.#believed) : BELIEVED_MIN
    }
    this.#wasSeen = true
    this.#until = after(now, this.#believed * roundTrip)
    this.start(now)
  }

  /**
   * What one path saw in a round trip. While he is believed in losses say nothing: we answer few of them.
   * @param floor share lost by chance @param roundTrip ms @returns whether he shows himself by it
   */
  onRound(received: number, lost: number, floor: number, roundTrip: number, now: Instant): boolean {
    if (this.isThere(now)) return false
    this.#total += received + lost
    this.#lost += lost - floor * (received + lost)
    if (since(this.#since, now) < SPAN_ROUND_TRIPS * roundTrip) return false
    const isLossy = this.#lost > LOSS * this.#total
    const isSeen = isLossy && this.#wasLossy
    if (isSeen) this.believe(roundTrip, now)
    else {
      this.start(now)
      this.#wasLossy = isLossy
    }
    return isSeen
  }
}
