import { type Instant, type Milliseconds, ms } from '../units.js'
import { WindowedMinimum } from './minimum.js'

/** How long a minimum counts: routes change (BBR draft, MinRTTFilterLen). */
const MINIMUM_SPAN_MS = 10_000
/** Node's timers and event loop add this much noise; no estimate is finer. */
const GRANULARITY_MS = 2
/** Before any sample. RFC 9002, section 6.2.2 says 333; a peer found by way of the manager is usually nearer. */
const INITIAL_MS = 100

/** Round-trip estimates of one path (RFC 6298, section 2, with a minimum filter). */
export class RoundTrip {
  #smoothedMs = INITIAL_MS
  #deviationMs = INITIAL_MS / 2
  readonly #filter = new WindowedMinimum(MINIMUM_SPAN_MS)
  #samples = 0

  /** @param guess a first estimate in milliseconds that real samples replace, such as the manager's round trip */
  constructor(guess?: number) {
    if (guess === undefined) return
    this.#smoothedMs = Math.max(guess, 0.1)
    this.#deviationMs = this.#smoothedMs / 2
  }

  sample(rtt: Milliseconds, now: Instant): void {
    if (!(rtt >= 0)) return
    this.#filter.update(rtt, now)
    if (this.#samples++ === 0) {
      this.#smoothedMs = rtt
      this.#deviationMs = rtt / 2
      return
    }
    this.#deviationMs += (Math.abs(this.#smoothedMs - rtt) - this.#deviationMs) / 4
    this.#smoothedMs += (rtt - this.#smoothedMs) / 8
  }

  /** The minimum is not forgotten for now. */
  holdMinimum(now: Instant): void {
    this.#filter.hold(now)
  }

  get hasSample(): boolean {
    return this.#samples > 0
  }

  get smoothed(): Milliseconds {
    return ms(this.#smoothedMs)
  }

  /** The least round trip lately; the smoothed guess before the first sample. Never below 0.05 ms. */
  get minimum(): Milliseconds {
    const least = this.#filter.value
    return ms(Math.max(0.05, Number.isFinite(least) ? least : this.#smoothedMs))
  }

  /** Time after which silence means something, without back-off (RFC 9002, section 6.2.1). */
  get timeout(): Milliseconds {
    return ms(this.#smoothedMs + Math.max(4 * this.#deviationMs, GRANULARITY_MS))
  }
}
