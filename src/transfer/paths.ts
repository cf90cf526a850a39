// The peers that a collector pulls from, found by the session of a datagram or by their endpoint.
import { randomSession } from '../ambient.js'
import { type Endpoint, sameEndpoint } from '../endpoint.js'
import { type Instant, since } from '../units.js'
import * as bulk from '../wire/bulk.js'
import type { CollectorOptions, PeerSource } from './collector-options.js'
import { Competition } from './competition.js'
import { PATH_SOURCES_FROM } from './ledger.js'
import { Path } from './path.js'
import type { Trace } from './trace.js'

type PathsOptions = Pick<CollectorOptions, 'random' | 'roundTrip' | 'datagramMax' | 'background' | 'beginners'>

/** Of a peer that collects itself: all others who collect begin with it, a few of them at the same moment. */
const BEGINNERS_PARTIAL = 8
/** So often all paths are looked at for work: as often as the shortest cadence. */
const REFILL_MS = 2

export class Paths {
  /** In the order in which they were added; dead ones stay, for the accounts. */
  readonly all: Path[]
  readonly #options: PathsOptions
  readonly #trace: Trace | undefined
  readonly #competition: Competition
  /** Those that live, by the low half of the session. */
  readonly #bySession = new Map<number, Path>()
  /** Whose the bulk datagram before was, and where it came from: most come in runs. */
  #last: Path | undefined
  #lastFrom: Endpoint | undefined
  #refilledAt: Instant

  constructor(options: PathsOptions, all: Path[], trace: Trace | undefined, now: Instant) {
    this.#options = options
    this.all = all
    this.#trace = trace
    this.#competition = new Competition(now, options.background)
    this.#refilledAt = now
  }

  add(source: PeerSource, chunkSize: number, now: Instant): Path {
    const { random, roundTrip, datagramMax, beginners = 1 } = this.#options
    const path = new Path(
      {
        endpoint: source.endpoint,
        number: PATH_SOURCES_FROM + this.all.length,
        session: this.#newSession(),
        isPartial: source.isPartial === true,
        beginners: source.isPartial ? BEGINNERS_PARTIAL : beginners,
        roundTrip,
        chunkSize,
        datagramMax,
        chance: () => random.u32() / 2 ** 32,
        competition: this.#competition,
        trace: this.#trace,
      },
      now,
    )
    this.#bySession.set(path.sessionLow, path)
    return path
  }

  /** It is pulled from no more. */
  end(path: Path): void {
    path.state = 'dead'
    this.#bySession.delete(path.sessionLow)
    this.#last = undefined
  }

  /** Which to look at for work. @param touched those that something came from; undefined: anything may have changed */
  toRefill(touched: ReadonlySet<Path> | undefined, now: Instant): Iterable<Path> {
    if (touched !== undefined && since(this.#refilledAt, now) < REFILL_MS) return touched
    this.#refilledAt = now
    return this.all
  }

  /** The living path to a peer. */
  to(peer: Endpoint): Path | undefined {
    return this.all.find(({ endpoint, state }) => state !== 'dead' && sameEndpoint(endpoint, peer))
  }

  /** Whose session it is, dead or not. */
  find(from: Endpoint, session: bigint): Path | undefined {
    return this.all.find(path => path.session === session && sameEndpoint(path.endpoint, from))
  }

  /** The living path that a bulk datagram belongs to. */
  ofBulk(d: Uint8Array, from: Endpoint): Path | undefined {
    const low = bulk.sessionLow(d)
    const high = bulk.sessionHigh(d)
    if (this.#lastFrom === from && this.#last?.sessionLow === low && this.#last.sessionHigh === high) return this.#last
    const path = this.#bySession.get(low)
    if (path?.sessionHigh !== high || !sameEndpoint(path.endpoint, from)) return undefined
    this.#last = path
    this.#lastFrom = from
    return path
  }

  /** Its low half is the key on the data path: it must be ours alone. */
  #newSession(): bigint {
    for (;;) {
      const session = randomSession(this.#options.random)
      if (!this.#bySession.has(Number(session & 0xffff_ffffn))) return session
    }
  }
}
