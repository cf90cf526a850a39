// Rate control of one path, run where the data arrives. The state machine is BBR's (draft-ietf-ccwg-bbr); two things
// differ, both because random loss is not congestion:
//  - a random-loss floor is measured in phases without a queue, and a rate sample counts that share of the missing
//    datagrams as delivered (delivery-rate.ts), so that the estimate is the link's rate and not rate x (1 - loss);
//  - only loss above the floor that comes with a queue, or that follows a higher rate, counts as congestion.
// The queue is known directly: one-way delay above its least, from the sender's stamps.
// All rates are octets a millisecond of IP datagrams; all times are milliseconds.
import { assert } from '../errors.js'
import { after, type Instant, NEVER } from '../units.js'

export type CongestionState = 'startup' | 'drain' | 'cruise' | 'refill' | 'up'

/** What about a quarter of a round trip showed. */
export interface Sample {
  readonly rate: number
  /** The sender lacked data: the path could do more. */
  readonly appLimited: boolean
  /** Least queueing delay, ms. */
  readonly queue: number
}

/** What one packet-timed round trip showed. */
export interface Round {
  readonly received: number
  readonly lost: number
  /** Least queueing delay of the round, ms. */
  readonly queue: number
  /** The largest of its samples' least queueing delays, ms. */
  readonly queueHigh: number
  /** Octets that came, IP and UDP headers counted, over the round's time. */
  readonly delivered: number
  /** Least round trip, ms. */
  readonly roundTrip: number
}

/** Pacing gain by state (BBR draft: startup 4 ln 2, up 1.25). CRUISE's is steered by the queue. */
const PACING: Readonly<Record<Exclude<CongestionState, 'cruise'>, number>> = {
  startup: 2.77,
  drain: 0.5,
  refill: 1,
  up: 1.25,
}
/** CRUISE holds about this much queue, ms: enough that the link never idles, too little for anyone to notice. */
const QUEUE_TARGET_MS = 2
const CRUISE_GAIN_MIN = 0.75
const CRUISE_GAIN_MAX = 1.05
/** Growth that keeps STARTUP and UP going, and for how many rounds it may fail (BBR draft, FullBWThresh, FullBWCnt). */
const FULL_GROWTH = 1.25
const FULL_ROUNDS = 3
/** Shares of the train's rate: from the first on STARTUP takes small steps, above the second the train was wrong. */
const TRAIN_REACHED = 0.7
const TRAIN_REFUTED = 2
/** CRUISE lasts this long plus up to a second at random (BBR draft, 2 to 3 s) unless rounds pass first. */
const CRUISE_MS = 2_000
const CRUISE_ROUNDS_MAX = 63
/** Loss above the floor that is still chance or noise (BBRv3's threshold). */
const EXCESS_TOLERATED = 0.02
/** Rate floor: 64 kbit/s. */
export const RATE_MIN = 8
/** Datagrams that may always be in flight. */
export const WINDOW_MIN = 4
/** First window (RFC 6928 allows 10; paced over a round trip 32 is what large senders use), and first rate where that is more: 5 Mbit/s. */
export const WINDOW_INITIAL = 32
export const RATE_INITIAL = 625
/** Rounds whose deliveries are remembered: more than a drain takes, or its own low rate would be believed. */
const DELIVERIES = 6
const FLOOR_BUCKETS = 8
const FLOOR_BUCKET_DATAGRAMS = 200
const FLOOR_MAX = 0.25
/** Loss of this much for three rounds is a policer or a collapse, whatever the floor says. */
const COLLAPSE_LOSS = 0.3
const COLLAPSE_ROUNDS = 3

export class Congestion {
  readonly #initialRate: number
  readonly #chance: () => number
  #state: CongestionState = 'startup'
  #stateSince: Instant
  #rounds = 0
  /** Best rate of this probe cycle and of the one before. */
  #best = 0
  /** What the first datagrams, sent back to back, showed of the link's rate; 0: nothing, or it was refuted. */
  #train = 0
  #bestBefore = 0
  #fullRate = 0
  #fullRounds = 0
  #cruiseFor = CRUISE_MS
  #cruiseGain = 1
  /** Least queueing delay since the last drain took hold. */
  #drainedQueue = Infinity
  /** Queueing delay that stays when we hold back: other flows', or a busy machine's. Not ours to drain. */
  #foreignQueue = 0
  /** What the last rounds delivered. */
  readonly #deliveries: number[] = []
  /** Until then the queue that we see is older than what we did about it. */
  #blindUntil: Instant
  #drainUntil: Instant
  /** From then on we see what the last drain did. */
  #drainHoldsAt: Instant
  #roundTrip: number
  /** The rates that were asked for in the last round trip: what they bring is not seen yet. */
  #paced: { readonly at: Instant; readonly rate: number }[] = []
  /** Rounds running without a queue: losses are known a round late. */
  #lowRounds = 0
  #lossyRounds = 0
  /** Datagrams lost, and all, in lossy rounds running but the first, which the others only confirm. */
  #lossyLost = 0
  #lossyTotal = 0
  /** The longest queue seen, ms, slowly forgotten. */
  #highest = 0
  #floorLost: number[] = [0]
  #floorTotal: number[] = [0]
  #floor = 0

  /**
   * @param roundTrip first guess, ms
   * @param chance a number in [0, 1) that spreads the probes of paths that started together
   */
  constructor(now: Instant, initialRate: number, roundTrip: number, chance: () => number) {
    this.#stateSince = now
    this.#blindUntil = now
    this.#drainUntil = now
    this.#drainHoldsAt = NEVER
    this.#initialRate = initialRate
    this.#roundTrip = roundTrip
    this.#chance = chance
  }

  get state(): CongestionState {
    return this.#state
  }

  /** Share of datagrams that are lost by chance, 0 to FLOOR_MAX. */
  get floor(): number {
    return this.#floor
  }

  /** The link's rate as far as it is known. */
  get bandwidth(): number {
    const measured = Math.max(this.#best, this.#bestBefore)
    return Math.max(RATE_MIN, measured === 0 ? this.#initialRate : measured)
  }

  get pacingRate(): number {
    const gain = this.#state === 'cruise' ? this.#cruiseGain : this.#isAtTrain ? PACING.up : PACING[this.#state]
    const rate = this.bandwidth * gain
    assert(Number.isFinite(rate) && rate > 0, 'pacing rate is not a positive number')
    return Math.max(RATE_MIN, rate)
  }

  /** STARTUP has reached what the train showed: from here small steps do. */
  get #isAtTrain(): boolean {
    return this.#state === 'startup' && this.bandwidth >= TRAIN_REACHED * this.#train && this.#train > 0
  }

  /** Octets that may be in flight, beyond what the feedback's own delay needs. */
  window(roundTripMinimum: number): number {
    const gain = this.#state === 'startup' ? 2.77 : this.#state === 'up' ? 2.25 : 2
    return gain * this.bandwidth * roundTripMinimum
  }

  onSample({ rate, appLimited, queue: delay }: Sample, now: Instant): void {
    const queue = Math.max(0, delay - this.#foreignQueue)
    if (now >= this.#drainHoldsAt) this.#drainedQueue = Math.min(this.#drainedQueue, delay)
    if (rate > (appLimited ? this.bandwidth : this.#best)) this.#best = Math.max(this.#best, rate)
    const queued = queue > Math.max(5, this.#roundTrip / 8)
    // The first round may meet the queue of our own joining; only a standing one ends it.
    const isStanding = this.#rounds > 0 || queue > Math.max(20, this.#roundTrip / 2)
    if ((this.#state === 'startup' || this.#state === 'up') && queued && isStanding) this.#drain(queue, now)
    else if (this.#state === 'drain') {
      if (this.#backlog(queue, now) <= QUEUE_TARGET_MS || now >= this.#drainUntil) this.#cruise(now)
    } else if (this.#state === 'cruise') {
      const error = (QUEUE_TARGET_MS - this.#backlog(queue, now)) / (2 * Math.max(20, this.#roundTrip))
      this.#cruiseGain = Math.min(CRUISE_GAIN_MAX, Math.max(CRUISE_GAIN_MIN, 1 + error))
    }
  }

  /** A hint of the link's rate: the next pacing rate. */
  onTrain(rate: number): void {
    if (this.#state !== 'startup') return
    this.#train = rate
    this.#best = Math.max(this.#best, rate / PACING.startup)
  }

  /** The peer was asked for this rate. */
  onPaced(rate: number, now: Instant): void {
    this.#paced.push({ at: now, rate })
    // The newest that is older than a round trip still counts: it is what came before the second.
    while (this.#paced.length > 1 && this.#paced[1]!.at < now - this.#roundTrip) this.#paced.shift()
  }

  /** @param mayProbe whether this path may take the one upward probe that all paths share */
  onRound(round: Round, now: Instant, mayProbe: boolean): void {
    this.#rounds++
    this.#roundTrip = round.roundTrip
    this.#deliveries.push(round.delivered)
    if (this.#deliveries.length > DELIVERIES) this.#deliveries.shift()
    this.#foreignQueue = Math.min(this.#foreignQueue, round.queue)
    this.#highest = Math.max(0.998 * this.#highest, round.queueHigh)
    // On a path whose whole queue is short, half of the longest that was seen is a queue.
    const low = round.queueHigh < Math.max(Math.min(3, this.#highest / 2), 0.1 * round.roundTrip)
    this.#lowRounds = low ? this.#lowRounds + 1 : 0
    if (this.#lowRounds >= 2 && this.#state !== 'up') this.#learnFloor(round)
    const total = round.received + round.lost
    if (this.#hasCollapsed(round.lost, total)) {
      this.#collapse(now)
      return
    }
    const congested = this.#excess(round.lost, total) > 0 && !low
    if (this.#state === 'startup' || this.#state === 'up') this.#grow(round, congested, now)
    else if (this.#state === 'cruise') this.#hold(round, congested, now, mayProbe)
    else if (this.#state === 'refill') this.#probe(now)
  }

  /** Three rounds of heavy loss, and more of it in the last two together than chance brings where COLLAPSE_LOSS is usual. */
  #hasCollapsed(lost: number, total: number): boolean {
    const isLossy = total >= 8 && lost / total > COLLAPSE_LOSS
    this.#lossyRounds = isLossy ? this.#lossyRounds + 1 : 0
    if (this.#lossyRounds <= 1) {
      this.#lossyLost = 0
      this.#lossyTotal = 0
      return false
    }
    this.#lossyLost += lost
    this.#lossyTotal += total
    const expected = COLLAPSE_LOSS * this.#lossyTotal
    const chance = 3 * Math.sqrt(expected * (1 - COLLAPSE_LOSS))
    return this.#lossyRounds >= COLLAPSE_ROUNDS && this.#lossyLost > expected + chance
  }

  #grow(round: Round, congested: boolean, now: Instant): void {
    if (this.bandwidth > TRAIN_REFUTED * this.#train) this.#train = 0
    if (this.bandwidth >= this.#fullRate * FULL_GROWTH) {
      this.#fullRate = this.bandwidth
      this.#fullRounds = 0
    } else this.#fullRounds++
    const isFull = this.#fullRounds >= (this.#state === 'startup' ? FULL_ROUNDS : 2)
    if (congested || isFull) this.#drain(round.queue - this.#foreignQueue, now)
  }

  #hold(round: Round, congested: boolean, now: Instant, mayProbe: boolean): void {
    if (now < this.#blindUntil) return
    // Ours was drained: what was left of the queue is not ours.
    if (Number.isFinite(this.#drainedQueue)) this.#foreignQueue = this.#drainedQueue
    this.#drainedQueue = Infinity
    this.#drainHoldsAt = NEVER
    if (congested || round.queue - this.#foreignQueue > Math.max(15, round.roundTrip / 2)) {
      // A queue grew though we hold back: the link is slower than we thought. Believe what it delivered lately: with losses
      // that say so too, in the last two rounds; without, a busy machine could look like that, and it had better rounds.
      const seen = Math.max(...this.#deliveries.slice(congested ? -2 : 0)) / (1 - this.#floor)
      this.#best = Math.min(this.bandwidth, Math.max(RATE_MIN, seen))
      this.#bestBefore = 0
      this.#drain(round.queue - this.#foreignQueue, now)
      return
    }
    const over = now - this.#stateSince >= this.#cruiseFor || this.#rounds >= CRUISE_ROUNDS_MAX
    if (over && mayProbe) this.#enter('refill', now)
  }

  #probe(now: Instant): void {
    this.#fullRate = this.bandwidth
    this.#fullRounds = 0
    // A cycle in which the sender lacked data taught nothing: what was known before still counts.
    if (this.#best > 0) this.#bestBefore = this.#best
    this.#best = 0
    this.#enter('up', now)
  }

  #drain(queue: number, now: Instant): void {
    const backlog = this.#backlog(queue, now)
    this.#enter('drain', now)
    this.#drainHoldsAt = after(now, this.#roundTrip)
    this.#drainedQueue = Infinity
    this.#drainUntil = after(now, (2 * backlog) / (1 - PACING.drain) + this.#roundTrip)
  }

  /** The queue, ms, that will stand when all that was asked for until now has arrived: what we see is a round trip old. */
  #backlog(queue: number, now: Instant): number {
    let backlog = queue
    for (const [i, { at, rate }] of this.#paced.entries()) {
      const from = Math.max(at, now - this.#roundTrip)
      backlog += (rate / this.bandwidth - 1) * Math.max(0, (this.#paced[i + 1]?.at ?? now) - from)
    }
    return Math.max(0, backlog)
  }

  #cruise(now: Instant): void {
    this.#enter('cruise', now)
    this.#cruiseFor = CRUISE_MS + 1_000 * this.#chance()
    this.#cruiseGain = 1
    this.#blindUntil = after(now, this.#roundTrip)
  }

  #collapse(now: Instant): void {
    this.#best = this.bandwidth / 2
    this.#bestBefore = 0
    this.#floorLost = [0]
    this.#floorTotal = [0]
    this.#floor = 0
    this.#lossyRounds = 0
    this.#cruise(now)
  }

  #enter(state: CongestionState, now: Instant): void {
    this.#state = state
    this.#stateSince = now
    this.#rounds = 0
  }

  /** Loss above what the floor, three standard deviations and noise explain. */
  #excess(lost: number, total: number): number {
    if (total < 8) return 0
    const floor = this.#floor
    // Where the floor is not known yet, what was lost may be chance itself.
    const chance = Math.min(0.5, Math.max(floor, lost / total))
    const noise = Math.max(EXCESS_TOLERATED, 3 * Math.sqrt((chance * (1 - chance)) / total))
    return lost / total - floor - noise
  }

  /** The floor is the loss over the last buckets of datagrams that met no queue. */
  #learnFloor(round: Round): void {
    const last = this.#floorLost.length - 1
    this.#floorLost[last]! += round.lost
    this.#floorTotal[last]! += round.received + round.lost
    const total = this.#floorTotal.reduce((sum, n) => sum + n, 0)
    const lost = this.#floorLost.reduce((sum, n) => sum + n, 0)
    // Fewer than fifty datagrams say nothing: one loss would be two per cent.
    if (total >= 50) this.#floor = Math.min(FLOOR_MAX, Math.max(0, lost / total))
    if (this.#floorTotal[last]! < FLOOR_BUCKET_DATAGRAMS) return
    this.#floorLost.push(0)
    this.#floorTotal.push(0)
    if (this.#floorLost.length > FLOOR_BUCKETS) {
      this.#floorLost.shift()
      this.#floorTotal.shift()
    }
  }
}
