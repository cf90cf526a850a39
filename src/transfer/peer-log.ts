import type { Instant } from '../units.js'
import * as bulk from '../wire/bulk.js'
import { HAVE_RANGES_MAX, TAG } from '../wire/layout.js'
import { PLACES_TOLD_MAX } from './have.js'

/** How far a peer's log is known: the log of the blocks that it gets of a file which it collects itself (have.ts). */
export class PeerLog {
  /** Places that are known. */
  places = 0
  /** Whether it has told of all that it had when it was asked. */
  isKnown = false
  /** When it last said that it has something new; the begin before that. */
  newsAt: Instant

  constructor(now: Instant) {
    this.newsAt = now
  }

  /** @param d any bulk datagram of the peer: one that is no HAVE shows that there was nothing to tell, if none came before */
  onTold(d: Uint8Array): void {
    if (bulk.tagOf(d) !== TAG.HAVE) this.isKnown ||= this.places === 0
    else this.isKnown ||= bulk.haveCount(d) < HAVE_RANGES_MAX && bulk.haveTo(d) - bulk.haveFrom(d) < PLACES_TOLD_MAX
  }
}
