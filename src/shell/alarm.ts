import { type Instant, NEVER } from '../units.js'
import { now } from './clock.js'

/** Node's timers count whole milliseconds. */
const TIMER_MS = 1
/** Node fires a timer longer than this at once. */
const TIMER_MAX_MS = 0x7fff_ffff

/**
 * The one timer of a driver: rings once when its instant has come, or up to a millisecond or two later.
 *
 * A wait of less than a millisecond is too short for a timer. Where that matters, which is while data is sent fast, the event
 * loop is polled for it; that costs a core for that millisecond. Anything else can wait for the timer.
 */
export class Alarm {
  readonly #ring: () => void
  #at: Instant = NEVER
  #timer: NodeJS.Timeout | undefined
  #poll: NodeJS.Immediate | undefined

  constructor(ring: () => void) {
    this.#ring = ring
  }

  /** @param at replaces the instant set before; `NEVER` clears it. @param isExact whether less than a millisecond matters */
  set(at: Instant, isExact: boolean): void {
    const isSet = this.#timer !== undefined || this.#poll !== undefined
    if (at === this.#at && isSet) return
    this.clear()
    if (at === NEVER) return
    this.#at = at
    const wait = at - now()
    if (wait <= 0 || (isExact && wait < TIMER_MS)) this.#poll = setImmediate(this.#onPoll)
    else this.#timer = setTimeout(this.#onTimer, Math.min(Math.ceil(wait), TIMER_MAX_MS))
  }

  clear(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#poll)
    this.#timer = undefined
    this.#poll = undefined
    this.#at = NEVER
  }

  readonly #onPoll = (): void => {
    if (now() < this.#at) this.#poll = setImmediate(this.#onPoll)
    else this.#onTimer()
  }

  readonly #onTimer = (): void => {
    this.clear()
    this.#ring()
  }
}
