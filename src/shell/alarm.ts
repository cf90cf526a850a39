import { type Instant, NEVER } from '../units.js'
import { now } from './clock.js'
import type { ExactTimer } from './sockets/exact-timer.js'

/** Node's timers count whole milliseconds. */
const TIMER_MS = 1
/** Nothing that waits longer than this minds that they are late. */
const EXACT_MS = 20
/** Node fires a timer longer than this at once. */
const TIMER_MAX_MS = 0x7fff_ffff

/**
 * The one timer of a driver: rings once when its instant has come, or up to a millisecond or two later.
 *
 * A wait of less than a millisecond is too short for Node's timers. An exact timer takes all short waits; where there is none
 * and it matters, which is while data is sent fast, the event loop is polled, which costs a core for that millisecond.
 */
export class Alarm {
  readonly #ring: () => void
  readonly #exact: ExactTimer | undefined
  #isExactSet = false
  #at: Instant = NEVER
  #timer: NodeJS.Timeout | undefined
  #poll: NodeJS.Immediate | undefined

  /** @param openExact makes a timer for less than a millisecond, if there is one */
  constructor(ring: () => void, openExact?: (ring: () => void) => ExactTimer | undefined) {
    this.#ring = ring
    this.#exact = openExact?.(() => this.#onExact())
  }

  /** When it rings; `NEVER` = it is not set. */
  get at(): Instant {
    return this.#at
  }

  /** @param at replaces the instant set before; `NEVER` clears it. @param isExact whether less than a millisecond is worth polling for */
  set(at: Instant, isExact: boolean): void {
    const isSet = this.#timer !== undefined || this.#poll !== undefined || this.#isExactSet
    if (at === this.#at && isSet) return
    this.clear()
    if (at === NEVER) return
    this.#at = at
    const wait = at - now()
    if (wait > 0 && wait < EXACT_MS && this.#exact !== undefined) {
      this.#isExactSet = true
      this.#exact.set(wait)
    } else if (wait <= 0 || (isExact && wait < TIMER_MS)) this.#poll = setImmediate(this.#onPoll)
    else this.#timer = setTimeout(this.#onTimer, Math.min(Math.ceil(wait), TIMER_MAX_MS))
  }

  clear(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#poll)
    if (this.#isExactSet) this.#exact?.clear()
    this.#isExactSet = false
    this.#timer = undefined
    this.#poll = undefined
    this.#at = NEVER
  }

  /** Nothing rings any more. */
  close(): void {
    this.clear()
    this.#exact?.close()
  }

  #onExact(): void {
    this.#isExactSet = false
    this.#onTimer()
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
