import { after, type Instant, type Milliseconds, since } from '../units.js'
import type { MemberSettings } from './settings.js'

/** When a member's heartbeats go out, and since when the manager is silent. */
export class Pulse {
  readonly #settings: MemberSettings
  /** Milliseconds, as the manager told. */
  interval: number
  #next: Instant
  #heardAt: Instant
  #sentAt: Instant
  /** Heartbeats since the last answer. */
  #unanswered = 0

  /** @param first when the first heartbeat goes out */
  constructor(interval: number, first: Instant, settings: MemberSettings, now: Instant) {
    this.#settings = settings
    this.interval = interval
    this.#next = first
    this.#heardAt = now
    this.#sentAt = now
  }

  /** When the next heartbeat is due. */
  get next(): Instant {
    return this.#next
  }

  /** When the manager counts as silent. */
  get silentAt(): Instant {
    return after(this.#heardAt, this.#settings.silentIntervals * this.interval)
  }

  /** @param wait for the answer to a first heartbeat, in milliseconds; the ones after it come by the settings */
  onSent(wait: number, now: Instant): void {
    const { beatAgainMin, beatAgainMax, beatBackOff } = this.#settings
    const again = Math.min(beatAgainMax, beatAgainMin * beatBackOff ** (this.#unanswered - 1)) * this.interval
    this.#next = after(now, this.#unanswered === 0 ? Math.min(wait, this.interval) : again)
    this.#sentAt = now
    this.#unanswered++
  }

  /** Anything from the manager shows that it lives. */
  onHeard(now: Instant): void {
    this.#heardAt = now
  }

  /** @returns the round trip, if it is clear which heartbeat was answered */
  onAnswered(now: Instant): Milliseconds | undefined {
    const isClear = this.#unanswered === 1
    if (this.#unanswered > 0) this.#next = after(this.#sentAt, this.interval)
    this.#unanswered = 0
    return isClear ? since(this.#sentAt, now) : undefined
  }

  /** Puts the next heartbeat forward, to `askAgain` after the last one at the earliest. */
  hurry(now: Instant): void {
    const soon = latest(now, after(this.#sentAt, this.#settings.askAgain))
    if (soon < this.#next) this.#next = soon
  }
}

function latest(a: Instant, b: Instant): Instant {
  return a > b ? a : b
}
