// What an upload tells its collector of blocks: which ones there are by now, or were given to others (have.ts), as far as it asks.
import { after, type Instant, NEVER } from '../units.js'
import { writeHavePlace, writeHaveRange } from '../wire/bulk.js'
import { HAVE_RANGE_BYTES, HAVE_RANGES_AT, HAVE_RANGES_MAX, LOG_HEIGHT } from '../wire/layout.js'
import type { Pull } from '../wire/message.js'
import type { Have } from './have.js'

/** Between two HAVEs: what came meanwhile is told together. */
const HAVE_MS = 50

export class Telling {
  readonly #log: Have | undefined
  /** Places of the log that were told, with which number and when the last of them; undefined: nobody asks for it. */
  #told: { to: number; sequence: number; at: Instant } | undefined

  /** @param log undefined: there is nothing to tell */
  constructor(log: Have | undefined) {
    this.#log = log
  }

  /** The newest PULL says whether the collector wants to know, and from where on. */
  follow(pull: Pull, pulledAt: Instant): void {
    const asked = pull.pages.find(page => page.height === LOG_HEIGHT)
    if (asked === undefined) this.#told = undefined
    else if (this.#told === undefined) this.#told = { to: asked.index, sequence: 0, at: after(pulledAt, -HAVE_MS) }
    else if (asked.index > this.#told.to || this.#told.sequence <= pull.horizon) this.#told.to = asked.index
  }

  stop(): void {
    this.#told = undefined
  }

  /** Of the log. */
  get places(): number {
    return this.#log?.places ?? 0
  }

  /** When something is to be told. */
  get dueAt(): Instant {
    return this.#told === undefined || this.#told.to >= this.places ? NEVER : after(this.#told.at, HAVE_MS)
  }

  /** Makes a HAVE of what is new, behind its header. @param sequence its number @returns octets of it in all */
  write(into: Uint8Array, sequence: number, now: Instant): number {
    const from = this.#told!.to
    const { to, ranges } = this.#log!.since(from, HAVE_RANGES_MAX)
    writeHavePlace(into, from, to, ranges.length)
    for (const [i, range] of ranges.entries()) writeHaveRange(into, i, range.isComing, range.first, range.count)
    this.#told = { to, sequence, at: now }
    return HAVE_RANGES_AT + ranges.length * HAVE_RANGE_BYTES
  }
}
