// The PULLs that a collector sends: to each peer when its own is due, with what it is asked for and how fast.
import type { Endpoint } from '../endpoint.js'
import type { Instant } from '../units.js'
import type { Pull } from '../wire/message.js'
import type { CollectorOptions } from './collector-options.js'
import type { Path } from './path.js'
import { composePulls } from './pull.js'
import type { Work } from './work.js'

/** What the kernel charges to the receive buffer beside a datagram's octets (sk_buff truesize on Linux: 2304 for a full frame). */
const BUFFER_CHARGE = 832
/** Share of the receive buffer that may arrive at once. */
const BUFFER_SHARE = 0.75

export interface AddressedPull {
  readonly to: Endpoint
  readonly message: Pull
}

export class Pulls {
  readonly #options: Pick<CollectorOptions, 'member' | 'tree' | 'receiveBuffer' | 'limit'>
  readonly #work: Work
  #outgoing: AddressedPull[] = []
  /** All that were due then are in `#outgoing`, or were. */
  #hasLooked = false
  #statement = 0

  constructor(options: Pick<CollectorOptions, 'member' | 'tree' | 'receiveBuffer' | 'limit'>, work: Work) {
    this.#options = options
    this.#work = work
  }

  /** The next one that is due; undefined: no other is at this moment. */
  next(now: Instant): AddressedPull | undefined {
    if (this.#outgoing.length === 0 && !this.#hasLooked) {
      this.#work.share(this.#options.limit)
      const active = this.#work.active.length
      for (const path of this.#work.paths) this.#pull(path, active, now)
    }
    this.#hasLooked = this.#outgoing.length > 0
    return this.#outgoing.shift()
  }

  #pull(path: Path, active: number, now: Instant): void {
    if (!path.isPulled) return
    const window = path.windowDatagrams(this.#bufferShare(path, active))
    if (path.pullDueAt() > now && !(path.isWaitedFor && path.isPullEarly(now, window))) return
    path.loss.advance(now, path.roundTrip.smoothed)
    path.congestion.onPaced(path.pacingRate, now)
    const statement = {
      member: this.#options.member,
      root: this.#options.tree.root,
      statement: ++this.#statement,
      credit: path.extendCredit(window),
      rate: Math.max(1, Math.round(path.pacingRate * 8)),
      chunkSize: this.#work.chunkSize,
      datagram: path.longest,
      spare: this.#work.spare / Math.max(1, active),
    }
    const pulls = composePulls(path, statement, () => path.onPullSent(now), path.nextProbe(now))
    for (const message of pulls) this.#outgoing.push({ to: path.endpoint, message })
  }

  /** Datagrams that one of `active` paths may send us in one burst. */
  #bufferShare(path: Path, active: number): number {
    const datagrams = (this.#options.receiveBuffer * BUFFER_SHARE) / (path.longest + BUFFER_CHARGE)
    return Math.max(8, datagrams / Math.max(1, active))
  }
}
