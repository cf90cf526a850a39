// BBR version 1 (draft-cardwell-iccrg-bbr-congestion-control-00) as an opponent: a model of bandwidth and least round
// trip, a probe every eight round trips, and no answer to loss but to a time-out. Rates are segments a millisecond.
import { type Instant, instant, NEVER } from '../units.js'
import { LongTermRate } from './long-term-rate.js'
import type { SeededRandom } from './random.js'
import type { Ack, TcpControl } from './tcp-flow.js'

const HIGH_GAIN = 2 / Math.LN2
const CYCLE = [1.25, 0.75, 1, 1, 1, 1, 1, 1] as const
const WINDOW_GAIN = 2
const WINDOW_MIN = 4
const WINDOW_INITIAL = 10
const BANDWIDTH_ROUNDS = 10
const FULL_GROWTH = 1.25
const FULL_ROUNDS = 3
const ROUND_TRIP_SPAN_MS = 10_000
const PROBE_ROUND_TRIP_MS = 200
/** Pace a little below the estimate, as Linux does, so that queues shrink. */
const PACING_MARGIN = 0.99
/** Linux hands over what is paced in so many ms at once, but so many segments. */
const BURST_MS = 1
const BURST_MIN = 2

type State = 'startup' | 'drain' | 'probe-bandwidth' | 'probe-round-trip'

export class Bbr implements TcpControl {
  readonly #random: SeededRandom
  #state: State = 'startup'
  /** Segments that had come when the round under way began. */
  #roundEnd = 0
  /** Best rate by round, newest last. */
  readonly #rates: number[] = [0]
  #full = 0
  #fullRounds = 0
  #least: number
  #leastAt: Instant | undefined
  #cycle = 0
  #cycleAt = 0
  #probeEndsAt: Instant = NEVER
  #lossInCycle = false
  /** Where the window stands: it reaches its target by one segment an acknowledgement, and gives way to losses. */
  #window = WINDOW_INITIAL
  #windowBeforeLoss = 0
  /** Losses of segments up to this one belong to the recovery under way, or to the last one. */
  #recoverUntil = 0
  #isRecovering = false
  /** In the first round of a recovery only as much leaves as comes. */
  #conserves = false
  readonly #longTerm = new LongTermRate(instant(0))
  #lost = 0
  #lostBefore = 0

  constructor(roundTrip: number, random: SeededRandom) {
    this.#least = roundTrip
    this.#random = random
  }

  get window(): number {
    return this.#state === 'probe-round-trip' ? WINDOW_MIN : this.#window
  }

  get pacing(): number {
    const bandwidth = this.#bandwidth === 0 ? WINDOW_INITIAL / this.#least : this.#bandwidth
    return this.#gain * bandwidth * PACING_MARGIN
  }

  get burst(): number {
    return Math.max(BURST_MIN, Math.floor(this.pacing * BURST_MS))
  }

  onAck(ack: Ack, now: Instant): void {
    const isNewRound = ack.deliveredBefore >= this.#roundEnd
    if (isNewRound) {
      this.#roundEnd = ack.delivered
      this.#conserves = false
      this.#rates.push(0)
      if (this.#rates.length > BANDWIDTH_ROUNDS) this.#rates.shift()
    }
    const last = this.#rates.length - 1
    this.#rates[last] = Math.max(this.#rates[last]!, ack.rate)
    this.#watchForPolicer(ack, isNewRound, now)
    this.#measure(ack, now)
    if (this.#state === 'startup' && isNewRound) this.#checkFull()
    if (this.#state === 'drain' && ack.inFlight <= this.#product) this.#probeBandwidth(now)
    if (this.#state === 'probe-bandwidth') this.#advance(ack.inFlight, now)
    this.#setWindow(ack)
  }

  onLoss(number: number, sent: number, inFlight: number): void {
    this.#lossInCycle = true
    this.#lost++
    this.#window = Math.max(WINDOW_MIN, this.#window - 1)
    if (number <= this.#recoverUntil) return
    if (!this.#isRecovering) this.#windowBeforeLoss = this.#window
    this.#isRecovering = true
    this.#recoverUntil = sent
    this.#conserves = true
    this.#window = Math.max(WINDOW_MIN, inFlight + 1)
  }

  onTimeout(): void {
    this.#window = WINDOW_MIN
  }

  get #bandwidth(): number {
    return this.#longTerm.held ?? this.#mostBandwidth
  }

  get #mostBandwidth(): number {
    return Math.max(...this.#rates)
  }

  get #product(): number {
    return this.#bandwidth * this.#least
  }

  get #gain(): number {
    if (this.#state === 'startup') return HIGH_GAIN
    if (this.#state === 'drain') return 1 / HIGH_GAIN
    return this.#state === 'probe-bandwidth' && this.#longTerm.held === undefined ? CYCLE[this.#cycle]! : 1
  }

  #setWindow({ number, inFlight }: Ack): void {
    if (this.#isRecovering && number > this.#recoverUntil) {
      this.#isRecovering = false
      this.#conserves = false
      this.#window = Math.max(this.#window, this.#windowBeforeLoss)
    }
    if (this.#conserves) {
      this.#window = Math.max(this.#window, inFlight + 1)
      return
    }
    const gain = this.#state === 'startup' || this.#state === 'drain' ? HIGH_GAIN : WINDOW_GAIN
    const target = gain * this.#product + 3
    const isFull = this.#fullRounds >= FULL_ROUNDS
    this.#window = Math.max(WINDOW_MIN, isFull ? Math.min(this.#window + 1, target) : this.#window + 1)
  }

  #watchForPolicer({ delivered }: Ack, isNewRound: boolean, now: Instant): void {
    const isLost = this.#lost > this.#lostBefore
    this.#lostBefore = this.#lost
    const mayEnd = this.#state === 'probe-bandwidth'
    if (this.#longTerm.onAck(delivered, this.#lost, isLost, isNewRound, mayEnd, now)) this.#probeBandwidth(now)
  }

  #measure({ roundTrip, inFlight }: Ack, now: Instant): void {
    const isStale = this.#leastAt !== undefined && now > this.#leastAt + ROUND_TRIP_SPAN_MS
    if (this.#leastAt === undefined || roundTrip <= this.#least || isStale) {
      this.#least = roundTrip
      this.#leastAt = now
    }
    if (isStale && this.#state !== 'probe-round-trip') {
      this.#state = 'probe-round-trip'
      this.#probeEndsAt = NEVER
    }
    if (this.#state !== 'probe-round-trip') return
    if (this.#probeEndsAt === NEVER && inFlight <= WINDOW_MIN) {
      this.#probeEndsAt = (now + Math.max(PROBE_ROUND_TRIP_MS, this.#least)) as Instant
    } else if (now >= this.#probeEndsAt) {
      this.#leastAt = now
      if (this.#fullRounds >= FULL_ROUNDS) this.#probeBandwidth(now)
      else this.#state = 'startup'
    }
  }

  #checkFull(): void {
    if (this.#mostBandwidth >= this.#full * FULL_GROWTH) {
      this.#full = this.#mostBandwidth
      this.#fullRounds = 0
    } else if (++this.#fullRounds >= FULL_ROUNDS) this.#state = 'drain'
  }

  #probeBandwidth(now: Instant): void {
    this.#state = 'probe-bandwidth'
    // Anywhere in the cycle but where it slows down.
    this.#cycle = (2 + this.#random.below(CYCLE.length - 1)) % CYCLE.length
    this.#cycleAt = now
  }

  #advance(inFlight: number, now: Instant): void {
    const gain = CYCLE[this.#cycle]!
    const isOver = now - this.#cycleAt > this.#least
    if (gain > 1 ? !(isOver && (this.#lossInCycle || inFlight >= gain * this.#product)) : gain === 1 && !isOver) return
    if (gain < 1 && !isOver && inFlight > this.#product) return
    this.#cycle = (this.#cycle + 1) % CYCLE.length
    this.#cycleAt = now
    this.#lossInCycle = false
  }
}
