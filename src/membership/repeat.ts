import type { Random } from '../ambient.js'
import { after, type Instant, type Milliseconds, type Sequence, since } from '../units.js'
import type { MemberSettings } from './settings.js'

/** Sendings whose instants are remembered: on the longest paths an answer comes after several of them. */
const SENDINGS_REMEMBERED = 8

/** When something is said again until it is answered: each wait is longer than the one before, with a little chance in it. */
export class Repeat {
  readonly #random: Random
  readonly #settings: MemberSettings
  #next: Instant
  #wait: number
  /** By sequence number, oldest first. */
  readonly #sentAt = new Map<Sequence, Instant>()
  #sendings = 0

  /** @param wait after the first sending, in milliseconds */
  constructor(first: Instant, wait: number, random: Random, settings: MemberSettings) {
    this.#next = first
    this.#wait = wait
    this.#random = random
    this.#settings = settings
  }

  get next(): Instant {
    return this.#next
  }

  onSent(number: Sequence, now: Instant): void {
    this.#sendings++
    this.#sentAt.set(number, now)
    if (this.#sentAt.size > SENDINGS_REMEMBERED) this.#sentAt.delete(this.#sentAt.keys().next().value!)
    // A tenth more or less: peers that were started together do not stay in step.
    this.#next = after(now, this.#wait * (0.9 + 0.2 * uniform(this.#random)))
    this.#wait = Math.min(this.#settings.retryMax, this.#wait * this.#settings.backOff)
  }

  /** The round trip, of an answer that bears the number of what it answers. */
  roundTripOf(number: Sequence, now: Instant): Milliseconds | undefined {
    const sentAt = this.#sentAt.get(number)
    return sentAt === undefined ? undefined : since(sentAt, now)
  }

  /** The round trip, of an answer that does not: known only after a single sending. */
  roundTrip(now: Instant): Milliseconds | undefined {
    const [number] = this.#sentAt.keys()
    return this.#sendings === 1 ? this.roundTripOf(number!, now) : undefined
  }
}

/** In [0, 1). */
export function uniform(random: Random): number {
  return random.u32() / 0x1_0000_0000
}
