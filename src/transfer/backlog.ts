// The queue that will stand when all that was asked for until now has arrived: what is seen of it is a round trip old.
import type { Instant } from '../units.js'

export class Backlog {
  /** The rates that were asked for in the last round trip. */
  #paced: { readonly at: Instant; readonly rate: number }[] = []

  /** The peer was asked for this rate, octets a millisecond. @param roundTrip ms */
  onPaced(rate: number, roundTrip: number, now: Instant): void {
    this.#paced.push({ at: now, rate })
    // The newest that is older than a round trip still counts: it is what came before the second.
    while (this.#paced.length > 1 && this.#paced[1]!.at < now - roundTrip) this.#paced.shift()
  }

  /** @param queue seen now, ms @param bandwidth of the link, octets a millisecond @returns ms */
  of(queue: number, bandwidth: number, roundTrip: number, now: Instant): number {
    let backlog = queue
    for (const [i, { at, rate }] of this.#paced.entries()) {
      const from = Math.max(at, now - roundTrip)
      backlog += (rate / bandwidth - 1) * Math.max(0, (this.#paced[i + 1]?.at ?? now) - from)
    }
    return Math.max(0, backlog)
  }
}
