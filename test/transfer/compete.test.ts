// What a path concludes from the queue and from losses when others share its link.
import t from 'tap'
import { Backlog } from '../../src/transfer/backlog.js'
import { Collapse } from '../../src/transfer/collapse.js'
import { CommonQueue } from '../../src/transfer/common-queue.js'
import { Competition, type Showing } from '../../src/transfer/competition.js'
import { Contest } from '../../src/transfer/contest.js'
import { CubicWindow } from '../../src/transfer/cubic-window.js'
import { FloorTest } from '../../src/transfer/floor-test.js'
import { FloorWatch } from '../../src/transfer/floor-watch.js'
import { LossDetector } from '../../src/transfer/loss.js'
import { LossFloor } from '../../src/transfer/loss-floor.js'
import { QueueView } from '../../src/transfer/queue-view.js'
import { Spikes } from '../../src/transfer/spikes.js'
import { StartLoss } from '../../src/transfer/start-loss.js'
import { Stubborn } from '../../src/transfer/stubborn.js'
import { Yield } from '../../src/transfer/yield.js'
import { instant } from '../../src/units.js'

const ROUND_TRIP = 40
/** Octets in flight. */
const PRODUCT = 100_000
/** A round in which the queue overflowed. */
const OVERFLOW: Showing = {
  received: 100,
  lost: 10,
  floor: 0,
  overflowed: true,
  roundTripMin: ROUND_TRIP,
  roundTrip: 60,
  isLow: false,
  isProbed: false,
  delivered: 5_000,
}

t.test('a CUBIC window', async t => {
  const window = new CubicWindow(300_000, instant(0))
  window.cut(300_000, instant(0))
  t.equal(window.octets, 210_000, 'is cut to seven tenths')
  window.grow(ROUND_TRIP, 10, 100_000, instant(1_000))
  t.equal(window.octets, 210_000, 'does not grow while it is not used')
  let now = 0
  for (; now < 20_000 && window.octets < 300_000; now += ROUND_TRIP) {
    window.grow(ROUND_TRIP, ROUND_TRIP, window.octets, instant(now))
  }
  // K = cbrt(W_max (1 - beta) / C) = cbrt(200 x 0.3 / 0.4) = 5.3 s (RFC 9438, section 4.2).
  t.ok(now > 3_000 && now < 5_600, `is back after ${now} ms`)
  window.cut(10, instant(now))
  t.ok(window.octets >= 3_000, 'keeps two segments')
})

t.test('a queue that stays when we hold back is not ours', async t => {
  const held = (queueAt: (ms: number) => number) => {
    const test = new Yield(0.5, instant(0))
    for (let now = 0; now <= 200; now += 5) test.onDelay(queueAt(now), ROUND_TRIP, instant(now))
    return test.stands(ROUND_TRIP, instant(200))
  }
  t.equal(
    held(() => 30),
    true,
    'it stays',
  )
  t.equal(
    held(now => Math.max(0, 100 - 0.5 * Math.max(0, now - ROUND_TRIP))),
    false,
    'it goes away as fast as ours would',
  )
})

t.test('a prober is known by frequent spikes of the queue', async t => {
  const seen = (queueAt: (ms: number) => number) => {
    const spikes = new Spikes()
    let isProbed = false
    for (let now = 0; now < 60 * ROUND_TRIP; now++) {
      spikes.onDelay(queueAt(now), ROUND_TRIP, instant(now))
      isProbed ||= spikes.tell(15, ROUND_TRIP, instant(now))
    }
    return isProbed
  }
  const cycle = 8 * ROUND_TRIP
  t.equal(
    seen(now => (now % cycle < ROUND_TRIP ? 15 : 5)),
    true,
    'one round trip in eight',
  )
  t.equal(
    seen(now => 5 + (now % 2_000) / 100),
    false,
    'a saw tooth of two seconds',
  )
  t.equal(
    seen(() => 20),
    false,
    'a queue that stands',
  )
})

t.test('the loss floor', async t => {
  const floor = new LossFloor()
  floor.learn({ received: 900, lost: 100, runs: 90 })
  t.equal(floor.share, 0.1)
  t.equal(floor.strikes, 0.1, 'of 900 that came')
  t.ok(floor.excess({ received: 90, lost: 10, runs: 9 }) <= 0, 'explains as much again')
  t.ok(floor.excess({ received: 60, lost: 40, runs: 30 }) > 0, 'does not explain four times as much')
  t.equal(floor.isExceeded({ received: 90, lost: 10, runs: 9 }), false)
  t.equal(floor.isExceeded({ received: 50, lost: 50, runs: 40 }), true)
  t.equal(floor.isExceeded({ received: 10, lost: 90, runs: 8 }), true, 'nor nine of ten, in few runs')
  floor.learn({ received: 400, lost: 600, runs: 240 })
  t.equal(floor.share, 0.1, 'learns nothing where most is lost')
  floor.bound({ received: 2_000, lost: 10, runs: 10 })
  t.ok(Math.abs(floor.share * 2_010 - (10 + 3 * Math.sqrt(10) + 3)) < 0.01, 'is no higher than what is lost may be')
  t.equal(floor.isExceeded({ received: 10, lost: 1, runs: 1 }), false, 'nor is a single loss')
  t.equal(floor.isExceeded({ received: 10, lost: 4, runs: 4 }), true)
  floor.learn({ received: 6_500, lost: 3_500, runs: 2_000 })
  t.equal(floor.share, 0.25, 'never exceeds a quarter')
})

t.test('a floor test finds that losses end when we hold back', async t => {
  const after = (isLost: (sequence: number, isHolding: boolean) => boolean) => {
    const loss = new LossDetector()
    const test = new FloorTest(0.2, 1_000, 800, ROUND_TRIP, instant(0))
    t.ok(test.gain < 0.8 && test.gain > 0.5, `it keeps ${test.gain} of the rate`)
    for (let i = 1; i < 3_000; i++) {
      const now = instant(i * 1.5)
      if (!isLost(i, now - ROUND_TRIP < test.endsAt)) loss.onArrival(i)
      loss.checkpoint(now)
      loss.advance(now, ROUND_TRIP)
      const result = test.onBatch(loss, now)
      if (result !== undefined) return result
    }
    return undefined
  }
  t.equal(after(i => i % 5 === 0)?.isChance, true, 'they go on')
  const ended = after((i, isHolding) => !isHolding && i % 5 === 0)
  t.equal(ended?.isChance, false, 'they end')
  t.ok(ended !== undefined && ended.count.lost < 0.1 * ended.count.total, 'what is left is the new floor')
})

t.test('when one path tests its floor all hold back, and test theirs', async t => {
  const competition = new Competition(instant(0))
  t.equal(competition.heldGain(instant(0)), Infinity)
  competition.holdBack(0.8, instant(100), instant(0))
  competition.holdBack(0.6, instant(80), instant(10))
  t.equal(competition.heldGain(instant(99)), 0.6, 'the least of their shares, until the last of them is done')
  t.equal(competition.mayJoin(ROUND_TRIP, instant(ROUND_TRIP - 1)), true)
  t.equal(
    competition.mayJoin(ROUND_TRIP, instant(ROUND_TRIP)),
    false,
    'a test that begins late would hold all back anew, and so on',
  )
  competition.holdBack(0.8, instant(200), instant(150))
  t.equal(competition.mayJoin(ROUND_TRIP, instant(151)), true)
  t.equal(competition.heldGain(instant(150)), 0.8, 'a later one has its own')
  t.equal(competition.isHeld(instant(200)), false)

  const floor = new LossFloor()
  const watch = new FloorWatch(floor)
  const begin = (isJoint: boolean, now: number) => watch.begin(5_000, 5_000, ROUND_TRIP, 50, isJoint, instant(now))
  t.equal(begin(true, 0), undefined, 'none where nothing is lost')
  floor.learn({ received: 900, lost: 100, runs: 80 })
  t.ok(begin(false, 0))
  t.equal(begin(false, 5_000), undefined, 'none so soon')
  t.ok(begin(true, 5_000), 'but for nothing, when others hold back')
  t.equal(begin(true, 5_500), undefined, 'once')
})

t.test('losses of STARTUP that come with a higher rate are no chance', async t => {
  const steady = new StartLoss()
  t.equal(steady.rises({ received: 90, lost: 10, runs: 9 }), false)
  t.equal(steady.rises({ received: 180, lost: 20, runs: 18 }), false, 'as many at twice the rate')
  t.equal(steady.isChance({ received: 180, lost: 30, runs: 18 }), true)
  t.equal(steady.rises({ received: 180, lost: 120, runs: 80 }), true, 'many more')
  t.equal(steady.isChance({ received: 180, lost: 120, runs: 80 }), false)
  t.equal(steady.rises({ received: 180, lost: 120, runs: 3 }), false, 'in three bursts')
})

t.test('more than chance can take is a flood, also where nothing was lower before', async t => {
  const first = new StartLoss()
  const few = { received: 9, lost: 6, runs: 5 }
  const chance = { received: 66, lost: 33, runs: 20 }
  const flood = { received: 50, lost: 50, runs: 20 }
  t.strictSame(
    [few, chance, flood].map(losses => first.isFlood(losses)),
    [false, false, true],
  )
  t.strictSame(
    [few, chance, flood].map(losses => first.isChance(losses)),
    [true, true, false],
  )
})

t.test('a collapse needs three rounds of heavy loss', async t => {
  const collapse = new Collapse()
  t.equal(collapse.onRound(60, 100, 0), false)
  t.equal(collapse.onRound(60, 100, 0), false)
  t.equal(collapse.onRound(60, 100, 0), true)
  const usual = new Collapse()
  t.strictSame(
    [1, 2, 3, 4].map(() => usual.onRound(24, 100, 0.25)),
    [false, false, false, false],
    'what chance takes is none',
  )
})

t.test('the backlog counts what was asked for and is not seen yet', async t => {
  const backlog = new Backlog()
  backlog.onPaced(200, ROUND_TRIP, instant(0))
  t.equal(backlog.of(5, 100, ROUND_TRIP, instant(20)), 25, 'twice the link for 20 ms')
  backlog.onPaced(50, ROUND_TRIP, instant(20))
  t.equal(backlog.of(5, 100, ROUND_TRIP, instant(40)), 15, 'then half of it as long')
  t.equal(backlog.of(0, 100, ROUND_TRIP, instant(200)), 0, 'never below nothing')
})

t.test('what counts as a queue', async t => {
  const queue = new QueueView(instant(0))
  t.equal(
    queue.isLow(2.9, 40, 12_500),
    false || queue.isLow(2.9, 20, 12_500),
    'up to 3 ms or a tenth of the round trip',
  )
  t.equal(queue.isLow(5, 40, 12_500), false)
  t.equal(queue.isLow(5, 40, 200), true, 'one datagram of a slow link')
  t.equal(queue.isStanding(4, 40), false)
  t.equal(queue.isStanding(6, 40), true)
  queue.onRound(0, 2)
  queue.overflowsEarly()
  t.equal(queue.isLow(1.5, 40, 12_500), false, 'half of a queue that overflows at 2 ms')
  t.equal(queue.drainTarget(40, instant(1_000)), 2)
  t.equal(queue.drainTarget(40, instant(5_000)), 0, 'no empty queue seen for long')
  queue.onSample(0.1, instant(5_000))
  t.equal(queue.drainTarget(40, instant(5_001)), 2)
})

t.test('a queue may overflow that is about as long as it ever was for two rounds', async t => {
  const queue = new QueueView(instant(0))
  queue.onRound(0, 10)
  queue.onRound(0, 10)
  t.equal(queue.wasFull(1_000), true)
  queue.onRound(0, 40)
  queue.onRound(0, 10)
  queue.onRound(0, 10)
  t.equal(queue.wasFull(1_000), true, 'a moment is not the queue')
  queue.onRound(0, 40)
  queue.onRound(0, 40)
  queue.onRound(0, 10)
  queue.onRound(0, 10)
  t.equal(queue.wasFull(1_000), false, 'two rounds are')
})

t.test('a queue stands once every datagram has met it for a while', async t => {
  const queue = new QueueView(instant(0))
  for (let now = 0; now < 9; now++) queue.onDelay(6, 40, instant(now))
  t.equal(queue.stands(40, 12_500, instant(9)), false, 'a quarter of a round trip')
  t.equal(queue.stands(40, 12_500, instant(10)), true)
  t.equal(queue.stands(40, 1_000, instant(20)), false, 'sixteen datagrams of a slow link')
  queue.onDelay(4, 40, instant(10))
  t.equal(queue.stands(40, 12_500, instant(30)), false)
})

t.test('what a drain leaves of a queue is foreign if it did not shrink as ours would', async t => {
  const queue = new QueueView(instant(0))
  for (let round = 0; round < 2; round++) queue.onRound(20, 80)
  queue.onDrained(22, false, 40)
  t.equal(queue.own(22), 22, 'ours, not drained yet')
  queue.onDrained(22, true, 40)
  t.equal(queue.own(22), 2, 'the target is ours')
  queue.onDrained(12, false, 40)
  t.equal(queue.own(22), 12, 'less of it is foreign now')
  queue.onRound(0, 80)
  t.equal(queue.own(22), 22, 'it went away')
})

t.test('paths that compete share one window', async t => {
  const competition = new Competition(instant(0))
  const [a, b] = [{}, {}]
  t.equal(competition.isUnderWay, false)
  competition.join(a, 300_000, instant(0))
  t.equal(competition.isUnderWay, true)
  t.equal(competition.windowOf(a), 300_000)
  competition.join(b, 100_000, instant(0))
  t.ok(Math.abs(competition.windowOf(a) - 300_000) < 1 && Math.abs(competition.windowOf(b) - 100_000) < 1)
  competition.onRound(b, OVERFLOW, instant(400))
  t.ok(competition.windowOf(a) < 300_000, 'a loss of one is answered by both')
  competition.onRound(b, OVERFLOW, instant(2_000))
  t.ok(competition.has(b) && !competition.has(a), 'who is silent leaves')
  competition.leave(b, instant(2_000))
  t.equal(competition.has(b), false)
  t.equal(competition.windowOf(b), 0)
})

t.test('the queue that others see counts while it is fresh', async t => {
  const queues = new CommonQueue()
  const [a, b, c] = [{}, {}, {}]
  queues.onSample(a, 30, instant(0))
  t.equal(queues.leastBeside(a, instant(0)), Infinity, 'nobody else was heard')
  queues.onSample(b, 20, instant(100))
  queues.onSample(c, 10, instant(150))
  t.equal(queues.leastBeside(a, instant(200)), 10)
  queues.onSample(b, 25, instant(300))
  t.equal(queues.leastBeside(a, instant(360)), 25, 'of what was long ago nothing is said')
})

/** Both paths take samples for so long, and see these queues. */
function see(
  [a, b]: readonly [Contest, Contest],
  queues: readonly [number, number],
  from: number,
  product = PRODUCT,
): void {
  for (let now = from; now < from + 400; now += 10) {
    a.onSample(queues[0], queues[0] < 3, product, instant(now))
    b.onSample(queues[1], queues[1] < 3, product, instant(now))
  }
}

t.test('a queue at the end of a peer is not answered by the paths to others', async t => {
  const common = new Competition(instant(0))
  const paths = [new Contest(common), new Contest(common)] as const
  const [near, far] = paths
  see(paths, [20, 25], 0)
  near.join(300_000, instant(400))
  far.join(100_000, instant(400))
  t.equal(common.has(near) && common.has(far), true, 'both meet one queue')
  see(paths, [0, 25], 400)
  t.equal(common.has(near), true)
  t.equal(common.has(far), false, 'the queue of one is not before the other')
  t.ok(Math.abs(far.window - 100_000) < 1 && Math.abs(near.window - 300_000) < 1, 'what is in flight stays so')
  far.onRound(OVERFLOW, instant(1_200))
  t.ok(far.window < 100_000, 'it answers to its loss')
  t.ok(Math.abs(near.window - 300_000) < 1, 'and the other does not')
  t.equal(far.isUnderWay, false, 'others compete for something else')
  see(paths, [20, 25], 1_200)
  t.equal(common.has(far) && far.isMember, true, 'they share one window again when the queue is before both')
})

t.test('a path that has a few datagrams in flight competes with all others whatever it sees', async t => {
  const common = new Competition(instant(0))
  const paths = [new Contest(common), new Contest(common)] as const
  const far = paths[1]
  far.join(8_000, instant(0))
  see(paths, [0, 25], 0, 8_000)
  t.equal(common.has(far), true)
})

/** Rounds with so many losses of a hundred from `from` on. @returns when he was first seen, or undefined */
function seenAfter(stubborn: Stubborn, lost: number, from: number, rounds: number): number | undefined {
  for (let now = from; now < from + rounds * ROUND_TRIP; now += ROUND_TRIP) {
    if (stubborn.onRound(100 - lost, lost, 0, ROUND_TRIP, instant(now))) return now
  }
  return undefined
}

t.test('who answers no loss shows himself by how much is lost though we answer', async t => {
  t.equal(seenAfter(new Stubborn(instant(0)), 2, 0, 500), undefined, 'two in a hundred are lost beside anyone')
  const stubborn = new Stubborn(instant(0))
  t.equal(seenAfter(stubborn, 5, 0, 100), 20 * ROUND_TRIP, 'five are not')
  t.equal(stubborn.isThere(instant(119 * ROUND_TRIP)), true)
  t.equal(stubborn.isThere(instant(121 * ROUND_TRIP)), false, 'believed in for a hundred round trips')
  t.equal(seenAfter(stubborn, 20, 21 * ROUND_TRIP, 98), undefined, 'in which nothing is concluded from what we cause')
  t.equal(seenAfter(stubborn, 5, 121 * ROUND_TRIP, 100), 140 * ROUND_TRIP, 'he has to show himself again')
  t.equal(stubborn.isThere(instant(339 * ROUND_TRIP)), true, 'and is believed in for twice as long')
  t.equal(stubborn.isThere(instant(341 * ROUND_TRIP)), false)
})

t.test('beside who answers no loss the window is given back, and only heavy loss is answered', async t => {
  const competition = new Competition(instant(0))
  const path = {}
  competition.join(path, 300_000, instant(0))
  const through = (from: number, rounds: number) => {
    for (let i = from; i < from + rounds; i++) competition.onRound(path, OVERFLOW, instant(i * ROUND_TRIP))
  }
  through(1, 19)
  t.ok(competition.windowOf(path) < 100_000, 'every loss is answered at first')
  through(20, 1)
  t.ok(competition.windowOf(path) >= 0.7 * 300_000, 'what that cost comes back')
  const before = competition.windowOf(path)
  competition.onLossBefore(instant(21 * ROUND_TRIP))
  t.equal(competition.windowOf(path), before, 'a loss before is none of ours')
})

t.test('heavy loss is answered though its runs merge, and though someone answers none', async t => {
  const competition = new Competition(instant(0))
  const path = {}
  competition.join(path, 300_000, instant(0))
  competition.onRound(path, { ...OVERFLOW, lost: 0, overflowed: false, isProbed: true }, instant(ROUND_TRIP))
  const before = competition.windowOf(path)
  const heavy = { ...OVERFLOW, received: 20, lost: 20, overflowed: false }
  for (let i = 2; i < 16; i++) competition.onRound(path, heavy, instant(i * 60))
  t.ok(competition.windowOf(path) < 0.8 * before, `${competition.windowOf(path)} of ${before}`)
})

t.test('in the background no window is given back', async t => {
  const competition = new Competition(instant(0), true)
  const path = {}
  competition.join(path, 300_000, instant(0))
  let least = Infinity
  for (let i = 1; i < 60; i++) {
    competition.onRound(path, OVERFLOW, instant(i * ROUND_TRIP))
    t.ok(competition.windowOf(path) <= least, `round ${i}`)
    least = competition.windowOf(path)
  }
})

t.test('who competes again soon was not alone, and looks for it later', async t => {
  const competition = new Competition(instant(0))
  const path = {}
  const full = { ...OVERFLOW, lost: 0, overflowed: false }
  /** @returns how long after joining it is tested whether we are alone */
  const testedAfter = (from: number) => {
    competition.join(path, 300_000, instant(from))
    for (let now = from; now < from + 20_000; now += 100) {
      competition.onRound(path, full, instant(now))
      if (competition.gain < 1) return now - from
    }
    return Infinity
  }
  t.equal(testedAfter(0), 2_000)
  competition.onDelay(path, 0, true, ROUND_TRIP, instant(2_200))
  t.equal(competition.has(path), false, 'the queue went away')
  t.equal(testedAfter(3_000), 4_000)
  competition.onDelay(path, 0, true, ROUND_TRIP, instant(7_200))
  t.equal(testedAfter(20_000), 2_000, 'alone for long')
})
