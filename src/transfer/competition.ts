// How the paths of one collector share a link with others. While they compete they have one CUBIC window together,
// whatever their number: they are to get what one TCP connection gets.
//
// Every loss that comes with a full queue is answered. Where someone answers none (stubborn.ts), only more of it is than
// his probes cost. From time to time all hold back: if the queue goes away they were alone.
import { after, type Instant, since } from '../units.js'
import { CommonQueue } from './common-queue.js'
import { CubicWindow } from './cubic-window.js'
import { Stubborn } from './stubborn.js'
import { Yield } from './yield.js'

/** Between two tests for being alone: at first, and at most. */
const TEST_MS_MIN = 2_000
const TEST_MS_MAX = 16_000
/** Who competes again within so long after such a test was not. */
const NOT_ALONE_MS = 2_000
/** Share of their rate that they keep meanwhile. */
const TEST_GAIN = 0.5
/** With a queue that stays low for so long they are alone. */
const ALONE_MS = 2_000
/** The same for who yields: CUBIC leaves the queue empty for seconds after a loss. */
const ALONE_YIELDING_MS = 10_000
/** Share of datagrams that someone's probes may cost, reckoned over so many round trips. */
const PROBES_LOSS = 0.08
const PROBES_ROUND_TRIPS = 10
/** Standard deviations beyond which that is no chance. */
const NO_CHANCE = 3
/** Losses within so many round trips are one event. */
const EVENT_ROUND_TRIPS = 2
/** Who was not heard of for so long takes part no more: ms, and round trips. */
const SILENT_MS = 500
const SILENT_ROUND_TRIPS = 8

/** What one path saw in a round trip; times are milliseconds. */
export interface Showing {
  readonly received: number
  readonly lost: number
  /** Share lost by chance. */
  readonly floor: number
  /** Something was lost, beyond what chance explains, when the queue was full. */
  readonly overflowed: boolean
  /** Round trip without and with the queue. */
  readonly roundTripMin: number
  readonly roundTrip: number
  readonly isLow: boolean
  /** Someone probes as those do who answer no loss. */
  readonly isProbed: boolean
  /** Octets a millisecond. */
  readonly delivered: number
}

interface Member {
  /** Its share of the window. */
  weight: number
  heardAt: Instant
  /** Octets in flight. */
  used: number
}

export class Competition {
  /** What its paths see, whether they compete or not. */
  readonly queues = new CommonQueue()
  #window: CubicWindow | undefined
  readonly #members = new Map<object, Member>()
  /** Where the window stood when the look for someone stubborn began, octets. */
  #windowBefore = 0
  #cutAt: Instant
  #grownAt: Instant
  #lowSince: Instant | undefined
  readonly #stubborn: Stubborn
  #received = 0
  #lost = 0
  #testAt: Instant
  #endedAt: Instant | undefined
  #testEvery = TEST_MS_MIN
  #test: Yield | undefined
  #disturbedBy: object | undefined
  #disturbedUntil: Instant
  #heldGain = 1
  #heldSince: Instant
  #heldUntil: Instant

  readonly #yields: boolean

  /** @param yields to others, however few they are, rather than share with them (as LEDBAT++ does) */
  constructor(now: Instant, yields = false) {
    this.#yields = yields
    this.#cutAt = now
    this.#grownAt = now
    this.#stubborn = new Stubborn(now)
    this.#testAt = now
    this.#disturbedUntil = now
    this.#heldSince = now
    this.#heldUntil = now
  }

  /** Of one path whose queue the others don't meet. */
  forOne(now: Instant): Competition {
    return new Competition(now, this.#yields)
  }

  /** One path does, to see whether losses cease: of a queue that all fill it sees that only if all do. */
  holdBack(gain: number, until: Instant, now: Instant): void {
    if (!this.isHeld(now)) this.#heldSince = now
    this.#heldGain = Math.min(gain, this.heldGain(now))
    if (until > this.#heldUntil) this.#heldUntil = until
  }

  isHeld(now: Instant): boolean {
    return now < this.#heldUntil
  }

  /** Who tests, too, begins in the first round trip: else paths could hold each other back for ever. */
  mayJoin(roundTrip: number, now: Instant): boolean {
    return this.isHeld(now) && since(this.#heldSince, now) < roundTrip
  }

  /** The share of its rate that each path keeps at most. */
  heldGain(now: Instant): number {
    return this.isHeld(now) ? this.#heldGain : Infinity
  }

  /** `path` raises the queue itself: the others need not look for someone else. */
  disturb(path: object, until: Instant): void {
    this.#disturbedBy = path
    this.#disturbedUntil = until
  }

  isDisturbed(path: object, now: Instant): boolean {
    return this.#disturbedBy !== path && now < this.#disturbedUntil
  }

  /** Some path competes. */
  get isUnderWay(): boolean {
    return this.#window !== undefined
  }

  has(path: object): boolean {
    return this.#members.has(path)
  }

  /** Octets that `path` may have in flight. */
  windowOf(path: object): number {
    return (this.#members.get(path)?.weight ?? 0) * (this.#window?.octets ?? 0)
  }

  /** Share of the rate that the window makes. */
  get gain(): number {
    return this.#test === undefined ? 1 : TEST_GAIN
  }

  /** @param octets that `path` has in flight */
  join(path: object, octets: number, now: Instant): void {
    if (this.#window === undefined) {
      this.#window = new CubicWindow(octets, now)
      this.#stubborn.start(now)
      const wasAlone = this.#endedAt === undefined || since(this.#endedAt, now) > NOT_ALONE_MS
      this.#testEvery = wasAlone ? TEST_MS_MIN : Math.min(TEST_MS_MAX, 2 * this.#testEvery)
      this.#testAt = after(now, this.#testEvery)
      this.#cutAt = now
      this.#grownAt = now
      this.#resetCounts()
      this.#members.set(path, { weight: 1, heardAt: now, used: octets })
      return
    }
    const before = this.#window.octets
    this.#window.scale((before + octets) / before)
    this.#windowBefore += octets
    for (const member of this.#members.values()) member.weight *= before / (before + octets)
    this.#members.set(path, { weight: octets / (before + octets), heardAt: now, used: octets })
  }

  leave(path: object, now: Instant): void {
    const member = this.#members.get(path)
    if (member === undefined) return
    this.#members.delete(path)
    if (this.#members.size === 0) {
      this.#end(now)
      return
    }
    this.#window?.scale(1 - member.weight)
    this.#windowBefore *= 1 - member.weight
    for (const other of this.#members.values()) other.weight /= 1 - member.weight
  }

  onRound(path: object, showing: Showing, now: Instant): void {
    const member = this.#members.get(path)
    if (member === undefined || this.#window === undefined) return
    const { roundTrip, roundTripMin, isLow, isProbed, delivered } = showing
    member.heardAt = now
    member.used = delivered * roundTrip
    this.#leaveSilent(roundTrip, now)
    this.#received += showing.received
    this.#lost += showing.lost
    if (isProbed) this.#stubborn.believe(roundTripMin, now)
    if (!this.#yields) this.#look(this.#window, showing, now)
    if (!isLow) this.#lowSince = undefined
    else this.#lowSince ??= now
    if (this.#lowSince !== undefined && since(this.#lowSince, now) >= (this.#yields ? ALONE_YIELDING_MS : ALONE_MS)) {
      this.#end(now)
      return
    }
    if (this.#mustAnswer(showing, now)) this.#cut(now)
    else if (this.#test === undefined && !this.#yields) this.#grow(this.#window, roundTrip, now)
    if (this.#test === undefined && now >= this.#testAt && !isLow) this.#test = new Yield(TEST_GAIN, now)
  }

  /** @param queue that `path` sees just now, ms */
  onDelay(path: object, queue: number, isLow: boolean, roundTripMin: number, now: Instant): void {
    if (this.#test === undefined || !this.#members.has(path)) return
    this.#test.onDelay(queue, roundTripMin, now)
    if (!this.#test.hasBegun) return
    // Of a short queue the others' part soon goes away, too, but more slowly.
    if (isLow && this.#test.shrinks(now)) this.#end(now)
    else if (isLow || this.#test.stands(roundTripMin, now)) {
      this.#test = undefined
      this.#grownAt = now
      this.#testEvery = Math.min(TEST_MS_MAX, 2 * this.#testEvery)
      this.#testAt = after(now, this.#testEvery)
    }
  }

  /** A loss made a path join. */
  onLossBefore(now: Instant): void {
    if (!this.#stubborn.isThere(now)) this.#cut(now)
  }

  #look(window: CubicWindow, { received, lost, floor, roundTripMin }: Showing, now: Instant): void {
    if (this.#stubborn.isFresh) this.#windowBefore = window.octets
    if (!this.#stubborn.onRound(received, lost, floor, roundTripMin, now)) return
    // What was given up since then was given to him.
    window.scale(Math.max(1, this.#windowBefore / window.octets))
  }

  /** The answer to a loss. */
  #cut(now: Instant): void {
    const used = [...this.#members.values()].reduce((sum, member) => sum + member.used, 0)
    this.#window?.cut(used, now)
    this.#cutAt = now
    this.#grownAt = now
    this.#resetCounts()
  }

  #mustAnswer({ overflowed, roundTrip, floor, isLow }: Showing, now: Instant): boolean {
    const time = since(this.#cutAt, now)
    if (this.#yields) return !isLow && time >= EVENT_ROUND_TRIPS * roundTrip
    if (time < EVENT_ROUND_TRIPS * roundTrip) return false
    if (overflowed && !this.#stubborn.isThere(now)) return true
    if (time < PROBES_ROUND_TRIPS * roundTrip) return false
    const total = this.#received + this.#lost
    const isMore = this.#lost > (floor + PROBES_LOSS) * total + NO_CHANCE * Math.sqrt(floor * (1 - floor) * total)
    if (overflowed && !isMore) {
      this.#cutAt = now
      this.#resetCounts()
    }
    return isMore
  }

  #grow(window: CubicWindow, roundTrip: number, now: Instant): void {
    const used = [...this.#members.values()].reduce((sum, member) => sum + member.used, 0)
    window.grow(roundTrip, since(this.#grownAt, now), used, now)
    this.#grownAt = now
  }

  #leaveSilent(roundTrip: number, now: Instant): void {
    const patience = Math.max(SILENT_MS, SILENT_ROUND_TRIPS * roundTrip)
    for (const [path, { heardAt }] of this.#members) if (since(heardAt, now) > patience) this.leave(path, now)
  }

  #resetCounts(): void {
    this.#received = 0
    this.#lost = 0
  }

  #end(now: Instant): void {
    this.#endedAt = now
    this.#window = undefined
    this.#members.clear()
    this.#test = undefined
    this.#lowSince = undefined
  }
}
