import type { Instant } from '../units.js'

/** How far a peer's log is known: the log of the blocks that it gets of a file which it collects itself (have.ts). */
export class PeerLog {
  /** Places that are known. */
  places = 0
  /** When it last said that it has something new; the begin before that. */
  newsAt: Instant

  constructor(now: Instant) {
    this.newsAt = now
  }
}
