// How long a datagram one path carries (DPLPMTUD, RFC 8899), found by PROBEs that the collector asks for while data flows. A
// lost PROBE is never counted as a loss. What a path loses by chance anyway does not mislead: how often a length is
// tried, and how many signs make a black hole, follows the path's loss.
import { after, type Instant, since } from '../units.js'

/** UDP payloads to try beyond the usual datagram: jumbo frames, then whatever the interface allows. */
const JUMBO_BYTES = 8_972
/** A length that chance alone would refuse less often than this is given up. */
const GIVE_UP_CHANCE = 1e-4
const TRIES_MIN = 3
/** Chance alone looks like a black hole less often than this. */
const BLACK_HOLE_CHANCE = 1e-6
const SIGNS_MIN = 12
/** After a black hole the search waits this long, twice as long each further time. */
const BLACK_HOLE_WAIT_MS = 5_000
/** A length that was given up is tried again after this long (RFC 8899, PMTU_RAISE_TIMER). */
const RAISE_MS = 600_000

export class PathMtu {
  /** UDP payload of the longest datagram that the path is known, or taken for granted, to carry. */
  datagram: number
  /** Lengths to try, in order. */
  readonly #candidates: readonly number[]
  readonly #usual: number
  #next = 0
  #tries = 0
  /** The PULL that asked for the probe under way, and when. */
  #asked: { readonly pull: number; readonly at: Instant; readonly size: number } | undefined
  #waitUntil: Instant | undefined
  #blackHoles = 0

  /**
   * @param usual UDP payload that is used without a search
   * @param limit the most that our own interface carries
   */
  constructor(usual: number, limit: number) {
    this.datagram = usual
    this.#usual = usual
    this.#candidates = [...new Set([Math.min(JUMBO_BYTES, limit), limit])].filter(size => size > usual)
  }

  /**
   * The PROBE that the PULL being made should ask for; 0 = none.
   * @param answered the newest PULL that was echoed
   * @param worth octets of the longest datagram that would be used
   */
  probe(pull: number, answered: number, roundTrip: number, loss: number, worth: number, now: Instant): number {
    if (this.#waitUntil !== undefined && now >= this.#waitUntil) {
      this.#waitUntil = undefined
      this.#next = 0
    }
    if (this.#waitUntil !== undefined || !this.#settle(answered, roundTrip, loss, now)) return 0
    const size = this.#candidates[this.#next]
    if (size === undefined || size <= this.datagram || size > worth) return 0
    this.#asked = { pull, at: now, size }
    return size
  }

  /** A PROBE came. @param pull that asked for it @returns whether longer datagrams may be used from now on */
  onProbe(size: number, pull: number): boolean {
    const asked = this.#asked
    if (asked === undefined || asked.pull !== pull || asked.size !== size) return false
    this.#asked = undefined
    this.#tries = 0
    this.#next++
    this.datagram = size
    return true
  }

  /** How many signs in a row mean that long datagrams vanish on the path. */
  static blackHoleSigns(loss: number): number {
    return Math.max(SIGNS_MIN, triesFor(BLACK_HOLE_CHANCE, loss))
  }

  /** Long datagrams vanish: back to the usual ones. @returns false where it were those already */
  onBlackHole(now: Instant): boolean {
    const isLong = this.datagram > this.#usual
    this.datagram = this.#usual
    this.#asked = undefined
    this.#tries = 0
    this.#waitUntil = after(now, BLACK_HOLE_WAIT_MS * 2 ** this.#blackHoles)
    this.#blackHoles++
    return isLong
  }

  /** @returns whether no probe is under way */
  #settle(answered: number, roundTrip: number, loss: number, now: Instant): boolean {
    if (this.#asked === undefined) return true
    if (since(this.#asked.at, now) < 2 * roundTrip + 1) return false
    // A PULL that was lost asked for nothing.
    if (answered >= this.#asked.pull) this.#tries++
    this.#asked = undefined
    if (this.#tries >= Math.max(TRIES_MIN, triesFor(GIVE_UP_CHANCE, loss))) {
      this.#tries = 0
      this.#waitUntil = after(now, RAISE_MS)
      return false
    }
    return true
  }
}

/** How many in a row are lost by chance less often than `chance`. */
function triesFor(chance: number, loss: number): number {
  return loss <= 0 ? 0 : Math.ceil(Math.log(chance) / Math.log(Math.min(0.9, loss)))
}
