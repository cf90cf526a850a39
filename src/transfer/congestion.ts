// Rate control of one path, run where the data arrives. The state machine is BBR's (draft-ietf-ccwg-bbr); two things
// differ, both because random loss is not congestion:
//  - a random-loss floor is measured in phases without a queue, and a rate sample counts that share of the missing
//    datagrams as delivered (delivery-rate.ts), so that the estimate is the link's rate and not rate x (1 - loss);
//  - only loss above the floor that comes with a queue, or that follows a higher rate, counts as congestion.
// The queue is known directly: one-way delay above its least, from the sender's stamps.
// All rates are octets a millisecond of IP datagrams; all times are milliseconds.
import { assert } from '../errors.js'
import { after, type Instant } from '../units.js'
import { Backlog } from './backlog.js'
import { Bandwidth, RATE_MIN } from './bandwidth.js'
import { Collapse } from './collapse.js'
import type { Competition } from './competition.js'
import { Contest } from './contest.js'
import type { Sample } from './delivery-rate.js'
import { FLOOR_DOUBTED, FloorWatch } from './floor-watch.js'
import { FullPipe } from './full-pipe.js'
import { FullRate } from './full-rate.js'
import { Headroom } from './headroom.js'
import type { LossDetector } from './loss.js'
import { LossFloor } from './loss-floor.js'
import { QueueView } from './queue-view.js'
import type { Round } from './round-count.js'
import { Spikes } from './spikes.js'
import { StartLoss } from './start-loss.js'
import { Yield } from './yield.js'

export type CongestionState = 'startup' | 'drain' | 'cruise' | 'refill' | 'up' | 'compete'

/** Pacing gain by state (BBR draft: startup 4 ln 2, up 1.25). CRUISE's is steered by the queue. */
const PACING: Readonly<Record<Exclude<CongestionState, 'cruise' | 'compete'>, number>> = {
  startup: 2.77,
  drain: 0.5,
  refill: 1,
  up: 1.25,
}
const CRUISE_GAIN_MIN = 0.75
const CRUISE_GAIN_MAX = 1.05
/** UP asks for so much once a quarter more brought a quarter more and no queue: the link is quite another. */
const UP_FAST = 2
/** Shares of the train's rate: from the first on STARTUP takes small steps, above the second the train was wrong. */
const TRAIN_REACHED = 0.7
const TRAIN_REFUTED = 2
/** CRUISE lasts this long plus up to a second at random (BBR draft, 2 to 3 s) unless rounds pass first. */
const CRUISE_MS = 2_000
const CRUISE_ROUNDS_MAX = 63
const CRUISE_FIRST_ROUND_TRIPS = 6
/** A link that is full and carries less than this share of what we think is slower. */
const SLOWER = 0.8
/** A link that was full is believed to carry so much more than came that CRUISE holds a queue longer by this, ms or round trips. */
const FULL_MS = 8
const FULL_ROUND_TRIPS = 0.25
/** Less than so many octets says less about the link than chance does. */
const FULL_BYTES = 96_000
/** Room for an uneven pace above the window of those who compete. */
const COMPETE_WINDOW = 1.1
/** CRUISE corrects what it sees of the queue over so many round trips, but over so many ms at least. */
const STEER_ROUND_TRIPS = 2
const STEER_MS = 16

export class Congestion {
  readonly #link: Bandwidth
  readonly #chance: () => number
  #state: CongestionState = 'startup'
  #stateSince: Instant
  #rounds = 0
  /** What the first datagrams, sent back to back, showed of the link's rate; 0: nothing, or it was refuted. */
  #train = 0
  /** An overflow showed what the link carries, and no probe was since. */
  #isCorrected = false
  readonly #startLoss = new StartLoss()
  readonly #fullPipe = new FullPipe()
  #cruiseFor = CRUISE_MS
  #cruiseGain = 1
  /** What the last drain shows. */
  #yield: Yield | undefined
  /** Until then the queue that we see is older than what we did about it. */
  #blindUntil: Instant
  #drainUntil: Instant
  #drainTo = 0
  #roundTrip: number
  /** Rounds running without a queue: losses are known a round late. */
  #lowRounds = 0
  /** Queueing delay of the last sample, foreign or not. */
  #delay = 0
  readonly #queue: QueueView
  readonly #backlog = new Backlog()
  readonly #headroom = new Headroom()
  readonly #full = new FullRate()
  /** The same, while what STARTUP or UP sent too much stands before the link. */
  readonly #overfull = new FullRate()
  #upGain: number = PACING.up
  readonly #collapse = new Collapse()
  readonly #spikes = new Spikes()
  readonly #competition: Competition
  readonly #contest: Contest
  readonly #floor = new LossFloor()
  readonly #floorTests = new FloorWatch(this.#floor)
  /** The last probe ended for a queue: losses without one are chance. */
  #showsQueue = false
  #hasProbed = false
  /** It found more, and ended before it found the end of it. */
  #mayBeMore = true
  #drainAtLeastUntil: Instant

  /**
   * @param roundTrip first guess, ms
   * @param chance a number in [0, 1) that spreads the probes of paths that started together
   * @param competition that of all paths which may share a link
   */
  constructor(now: Instant, initialRate: number, roundTrip: number, chance: () => number, competition: Competition) {
    this.#stateSince = now
    this.#blindUntil = now
    this.#drainUntil = now
    this.#drainAtLeastUntil = now
    this.#link = new Bandwidth(initialRate)
    this.#roundTrip = roundTrip
    this.#chance = chance
    this.#competition = competition
    this.#contest = new Contest(competition)
    this.#queue = new QueueView(now)
  }

  get state(): CongestionState {
    return this.#state
  }

  /** Share of datagrams that are lost by chance, 0 to 0.25. */
  get floor(): number {
    return this.#floor.share
  }

  /** The link's rate as far as it is known. */
  get bandwidth(): number {
    if (this.#state === 'compete') return Math.max(RATE_MIN, this.#contest.window / (this.#roundTrip + this.#delay))
    return this.#link.value
  }

  get pacingRate(): number {
    const rate = this.bandwidth * this.#gain
    assert(Number.isFinite(rate) && rate > 0, 'pacing rate is not a positive number')
    return Math.max(RATE_MIN, rate)
  }

  get #gain(): number {
    if (this.#state === 'compete') {
      const { gain } = this.#contest
      // Held back is what the link brings, which is less than we send where a queue overflows.
      return gain < 1 ? gain * Math.min(1, this.#sent() / this.bandwidth) : 1
    }
    if (this.#state === 'cruise') return this.#cruiseGain
    if (this.#state === 'up') return this.#upGain
    return this.#isAtTrain ? PACING.up : PACING[this.#state]
  }

  /** STARTUP has reached what the train showed: from here small steps do. */
  get #isAtTrain(): boolean {
    return this.#state === 'startup' && this.bandwidth >= TRAIN_REACHED * this.#train && this.#train > 0
  }

  /** Octets that may be in flight, beyond what the feedback's own delay needs. */
  window(roundTripMinimum: number): number {
    if (this.#state === 'compete') return COMPETE_WINDOW * this.#contest.window
    const gain = this.#state === 'startup' ? 2.77 : this.#state === 'up' ? 2.25 : 2
    return gain * this.bandwidth * roundTripMinimum
  }

  onSample({ rate, octets, time, appLimited, queue: delay }: Sample, now: Instant): void {
    const queue = this.#queue.own(delay)
    this.#delay = delay
    this.#contest.onSample(delay, this.#isLow(delay), this.bandwidth * (this.#roundTrip + delay), now)
    this.#yield?.onDelay(delay, this.#roundTrip, now)
    this.#link.onSample(rate, appLimited ? this.bandwidth : 0)
    this.#queue.onSample(delay, now)
    this.#full.onSample(octets, time, this.#queue.isLong(queue, this.#roundTrip), now)
    this.#overfull.onSample(octets, time, this.#queue.isStanding(queue, this.#roundTrip), now)
    // The first round may meet the queue of our own joining; only a standing one ends it.
    const isStanding = this.#rounds > 0 || queue > Math.max(20, this.#roundTrip / 2)
    if (this.#state === 'startup' && isStanding && this.#queue.isStanding(queue, this.#roundTrip))
      this.#showQueue(queue, now)
    else if (this.#state === 'drain') {
      // The best of many samples is more than the link carries; what came all the while is not.
      const came = this.#overfull.over(Math.max(this.#roundTrip, FULL_BYTES / this.bandwidth), now)
      const more = Math.min(FULL_MS, FULL_ROUND_TRIPS * this.#roundTrip) / this.#steerTime
      if (came < Infinity) this.#link.limit((1 + more) * came)
      if (this.#hasOthers(now)) this.#compete(delay, now)
      else if (this.#isSlower(now)) this.#slowDown(queue, now)
      else if (now < this.#drainAtLeastUntil) return
      else if (
        this.#backlog.of(queue, this.bandwidth, this.#roundTrip, now) <= this.#drainTo ||
        now >= this.#drainUntil
      )
        this.#cruise(now)
    } else if (this.#state === 'compete') {
      this.#contest.onDelay(delay, this.#isLow(delay), this.#roundTrip, now)
      if (!this.#contest.isMember) this.#stopCompeting(now)
    } else if (this.#state === 'cruise') {
      const error =
        (this.#queue.target(this.#roundTrip) - this.#backlog.of(queue, this.bandwidth, this.#roundTrip, now)) /
        this.#steerTime
      this.#cruiseGain = Math.min(CRUISE_GAIN_MAX, Math.max(CRUISE_GAIN_MIN, 1 + error))
      this.#cruiseGain = Math.min(this.#cruiseGain, this.#competition.heldGain(now))
      if (this.#rounds >= 4 && this.#competition.mayJoin(this.#roundTrip, now)) this.#testFloor(now)
      if (this.#yield === undefined && now >= this.#blindUntil && this.#isSlower(now)) this.#slowDown(queue, now)
    } else if (this.#state === 'refill' && this.#isSlower(now)) this.#slowDown(queue, now)
  }

  /** Once for each wake-up in which something arrived. */
  onBatch(loss: LossDetector, now: Instant): void {
    if (this.#state === 'up' && this.#queue.stands(this.#roundTrip, this.bandwidth, now))
      this.#showQueue(this.#delay, now)
    const delivered = this.#floorTests.onBatch(loss, now)
    if (delivered === undefined) return
    // What came is all that the link carries.
    this.#queue.overflowsEarly()
    this.#believe(Math.min(this.bandwidth, delivered))
    this.#drain(0, now)
    // A queue that never was empty shows how short it can be.
    this.#drainAtLeastUntil = after(now, this.#roundTrip)
  }

  /** We send more than the link carries. */
  #showQueue(queue: number, now: Instant): void {
    this.#showsQueue = true
    this.#mayBeMore = false
    this.#drain(queue, now)
  }

  #testFloor(now: Instant): void {
    const isJoint = this.#competition.isHeld(now)
    if (!this.#hasProbed || this.#competition.isDisturbed(this, now)) return
    if (!isJoint && this.#showsQueue && this.#lowRounds > 0 && this.floor < FLOOR_DOUBTED) return
    const roundTrip = this.#roundTrip + this.#delay
    const test = this.#floorTests.begin(this.bandwidth, this.#sent(2), this.#roundTrip, roundTrip, isJoint, now)
    if (test !== undefined) this.#competition.holdBack(test.gain, test.endsAt, now)
  }

  /** The queueing delay of one datagram, ms. */
  onDelay(queue: number, now: Instant): void {
    this.#queue.onDelay(queue, this.#roundTrip, now)
    if (this.#state === 'compete') this.#spikes.onDelay(queue, this.#roundTrip, now)
  }

  /** A hint of the link's rate: the next pacing rate. */
  onTrain(rate: number): void {
    if (this.#state !== 'startup') return
    this.#train = rate
    this.#link.onSample(rate / PACING.startup, 0)
  }

  /** The peer was asked for this rate. */
  onPaced(rate: number, now: Instant): void {
    this.#backlog.onPaced(rate, this.#roundTrip, now)
  }

  /** @param mayProbe whether this path may take the one upward probe that all paths share */
  onRound(round: Round, now: Instant, mayProbe: boolean): void {
    this.#rounds++
    // There was a queue that did not show.
    if (!this.#isLow(this.#roundTrip - round.roundTrip)) this.#floor.forget()
    this.#roundTrip = round.roundTrip
    this.#link.onRound(round.delivered)
    this.#queue.onRound(round.queue, round.queueHigh)
    this.#headroom.onRound(round.queueHigh, this.#queue.target(round.roundTrip), now)
    const low = this.#isLow(round.queueHigh)
    this.#lowRounds = low ? this.#lowRounds + 1 : 0
    const mayLearn = this.#state === 'startup' ? this.#startLoss.isChance(round) : this.#state !== 'up'
    if (this.#lowRounds >= 2 && mayLearn) this.#floor.learn(round)
    this.#floor.bound(round)
    // What a drain loses was sent before.
    if (this.#state === 'drain') this.#collapse.clear()
    else if (this.#collapse.onRound(round.lost, round.received + round.lost, this.floor) && this.#state !== 'compete') {
      this.#fallBack(now)
      return
    }
    const congested = this.#floor.excess(round) > 0 && !low
    // Something was lost, beyond what chance explains, when the queue was full.
    const overflowed = this.#queue.wasFull(this.bandwidth) && this.#floor.isExceeded(round)
    if (this.#raisesQueue) this.#competition.disturb(this, after(now, 2 * (round.roundTrip + round.queueHigh)))
    if (this.#state === 'compete') this.#share(round, overflowed, low, now)
    else if (this.#state === 'startup' || this.#state === 'up') this.#grow(round, congested, now)
    else if (this.#state === 'cruise') this.#hold(round, congested, overflowed, now, mayProbe)
    else if (this.#state === 'refill' && this.#competition.isHeld(now)) this.#cruise(now)
    else if (this.#state === 'refill') this.#probe(now)
  }

  #grow(round: Round, congested: boolean, now: Instant): void {
    if (this.bandwidth > TRAIN_REFUTED * this.#train) this.#train = 0
    const state = this.#state === 'startup' ? 'startup' : 'up'
    const isFull = this.#fullPipe.onRound(this.bandwidth, state)
    const rises = state === 'startup' && this.#startLoss.rises(round)
    if (state === 'up' && this.#lowRounds > 0 && this.#fullPipe.brings(this.#sent(1))) this.#upGain = UP_FAST
    const isFlood = state === 'startup' && this.#startLoss.isFlood(round)
    // Others flood the link, too: what came is our part of it.
    if (isFlood) this.#link.lower(this.#sent(1))
    if (!congested && !isFull && !rises && !isFlood) return
    this.#showsQueue = false
    this.#mayBeMore = state === 'startup' || (!congested && this.#fullPipe.hasGrown)
    this.#drain(this.#queue.own(round.queue), now)
  }

  #hold(round: Round, congested: boolean, overflowed: boolean, now: Instant, mayProbe: boolean): void {
    if (now < this.#blindUntil) return
    // One of our paths found others, and holding back leaves us a queue, too.
    if ((this.#contest.isUnderWay && !this.#isLow(round.queue)) || this.#hasOthers(now)) {
      this.#compete(round.queue, now)
      return
    }
    // What a queue of ours leaves behind is ours, too.
    if (this.#yield !== undefined)
      this.#queue.onDrained(this.#yield.least, this.#yield.stands(this.#roundTrip, now), this.#roundTrip)
    this.#yield = undefined
    // What was lost in the first rounds may be older than our holding back.
    const isOverfull = overflowed && this.#rounds >= 4
    if (isOverfull && this.#isCorrected && !this.#competition.isDisturbed(this, now)) {
      this.#compete(round.queue, now)
      this.#contest.onLossBefore(now)
      return
    }
    if (congested || isOverfull || this.#queue.isLong(this.#queue.own(round.queue), round.roundTrip)) {
      // A queue grew though we hold back: the link is slower than we thought. Believe what it delivered lately: with losses
      // that say so too, in the last two rounds; without, a busy machine could look like that, and it had better rounds.
      const seen = this.#sent(congested ? 2 : undefined)
      if (isOverfull) this.#believe(Math.min(this.bandwidth, seen))
      else this.#link.set(Math.min(this.bandwidth, seen))
      this.#drain(this.#queue.own(round.queue), now)
      return
    }
    if (this.#rounds >= 4 && !this.#competition.isHeld(now)) this.#testFloor(now)
    if (this.#competition.isHeld(now)) return
    const over = now - this.#stateSince >= this.#cruiseFor || this.#rounds >= CRUISE_ROUNDS_MAX
    if (this.#headroom.isThere(now) && mayProbe) this.#probe(now)
    else if (over && mayProbe) this.#enter('refill', now)
  }

  /** A queue stays when we hold back. */
  #hasOthers(now: Instant): boolean {
    if (this.#yield === undefined || !this.#yield.stands(this.#roundTrip, now)) return false
    return this.#yield.least > this.#queue.foreignMin(this.#roundTrip, this.bandwidth)
  }

  get #raisesQueue(): boolean {
    return this.#state === 'startup' || this.#state === 'up' || this.#state === 'drain'
  }

  #isLow(queue: number): boolean {
    return this.#queue.isLow(queue, this.#roundTrip, this.bandwidth)
  }

  /** The most that one of the last rounds delivered, and chance took. */
  #sent(rounds?: number): number {
    return this.#link.sent(this.floor, rounds)
  }

  /** Someone else fills the queue: share the link with him. */
  #compete(queue: number, now: Instant): void {
    this.#contest.join(this.#sent(2) * (this.#roundTrip + queue), now)
    this.#spikes.clear()
    this.#yield = undefined
    this.#enter('compete', now)
  }

  #share(round: Round, overflowed: boolean, isLow: boolean, now: Instant): void {
    const { received, lost, queue, roundTrip: roundTripMin } = round
    const roundTrip = roundTripMin + queue
    const isProbed = this.#spikes.tell(this.#queue.highest, roundTripMin, now)
    const seen = { overflowed, roundTripMin, roundTrip, isLow, isProbed, delivered: this.#sent(1) }
    const showing = { received, lost, floor: this.floor, ...seen }
    this.#contest.onRound(showing, now)
    if (!this.#contest.isMember) this.#stopCompeting(now)
  }

  #stopCompeting(now: Instant): void {
    // So much came all the time: an overflow before the next probe is someone else's.
    this.#believe(this.#sent())
    this.#queue.forgetForeign()
    this.#cruise(now)
  }

  /** The link carries so much, and no more until the next probe. */
  #believe(rate: number): void {
    this.#link.set(rate)
    this.#link.limit(rate)
    this.#isCorrected = true
  }

  /** What came from a link that was full all the time is all that it carries. */
  #isSlower(now: Instant): boolean {
    return this.#full.over(this.#roundTrip, now) < SLOWER * this.bandwidth
  }

  #slowDown(queue: number, now: Instant): void {
    this.#link.set(Math.max(RATE_MIN, this.#full.over(this.#roundTrip, now)))
    this.#drain(queue, now)
    // The last rounds brought more, from before it was full.
    this.#yield = new Yield(PACING.drain, now)
  }

  #probe(now: Instant): void {
    this.#fullPipe.start(this.bandwidth, this.#sent(2))
    this.#link.onProbe()
    this.#isCorrected = false
    this.#hasProbed = true
    this.#upGain = PACING.up
    this.#headroom.onProbe()
    this.#enter('up', now)
  }

  #drain(queue: number, now: Instant): void {
    const backlog = this.#backlog.of(queue, this.bandwidth, this.#roundTrip, now)
    this.#drainTo = this.#queue.drainTarget(this.#roundTrip, now)
    this.#enter('drain', now)
    // Of what the link brings, which may be less than we thought.
    const gain = Math.min(1, (PACING.drain * this.bandwidth) / this.#sent(2))
    this.#yield = new Yield(gain, now)
    this.#drainUntil = after(now, (2 * backlog) / (1 - PACING.drain) + this.#roundTrip)
  }

  #cruise(now: Instant): void {
    if (this.#state === 'drain') this.#yield?.end(now)
    this.#enter('cruise', now)
    const first = this.#mayBeMore ? CRUISE_FIRST_ROUND_TRIPS * this.#roundTrip : Infinity
    this.#cruiseFor = Math.min(CRUISE_MS, first) * (1 + this.#chance() / 2)
    this.#cruiseGain = 1
    this.#blindUntil = after(now, this.#lag)
  }

  /** CRUISE makes up for an error of the queue in so long, ms: a rate that is wrong by a share holds that share of it. */
  get #steerTime(): number {
    return Math.max(STEER_MS, STEER_ROUND_TRIPS * this.#roundTrip)
  }

  /** After so long we see the last of what was sent before the next PULL, ms. */
  get #lag(): number {
    return 1.25 * this.#roundTrip + this.#delay
  }

  #fallBack(now: Instant): void {
    this.#link.set(this.bandwidth / 2)
    this.#floor.forget()
    this.#collapse.clear()
    this.#cruise(now)
  }

  #enter(state: CongestionState, now: Instant): void {
    this.#state = state
    this.#stateSince = now
    this.#rounds = 0
  }
}
