import { type Endpoint, endpointKey } from '../endpoint.js'
import { type Instant, since } from '../units.js'
import type { Pull } from '../wire/message.js'

/** Collectors; where more are early, the one that asked first is forgotten: it asks again. */
const ENDPOINTS_MAX = 128
/** Milliseconds: a PULL older than this is out of date, and its collector has sent others since. */
const KEPT_FOR = 1_000

export interface EarlyPull {
  readonly from: Endpoint
  readonly pull: Pull
  readonly at: Instant
}

/**
 * The newest PULL of each collector that the list does not show yet: the manager's word on it is on its way to us, and the
 * collector need not ask again when it has come. Nothing is sent for them.
 */
export class EarlyPulls {
  /** By endpoint, in the order in which they came. */
  readonly #pulls = new Map<string, EarlyPull>()

  keep(from: Endpoint, pull: Pull, at: Instant): void {
    const key = endpointKey(from)
    const kept = this.#pulls.get(key)
    if (kept?.pull.session === pull.session && kept.pull.sequence > pull.sequence) return
    this.#pulls.delete(key)
    this.#pulls.set(key, { from, pull, at })
    if (this.#pulls.size > ENDPOINTS_MAX) this.#pulls.delete(this.#pulls.keys().next().value!)
  }

  /** The collector needs no more. */
  forget(from: Endpoint, session: bigint): void {
    const key = endpointKey(from)
    if (this.#pulls.get(key)?.pull.session === session) this.#pulls.delete(key)
  }

  /** Gives up those that `isListed` now, as they came; drops those that are too old. */
  takeListed(isListed: (from: Endpoint, member: bigint) => boolean, now: Instant): readonly EarlyPull[] {
    const listed: EarlyPull[] = []
    for (const [key, early] of this.#pulls) {
      const isOld = since(early.at, now) > KEPT_FOR
      if (!isOld && isListed(early.from, early.pull.member)) listed.push(early)
      else if (!isOld) continue
      this.#pulls.delete(key)
    }
    return listed
  }
}
