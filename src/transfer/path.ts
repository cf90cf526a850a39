// One peer as the collector sees it: round trip, delivery rate, loss, queue, and what it owes. Everything here is
// measured at the collector from the stamps that bulk datagrams carry; the peer only paces.

import type { Endpoint } from '../endpoint.js'
import { after, earliest, type Instant, ms, NEVER, since } from '../units.js'
import * as bulk from '../wire/bulk.js'
import { CHUNK_HEADER_BYTES, CONTROL_BYTES_MAX, HOLD_MAX, HOLD_UNIT_MICROS } from '../wire/layout.js'
import type { TreePage } from '../wire/message.js'
import { initialRate, WINDOW_MIN } from './bandwidth.js'
import type { Competition } from './competition.js'
import { Congestion } from './congestion.js'
import { DeliveryRate } from './delivery-rate.js'
import { Hurry } from './hurry.js'
import { type Arrival, LossDetector } from './loss.js'
import { WindowedMinimum } from './minimum.js'
import { Owed } from './owed.js'
import { IP_UDP_BYTES } from './pacer.js'
import { PathFigures } from './path-figures.js'
import { PathMtu } from './path-mtu.js'
import type { PathOptions } from './path-options.js'
import { PathTrace } from './path-trace.js'
import { PeerLog } from './peer-log.js'
import type { PathProgress } from './report.js'
import { RoundCount } from './round-count.js'
import { RoundTrip } from './round-trip.js'
import { Train } from './train.js'

/** PULLs whose send time is remembered; a power of two. */
const PULLS_REMEMBERED = 1 << 12
/** Between PULLs to a peer that owes nothing, and is to say what it gets: within the time for which it goes on saying it. */
const FOLLOW_MS = 500
/** How long a least one-way delay counts; clocks drift under 1 ms in it. */
const DELAY_SPAN_MS = 10_000
/** Sequence numbers beyond the credit that ECHOs may use; what lies further is not from an honest peer. */
const BEYOND_CREDIT_MAX = 4_096
const TIMEOUT_BACKOFF = 1.5
/** A peer silent for so long, and three time-outs, is dead: soon where the local file has all that it owes. */
export const PATIENCE = { local: 1_000, others: 10_000, last: 10_000 } as const
export type Patience = keyof typeof PATIENCE
/** However long a peer is silent, so often it is asked: it may be heard again at any time. */
const SILENT_PULL_MAX_MS = 500

/** suspended: silent for two time-outs; it has no work, and is asked now and then whether it lives. */
export type PathState = 'active' | 'suspended' | 'dead'

export class Path {
  readonly endpoint: Endpoint
  readonly number: number
  readonly session: bigint
  readonly sessionHigh: number
  readonly sessionLow: number
  readonly owed = new Owed()
  /** Hash pages asked of this peer, by `pageKey`. */
  readonly pages = new Map<string, TreePage>()
  readonly roundTrip: RoundTrip
  readonly loss = new LossDetector()
  congestion: Congestion
  state: PathState = 'active'
  /** Octets of payload that were new. */
  bytes = 0
  badBlocks = 0
  /** CHUNK and TREE datagrams with numbers that no PULL allowed. */
  breaches = 0
  /** It collects the file itself; otherwise it has all of it. */
  isPartial: boolean
  /** What it said of what it gets, or what it gave to others; undefined: it is not asked. */
  log: PeerLog | undefined
  timeouts = 0
  /** When anything last came; the path's start before that. */
  heardAt: Instant
  /** When something that was owed last came. */
  usefulAt: Instant
  pulledAt: Instant | undefined
  pullSequence = 0
  credit = 0
  /** Octets a millisecond that are asked of the peer at most: its share of our own limit. */
  cap = Infinity
  /** Datagrams that may be in flight, as the newest PULL was reckoned with. */
  window = 0
  /** Stamp of the datagram with the largest sequence number: the next PULL's proof of receipt. */
  proof = 0
  readonly mtu: PathMtu
  /** Octets of a chunk: the transfer's, on every path. */
  chunkSize: number
  /** Small datagrams since the last large CHUNK between which something was lost: how a black hole for large datagrams shows. */
  blackHoleSigns = 0
  /** undefined: nobody traces. */
  readonly trace: PathTrace | undefined
  #lostAtSmall = 0
  readonly #figures = new PathFigures()
  readonly #pullTimes = new Float64Array(PULLS_REMEMBERED)
  readonly #train = new Train()
  readonly #hurry = new Hurry()
  readonly #delivery = new DeliveryRate()
  readonly #delay = new WindowedMinimum(DELAY_SPAN_MS)
  #delayBase: number | undefined
  /** Least queueing delay of the sample under way. */
  #sampleQueue = Infinity
  #lastEcho = -1
  #roundEnd = 0
  readonly #round: RoundCount
  readonly #chance: () => number
  readonly #beginners: number
  readonly #competition: Competition

  constructor(options: PathOptions, now: Instant) {
    this.endpoint = options.endpoint
    this.number = options.number
    this.session = options.session
    this.sessionHigh = Number(options.session >> 32n)
    this.sessionLow = Number(options.session & 0xffff_ffffn)
    this.isPartial = options.isPartial === true
    this.log = this.isPartial ? new PeerLog(now) : undefined
    this.roundTrip = new RoundTrip(options.roundTrip)
    this.chunkSize = options.chunkSize
    this.mtu = new PathMtu(CHUNK_HEADER_BYTES + options.chunkSize, options.datagramMax)
    this.#chance = options.chance
    this.#beginners = options.beginners ?? 1
    this.#competition = options.competition
    this.congestion = this.#newCongestion(now)
    this.heardAt = now
    this.usefulAt = now
    this.#round = new RoundCount(now)
    this.trace = options.trace && new PathTrace(options.trace, this, now)
  }

  /**
   * Takes the stamps of one bulk datagram of this session.
   * @returns undefined where it must be dropped: a sequence number that no honest peer uses now
   */
  onArrival(
    sequence: number,
    sentAt: number,
    echo: number,
    hold: number,
    octets: number,
    appLimited: boolean,
    now: Instant,
  ): Arrival | undefined {
    if (sequence > this.credit + BEYOND_CREDIT_MAX) return undefined
    const isLargest = sequence > this.loss.largest
    const arrival = this.loss.onArrival(sequence)
    if (arrival === 'duplicate') return arrival
    this.heardAt = now
    this.timeouts = 0
    if (this.state === 'suspended') this.#resume()
    this.#hurry.onArrivals(1)
    const wire = octets + IP_UDP_BYTES
    this.#round.octets += wire
    if (isLargest) this.proof = sentAt
    this.#delivery.onArrival(sequence, sentAt, wire, appLimited, now)
    this.#onTrain(this.#train.onArrival(sequence, sentAt, wire, now))
    this.#onDelay(sentAt, now)
    if (isLargest && echo !== this.#lastEcho) this.#onEcho(echo, hold, now)
    return arrival
  }

  /**
   * Takes the stamps of CHUNKs that came at once and are alike, the first of which is `d`.
   * @returns whether it did: not where each by itself may tell something
   */
  onRun(d: Uint8Array, count: number, now: Instant): boolean {
    const first = bulk.sequenceOf(d)
    if (first <= this.loss.largest || !this.#train.isOver) return false
    const { length } = d
    this.onArrival(first, bulk.sentAt(d), bulk.echoOf(d), bulk.holdOf(d), length, bulk.isAppLimited(d), now)
    const octets = (count - 1) * (length + IP_UDP_BYTES)
    this.loss.onMore(count - 1)
    this.#delivery.onMore(count - 1, octets)
    this.#round.octets += octets
    this.#hurry.onArrivals(count - 1)
    return true
  }

  /** Shorter datagrams from now on; the losses so far were not congestion. */
  onShorter(now: Instant): void {
    this.trace?.onShorter(this.longest)
    this.congestion = this.#newCongestion(now)
    this.#figures.reckon(this)
  }

  /** Octets of the longest CHUNK that the peer may send: neighbouring chunks, as many as the path carries and its rate allows. */
  get longest(): number {
    return this.#now.longest
  }

  /** Reckoned anew where something has come, or was set, since the last time. */
  get #now(): PathFigures {
    const { cap, chunkSize, isPartial } = this.#figures
    if (cap !== this.cap || chunkSize !== this.chunkSize || isPartial !== this.isPartial) this.#figures.reckon(this)
    return this.#figures
  }

  /** The newest PULL that is known to have come; 0 = none. */
  get answered(): number {
    return this.#lastEcho < 0 ? 0 : this.#echoedPull()
  }

  /** Whether a CHUNK of this length says nothing about the longest in use. @param octets of the datagram */
  isSmall(octets: number): boolean {
    const usual = CHUNK_HEADER_BYTES + this.chunkSize
    if (this.longest > usual) return octets <= usual
    // Where none is longer than what any path carries, there is nothing to find out.
    return usual > CONTROL_BYTES_MAX && octets <= CONTROL_BYTES_MAX
  }

  /** Of the PROBE that the PULL to be sent now should ask for; 0 = none: a path that is waited for, or late, has other worries. */
  nextProbe(now: Instant): number {
    if (this.timeouts > 0 || !this.roundTrip.hasSample) return 0
    const { smoothed } = this.roundTrip
    const { floor } = this.congestion
    return this.mtu.probe(this.pullSequence + 1, this.answered, smoothed, floor, this.#now.datagramWorth, now)
  }

  get isBlackHole(): boolean {
    return this.blackHoleSigns >= PathMtu.blackHoleSigns(this.congestion.floor)
  }

  /** Silence counts from now: nothing was asked of the peer until now. */
  onBusy(now: Instant): void {
    this.heardAt = now
    this.usefulAt = now
  }

  /** The peer serves us from now on. */
  onListed(now: Instant): void {
    this.timeouts = 0
    this.onBusy(now)
  }

  /** A datagram that even the smallest path carries came. */
  onSmall(): void {
    if (this.loss.lost > this.#lostAtSmall) this.blackHoleSigns++
    this.#lostAtSmall = this.loss.lost
  }

  /**
   * Once for each wake-up in which something arrived.
   * @param mayProbe see Congestion.onRound
   * @param hasMore others had come, and wait in the socket
   */
  endBatch(now: Instant, mayProbe: boolean, hasMore = false): void {
    this.loss.checkpoint(now)
    if (this.congestion.state === 'compete') {
      // While others fill the queue its true minimum is not seen.
      this.#delay.hold(now)
      this.roundTrip.holdMinimum(now)
    }
    this.loss.advance(now, this.roundTrip.smoothed)
    this.congestion.onBatch(this.loss, now)
    const sample = this.#delivery.sample(now, this.roundTrip.minimum, this.congestion.floor, hasMore)
    if (sample !== undefined) {
      this.congestion.onSample({ ...sample, queue: this.#sampleQueue }, now)
      this.#round.onSample(this.#sampleQueue)
      this.#sampleQueue = Infinity
    }
    if (this.#lastEcho >= 0 && this.#echoedPull() >= this.#roundEnd) this.#endRound(now, mayProbe)
    this.#figures.reckon(this)
    this.trace?.onBatch()
  }

  /** Something of it is on its way, or it should show that it lives. */
  get isWaitedFor(): boolean {
    return !this.owed.isEmpty || this.pages.size > 0 || this.state === 'suspended'
  }

  /** PULLs go to it: something is owed, or it is to say what it gets. */
  get isPulled(): boolean {
    return this.state !== 'dead' && (this.isWaitedFor || this.isPartial)
  }

  /** It is taking the upward probe that all paths share. */
  get isProbing(): boolean {
    return this.congestion.state === 'refill' || this.congestion.state === 'up'
  }

  /** Octets a millisecond of payload that this path is good for. */
  get rate(): number {
    return this.#now.rate
  }

  get cadence(): number {
    return this.#now.cadence
  }

  /** Octets a millisecond to ask the peer for. */
  get pacingRate(): number {
    return this.#now.pacingRate
  }

  /** Datagrams that may be in flight. @param bufferShare datagrams of our receive buffer that this path may fill in one burst */
  windowDatagrams(bufferShare: number): number {
    const { windowWanted, inFlight } = this.#now
    return Math.max(WINDOW_MIN, Math.min(windowWanted, Math.floor(bufferShare + 2 * inFlight)))
  }

  /** Octets that should be asked for, so that the peer never runs dry between two PULLs. */
  get target(): number {
    return this.#now.target
  }

  /**
   * Sequence numbers that the peer may use: a window beyond the largest that came, and one for each ECHO that a round trip
   * of PULLs brings, or ECHOs alone could use up a small window for ever. The last number there is ends it.
   */
  extendCredit(window: number): number {
    const echoes = Math.ceil(this.roundTrip.smoothed / this.cadence) + 1
    this.window = window
    this.credit = Math.min(0xffff_ffff, Math.max(this.credit, this.loss.largest + window + echoes))
    return this.credit
  }

  /** When the next PULL is due, if one is wanted at all. */
  pullDueAt(): Instant {
    if (this.pulledAt === undefined) return 0 as Instant
    if (this.isPartial && !this.isWaitedFor) {
      return after(this.pulledAt, this.#hurry.hasUsed(this.window) ? this.cadence : FOLLOW_MS)
    }
    if (this.timeouts > 0) {
      return after(this.pulledAt, Math.max(this.cadence, Math.min(SILENT_PULL_MAX_MS, this.timeoutSpan / 4)))
    }
    const hurried = Math.max(this.#unheardAt, after(this.pulledAt, Math.max(1, this.cadence / 4))) as Instant
    return earliest(after(this.pulledAt, this.cadence), hurried)
  }

  /** From then on PULLs seem to get lost: the oldest that nothing has echoed is overdue, and the peer will run out of credit. */
  get #unheardAt(): Instant {
    // An echo of a PULL that was never sent counts as none.
    const oldest = this.#lastEcho < 0 ? 1 : Math.max(1, this.#echoedPull() + 1)
    if (oldest > this.pullSequence) return NEVER
    return after(this.#pullTimes[oldest % PULLS_REMEMBERED]! as Instant, this.roundTrip.timeout + this.cadence / 2)
  }

  /** It can't wait until `pullDueAt`. */
  isPullEarly(now: Instant, window: number): boolean {
    return this.pulledAt !== undefined && this.#hurry.isWanted(this.pacingRate, window, since(this.pulledAt, now))
  }

  onPullSent(now: Instant): number {
    this.pulledAt = now
    this.#hurry.onSent(this.pacingRate)
    this.pullSequence++
    this.#pullTimes[this.pullSequence % PULLS_REMEMBERED] = now
    return this.pullSequence
  }

  get timeoutSpan(): number {
    return this.#now.timeoutFirst * TIMEOUT_BACKOFF ** this.timeouts
  }

  /** When silence counts as the next time-out, while something is owed. */
  timeoutAt(): Instant {
    return after(this.heardAt, this.#timeoutTotal(this.timeouts))
  }

  /** Counts a time-out whose instant has come. @param patience who could take over */
  onTimeout(now: Instant, patience: Patience): 'restate' | 'move' | 'dead' {
    this.timeouts++
    this.trace?.onTimeout(this.timeouts)
    if (this.timeouts >= 3 && since(this.heardAt, now) >= PATIENCE[patience]) return 'dead'
    return this.timeouts >= 2 ? 'move' : 'restate'
  }

  #resume(): void {
    this.state = 'active'
    this.trace?.onResumed()
  }

  /** The n-th time-out comes when this much silence has passed: a geometric sum, because each span is longer than the last. */
  #timeoutTotal(timeouts: number): number {
    return (this.#now.timeoutFirst * (TIMEOUT_BACKOFF ** (timeouts + 1) - 1)) / (TIMEOUT_BACKOFF - 1)
  }

  #newCongestion(now: Instant): Congestion {
    const roundTrip = this.roundTrip.smoothed
    const datagram = CHUNK_HEADER_BYTES + this.chunkSize + IP_UDP_BYTES
    const rate = initialRate(datagram, this.#beginners, roundTrip)
    return new Congestion(now, rate, roundTrip, this.#chance, this.#competition)
  }

  #onEcho(echo: number, hold: number, now: Instant): void {
    this.#lastEcho = echo
    const pull = this.#echoedPull()
    if (pull <= 0 || pull + PULLS_REMEMBERED <= this.pullSequence || hold >= HOLD_MAX) return
    const rtt = now - this.#pullTimes[pull % PULLS_REMEMBERED]! - (hold * HOLD_UNIT_MICROS) / 1000
    if (rtt >= 0) this.roundTrip.sample(ms(rtt), now)
  }

  /** The echo's full sequence number: the newest PULL that ends in those 16 bits. */
  #echoedPull(): number {
    return this.pullSequence - ((this.pullSequence - this.#lastEcho) & 0xffff)
  }

  #onTrain(rate: number | undefined): void {
    if (rate === undefined) return
    this.congestion.onTrain(rate)
    this.trace?.onTrain(rate)
    this.#hurry.onTrain()
  }

  #onDelay(sentAt: number, now: Instant): void {
    // Two clocks, one modulo: only differences to the first one mean anything, so the first sets the zero.
    const difference = (Math.round(now * 1000) - sentAt) | 0
    this.#delayBase ??= difference
    const delay = ((difference - this.#delayBase) | 0) / 1000
    this.#delay.update(delay, now)
    const queue = delay - this.#delay.value
    this.#sampleQueue = Math.min(this.#sampleQueue, queue)
    this.congestion.onDelay(queue, now)
  }

  #endRound(now: Instant, mayProbe: boolean): void {
    const round = this.#round.result(this.loss, this.roundTrip.minimum, now)
    if (round !== undefined) {
      this.congestion.onRound(round, now, mayProbe)
      this.trace?.onRound({ octets: this.#round.octets, time: this.#round.time(now), queue: round.queue }, now)
    }
    this.#roundEnd = this.pullSequence + 1
    this.#round.start(this.loss, now)
  }

  get progress(): PathProgress {
    const { endpoint, bytes, congestion, roundTrip, loss } = this
    return { endpoint, bytes, rate: congestion.bandwidth * 8, roundTrip: roundTrip.smoothed, loss: loss.ratio }
  }
}
