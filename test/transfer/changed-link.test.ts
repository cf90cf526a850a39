// How a path notices that its link carries more, or less, than it did.
import t from 'tap'
import { DeliveryRate } from '../../src/transfer/delivery-rate.js'
import { FullPipe } from '../../src/transfer/full-pipe.js'
import { FullRate } from '../../src/transfer/full-rate.js'
import { Headroom } from '../../src/transfer/headroom.js'
import { Yield } from '../../src/transfer/yield.js'
import { instant } from '../../src/units.js'

const ROUND_TRIP = 40
const TARGET = 2

t.test('a link that was full and has no queue for some rounds carries more', async t => {
  const after = (queues: readonly number[], roundTrip = ROUND_TRIP) => {
    const headroom = new Headroom()
    for (const [i, queue] of queues.entries()) headroom.onRound(queue, TARGET, instant(i * roundTrip))
    return { headroom, isThere: headroom.isThere(instant((queues.length - 1) * roundTrip)) }
  }
  t.equal(after([3, 0.1, 0.2, 0, 0.1]).isThere, true)
  t.equal(after([3, 0.1, 0.2, 0]).isThere, false, 'too few rounds')
  t.equal(after([3, 0.1, 0.2, 1, 0.1]).isThere, false, 'there was a queue')
  t.equal(after([0, 0, 0, 0, 0, 0]).isThere, false, 'it never was full: the sender has no more')
  t.equal(after([3, 0, 0, 0, 0, 0], 4).isThere, false, 'too short a time')
  const { headroom } = after([3, 0, 0, 0, 0])
  headroom.onProbe()
  for (let now = 200; now < 400; now += ROUND_TRIP) headroom.onRound(0, TARGET, instant(now))
  t.equal(headroom.isThere(instant(400)), false, 'a probe has found what there is')
})

t.test('what comes while a long queue stands is what the link carries', async t => {
  const full = new FullRate()
  full.onSample(90_000, 10, false, instant(0))
  t.equal(full.over(ROUND_TRIP, instant(0)), Infinity)
  for (const [now, octets, time] of [
    [10, 20_000, 10],
    [20, 30_000, 10],
    [30, 20_000, 10],
    [50, 55_000, 20],
  ] as const) {
    full.onSample(octets, time, true, instant(now))
  }
  t.equal(full.over(ROUND_TRIP, instant(49)), Infinity, 'not for a round trip yet')
  t.equal(full.over(ROUND_TRIP, instant(50)), 2_500)
  full.onSample(90_000, 10, false, instant(60))
  t.equal(full.over(ROUND_TRIP, instant(200)), Infinity)
})

t.test('a pipe is full when more brings no more', async t => {
  const pipe = new FullPipe()
  pipe.start(100, 90)
  t.equal(pipe.brings(100), false)
  t.equal(pipe.brings(110), true)
  t.equal(pipe.onRound(110, 'up'), false)
  t.equal(pipe.hasGrown, false)
  t.equal(pipe.onRound(120, 'up'), false)
  t.equal(pipe.hasGrown, true)
  t.equal(pipe.onRound(130, 'up'), false)
  t.equal(pipe.onRound(130, 'up'), true, 'two rounds of UP')
  pipe.start(100, 90)
  t.equal(pipe.hasGrown, false)
  const rounds = [120, 120, 120].map(rate => pipe.onRound(rate, 'startup'))
  t.strictSame(rounds, [false, false, true], 'three of STARTUP')
})

t.test('holding back shows when what was sent before has come, however long the queue', async t => {
  // The queue grows to 200 ms before the peer hears of it, and only then shrinks by half a millisecond each ms.
  const queueAt = (now: number) => (now < 240 ? Math.min(200, now) : Math.max(0, 200 - 0.5 * (now - 240)))
  const test = new Yield(0.5, instant(0))
  let stood = false
  for (let now = 0; now <= 500; now += 5) {
    test.onDelay(queueAt(now), ROUND_TRIP, instant(now))
    if (now < 240) t.equal(test.hasBegun, false, `${now} ms`)
    stood ||= test.stands(ROUND_TRIP, instant(now))
  }
  t.equal(test.hasBegun, true)
  t.equal(stood, false)
})

t.test('a link that overflows carried no more than what came, and what chance took of it', async t => {
  const delivery = new DeliveryRate()
  const floor = 0.2
  // Of 1,250 sent in 100 ms the link carries 1,000, of which chance takes a fifth.
  for (let i = 0; i < 800; i++) {
    delivery.onArrival(Math.floor(i * 1.5625) + 1, i * 125, 1_500, false, instant(i / 8))
  }
  const sample = delivery.sample(instant(100), ROUND_TRIP, floor)
  t.ok(sample !== undefined)
  const rate = (sample?.rate ?? 0) / (10 * 1_500)
  t.ok(rate > 0.99 && rate < 1.02, `${rate} of what it carries`)
})

t.test('a short queue that goes away more slowly than ours would is not ours alone', async t => {
  const shrinks = (share: number) => {
    const test = new Yield(0.5, instant(0))
    const queueAt = (now: number) => Math.max(0, 10 - 0.5 * share * Math.max(0, now - ROUND_TRIP - 10))
    let now = 0
    for (; queueAt(now) > 3; now++) test.onDelay(queueAt(now), ROUND_TRIP, instant(now))
    return test.shrinks(instant(now))
  }
  t.equal(shrinks(1), true)
  t.equal(shrinks(0.8), true)
  t.equal(shrinks(0.4), false)
})
