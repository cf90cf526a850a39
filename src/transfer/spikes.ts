// Whether someone on the link probes it upwards for a round trip and lets go again, as BBR does every eight: the queue
// has spikes. Those who grow until something is lost (CUBIC, Reno) raise it slowly, and it falls from full.
import { type Instant, since } from '../units.js'

/** A round trip is looked at in so many slices; a spike stands out from one and a half before it and after it. */
const SLICES = 4
const REACH = (SLICES * 3) / 2
const KEPT = 2 * REACH + 1
/** Least height, ms and in round trips. BBR's are a quarter of its share of the link. */
const HEIGHT_MS = 3
const HEIGHT_ROUND_TRIPS = 0.1
/** So many spikes in so many round trips are no chance: BBR makes seven, CUBIC hardly one. */
const COUNT = 4
const SPAN_ROUND_TRIPS = 60
/** In longer queues no probe of BBR overflows, which keeps two products in flight. */
const HIGHEST_ROUND_TRIPS = 1.5

export class Spikes {
  /** Least queueing delay of each of the last slices, newest last; Infinity where nothing came. */
  readonly #slices: number[] = []
  #sliceAt: Instant | undefined
  #slice = Infinity
  #sinceSpike = 0
  readonly #spikes: Instant[] = []

  /** @param queue delay of one datagram, ms */
  onDelay(queue: number, roundTrip: number, now: Instant): void {
    this.#sliceAt ??= now
    const length = roundTrip / SLICES
    if (since(this.#sliceAt, now) >= length) {
      this.#endSlice(roundTrip, now)
      // A pause is not a flat queue: begin anew.
      if (since(this.#sliceAt, now) >= 4 * length) this.#slices.length = 0
      this.#sliceAt = now
      this.#slice = Infinity
    }
    this.#slice = Math.min(this.#slice, queue)
  }

  /** Forgets what was seen: we moved the queue ourselves. */
  clear(): void {
    this.#slices.length = 0
    this.#spikes.length = 0
  }

  /** Someone probes, and overflows the queue. @param highest the longest queue lately, ms */
  tell(highest: number, roundTrip: number, now: Instant): boolean {
    while (this.#spikes.length > 0 && since(this.#spikes[0]!, now) > SPAN_ROUND_TRIPS * roundTrip) this.#spikes.shift()
    return highest < HIGHEST_ROUND_TRIPS * roundTrip && this.#spikes.length >= COUNT
  }

  #endSlice(roundTrip: number, now: Instant): void {
    this.#slices.push(this.#slice)
    if (this.#slices.length > KEPT) this.#slices.shift()
    this.#sinceSpike++
    if (this.#slices.length < KEPT || this.#sinceSpike <= REACH) return
    const top = this.#slices[REACH]!
    const height = Math.max(HEIGHT_MS, HEIGHT_ROUND_TRIPS * roundTrip)
    const before = Math.min(...this.#slices.slice(0, REACH))
    const after = Math.min(...this.#slices.slice(REACH + 1))
    if (top - before < height || top - after < height) return
    this.#sinceSpike = 0
    this.#spikes.push(now)
    if (this.#spikes.length > COUNT) this.#spikes.shift()
  }
}
