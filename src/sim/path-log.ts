// Follows a path over a simulated link: a line for each change of state, and every half second.
import type { Instant } from '../units.js'
import type { Link } from './link.js'
import { DATAGRAM, type PathFlow } from './path-flow.js'

const EVERY_MS = 500

export class PathLog {
  readonly #flow: PathFlow
  readonly #link: Link
  readonly #print: (line: string) => void
  #state = ''
  #at = 0
  #received = 0
  #lost = 0

  constructor(flow: PathFlow, link: Link, print: (line: string) => void) {
    this.#flow = flow
    this.#link = link
    this.#print = print
  }

  look(now: Instant): void {
    const { congestion, loss, roundTrip } = this.#flow.path
    if (congestion.state === this.#state && now - this.#at < EVERY_MS) return
    const [received, lost] = [loss.received - this.#received, loss.lost - this.#lost]
    const mbits = (rate: number) => (rate / 125).toPrecision(3)
    const time = Math.max(0.1, now - this.#at)
    const queueMs = (this.#link.settings.queue * 8) / (1_000 * this.#link.settings.rate)
    this.#print(
      [
        `${now.toFixed(0).padStart(6)} ms  ${congestion.state.padEnd(7)}`,
        `bandwidth ${mbits(congestion.bandwidth)}, paced ${mbits(congestion.pacingRate)}`,
        `came ${mbits((received * DATAGRAM) / time)} Mbit/s`,
        `floor ${(100 * congestion.floor).toFixed(1)} %, lost ${((100 * lost) / Math.max(1, received + lost)).toFixed(1)} %`,
        `queue ${this.#link.wait(now).toFixed(1)} of ${queueMs.toFixed(1)} ms`,
        `round trip ${roundTrip.minimum.toFixed(1)} ms`,
        `in flight ${this.#flow.inFlight} of ${this.#flow.window}`,
      ].join(', '),
    )
    this.#state = congestion.state
    this.#at = now
    this.#received = loss.received
    this.#lost = loss.lost
  }
}
