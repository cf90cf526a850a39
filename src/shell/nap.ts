// Datagrams that come one by one, a tenth of a millisecond apart, would each wake the process, and waking costs several times
// what the datagram does. So the process sleeps a moment after each turn, while they come fast, and then finds several.
// Nothing in Node's sockets can be told to wait: the thread itself does, as only a process that does nothing else may.
import { type Instant, since } from '../units.js'

/** Longest sleep: as much as Node's timers are late anyway. */
const NAP_MS = 1
/** Shorter ones do not pay. */
const NAP_MS_MIN = 0.2
/** So many in one turn cost little more than they must. */
const DATAGRAMS_MANY = 24
/** Turns in a row, each soon after the one before, that come first: who measures a new path wants to see each datagram when it comes. */
const TURNS_BEFORE = 256

export class Nap {
  readonly #sleep: (wait: number) => void
  #turns = 0
  #last = -Infinity as Instant

  /** @param sleep does nothing for so many milliseconds */
  constructor(sleep: (wait: number) => void = sleepHere()) {
    this.#sleep = sleep
  }

  /** After a turn that took `datagrams`. @param dueAt when something is to be done */
  after(datagrams: number, now: Instant, dueAt: Instant): void {
    this.#turns = since(this.#last, now) < 2 * NAP_MS ? this.#turns + 1 : 0
    this.#last = now
    const wait = Math.min(NAP_MS, since(now, dueAt))
    if (this.#turns < TURNS_BEFORE || datagrams >= DATAGRAMS_MANY || wait < NAP_MS_MIN) return
    this.#sleep(wait)
  }
}

/** Nobody wakes this thread before the time is over. */
function sleepHere(): (wait: number) => void {
  const memory = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  return wait => void Atomics.wait(memory, 0, 0, wait)
}
