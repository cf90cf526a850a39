import { after, type Instant, NEVER, since } from '../units.js'
import type { ListPages } from './pages.js'
import { RetryTimer } from './retry-timer.js'

/** A page was sent, and a later one acknowledged after this many others: take it for lost (RFC 9002, section 6.1.1). */
const REORDERING = 3

interface InFlight {
  sentAt: Instant
  /** Counts sendings to this member: tells which page was sent before which. */
  order: number
  sendings: number
  isLost: boolean
}

interface Transfer {
  readonly list: ListPages
  /** The first page never sent. */
  fresh: number
  readonly inFlight: Map<number, InFlight>
  acknowledged: number
}

/** Brings one member's copy of the list from version to version: pages in flight, acknowledgements, retransmission. */
export class Delivery {
  readonly #inFlightMax: number
  readonly #retry = new RetryTimer()
  /** The version that the member holds, as far as we know. */
  #held = 0
  #transfer: Transfer | undefined
  #order = 0

  constructor(inFlightMax: number) {
    this.#inFlightMax = inFlightMax
  }

  get held(): number {
    return this.#held
  }

  get isIdle(): boolean {
    return this.#transfer === undefined
  }

  /** What is being delivered. */
  get list(): ListPages | undefined {
    return this.#transfer?.list
  }

  begin(list: ListPages): void {
    this.#transfer = { list, fresh: 0, inFlight: new Map(), acknowledged: 0 }
  }

  /** Picks the page to send now and takes it as sent: what is lost first, then what is new. */
  next(now: Instant): number | undefined {
    const transfer = this.#transfer
    if (transfer === undefined) return undefined
    this.#expire(transfer, now)
    for (const [page, state] of transfer.inFlight) {
      if (!state.isLost) continue
      state.sentAt = now
      state.order = ++this.#order
      state.sendings++
      state.isLost = false
      return page
    }
    if (transfer.fresh === transfer.list.pages.length || transfer.inFlight.size >= this.#inFlightMax) return undefined
    transfer.inFlight.set(transfer.fresh, { sentAt: now, order: ++this.#order, sendings: 1, isLost: false })
    return transfer.fresh++
  }

  onAck(version: number, base: number, page: number, now: Instant): void {
    const transfer = this.#transfer
    if (transfer === undefined || transfer.list.version !== version || transfer.list.base !== base) return
    const state = transfer.inFlight.get(page)
    if (state === undefined) return
    transfer.inFlight.delete(page)
    transfer.acknowledged++
    if (state.sendings === 1) this.#retry.measure(since(state.sentAt, now))
    this.#retry.reset()
    for (const other of transfer.inFlight.values()) if (other.order + REORDERING <= state.order) other.isLost = true
    if (transfer.acknowledged === transfer.list.pages.length) this.#finish(version)
  }

  /** The member says which version it holds; `current` is the newest one there is. */
  onHeld(version: number, current: number): void {
    const held = version <= current ? version : 0
    const list = this.#transfer?.list
    if (list === undefined) this.#held = held
    else if (held >= list.version) this.#finish(held)
    else if (held < list.base) {
      // It can't apply what is under way: it lost a version that it had acknowledged.
      this.#held = held
      this.#transfer = undefined
    }
  }

  /** When there is something to send again or for the first time; `now` if there is already. */
  deadline(now: Instant): Instant {
    const transfer = this.#transfer
    if (transfer === undefined) return NEVER
    if (transfer.fresh < transfer.list.pages.length && transfer.inFlight.size < this.#inFlightMax) return now
    let oldest: Instant = NEVER
    for (const state of transfer.inFlight.values()) {
      if (state.isLost) return now
      if (state.sentAt < oldest) oldest = state.sentAt
    }
    return after(oldest, this.#retry.wait)
  }

  #finish(version: number): void {
    this.#held = version
    this.#transfer = undefined
  }

  /** Takes for lost what was not acknowledged in time; the wait grows once, however many pages that was. */
  #expire(transfer: Transfer, now: Instant): void {
    const wait = this.#retry.wait
    let expired = false
    for (const state of transfer.inFlight.values()) {
      if (state.isLost || after(state.sentAt, wait) > now) continue
      state.isLost = true
      expired = true
    }
    if (expired) this.#retry.backOff()
  }
}
