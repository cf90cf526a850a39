// What one path notes for a trace. It only looks at the path: nothing depends on it.
import { endpointKey } from '../endpoint.js'
import { type Instant, since } from '../units.js'
import type { CongestionState } from './congestion.js'
import type { Path } from './path.js'
import { rounded, type Trace, type TraceFields } from './trace.js'

/** Least time between two lines of rounds: the rounds of a short path are summed up. */
const ROUNDS_MS = 20
const KILOBITS = 8

/** What a round brought: octets of IP datagrams in so many milliseconds, and its least queueing delay. */
interface RoundTraffic {
  readonly octets: number
  readonly time: number
  readonly queue: number
}

export class PathTrace {
  readonly #trace: Trace
  readonly #path: Path
  readonly #peer: string
  #state: CongestionState
  // Since the last line of rounds.
  #since: Instant
  #rounds = 0
  #octets = 0
  #time = 0
  #queue = Infinity
  #received = 0
  #lost = 0

  constructor(trace: Trace, path: Path, now: Instant) {
    this.#trace = trace
    this.#path = path
    this.#peer = endpointKey(path.endpoint)
    this.#state = path.congestion.state
    this.#since = now
    const session = path.session.toString(16).padStart(16, '0')
    this.#add('path:start', { session, roundTrip: rounded(path.roundTrip.smoothed, 3) })
  }

  onRound({ octets, time, queue }: RoundTraffic, now: Instant): void {
    this.#rounds++
    this.#octets += octets
    this.#time += time
    this.#queue = Math.min(this.#queue, queue)
    if (since(this.#since, now) >= ROUNDS_MS) this.#addRounds(now)
  }

  /** Looks whether the rate control is in another state than before. */
  onBatch(): void {
    const from = this.#state
    const to = this.#path.congestion.state
    if (to === from) return
    this.#state = to
    this.#add('path:state', { from, to })
  }

  /** @param rate octets a millisecond */
  onTrain(rate: number): void {
    this.#add('path:train', { rate: Math.round(rate * KILOBITS) })
  }

  onLonger(octets: number): void {
    this.#add('path:longer', { datagram: octets })
  }

  onShorter(octets: number): void {
    this.#add('path:shorter', { datagram: octets })
  }

  onTimeout(n: number): void {
    this.#add('path:timeout', { n })
  }

  onSuspended(): void {
    this.#add('path:suspended', {})
  }

  onResumed(): void {
    this.#add('path:resumed', {})
  }

  #addRounds(now: Instant): void {
    const { congestion, roundTrip, loss, window, owed } = this.#path
    this.#add('path:round', {
      state: congestion.state,
      pacing: Math.round(congestion.pacingRate * KILOBITS),
      bandwidth: Math.round(congestion.bandwidth * KILOBITS),
      delivered: Math.round((this.#octets / this.#time) * KILOBITS),
      roundTrip: rounded(roundTrip.smoothed, 3),
      roundTripMin: rounded(roundTrip.minimum, 3),
      queue: rounded(this.#queue, 3),
      floor: rounded(congestion.floor, 4),
      rounds: this.#rounds,
      received: loss.received - this.#received,
      lost: loss.lost - this.#lost,
      window,
      owed: owed.octets,
    })
    this.#since = now
    this.#rounds = 0
    this.#octets = 0
    this.#time = 0
    this.#queue = Infinity
    this.#received = loss.received
    this.#lost = loss.lost
  }

  #add(name: string, fields: TraceFields): void {
    this.#trace.add(name, { peer: this.#peer, ...fields })
  }
}
