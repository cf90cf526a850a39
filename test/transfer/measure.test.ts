// What one path measures and how fast it lets itself be: pacer.ts, minimum.ts, round-trip.ts, loss.ts,
// delivery-rate.ts, and congestion.ts by way of path.ts.
import fc from 'fast-check'
import t from 'tap'
import { SeededRandom } from '../../src/sim/random.js'
import { Competition } from '../../src/transfer/competition.js'
import { DeliveryRate } from '../../src/transfer/delivery-rate.js'
import { Hurry } from '../../src/transfer/hurry.js'
import { LossDetector } from '../../src/transfer/loss.js'
import { WindowedMinimum } from '../../src/transfer/minimum.js'
import { Pacer } from '../../src/transfer/pacer.js'
import { Path } from '../../src/transfer/path.js'
import { RoundTrip } from '../../src/transfer/round-trip.js'
import { Train } from '../../src/transfer/train.js'
import { type Instant, instant, ms, NEVER } from '../../src/units.js'
import { holds } from './holds.js'

/** Octets of an IP datagram in these tests. */
const DATAGRAM = 1_500
/** What the loss detector remembers. */
const REMEMBERED = 1 << 17
/** Octets a millisecond. */
const mbit = (n: number) => n * 125

t.test('a pacer keeps any rate over fractions of datagrams and milliseconds', async t => {
  for (const rate of [8, 13.7, 125, 1_234.567, 12_500, 125_000]) {
    const pacer = new Pacer()
    const first = instant(1_000.25)
    pacer.setRate(rate, first)
    let now = first
    let octets = 0
    const size = 1_472
    for (let sent = 0; sent < 3_000; sent++) {
      while (!pacer.canSend(now)) now = instant(Math.max(now, pacer.nextAt()))
      pacer.spend(size)
      octets += size
    }
    const time = now - first
    // What may be ahead of the rate: the first allowance and the debt of one datagram; behind it: what is waited for together.
    const ahead = octets - rate * time
    t.ok(ahead > -1 - 0.25 * rate && ahead <= Math.max(3_000, 4 * rate) + size, `${rate} octets a ms: ${ahead} ahead`)
  }
})

t.test('a PULL that asks for much less does not wait', async t => {
  const hurry = new Hurry()
  hurry.onSent(1_000)
  t.equal(hurry.isWanted(610, 90, 0), false)
  t.equal(hurry.isWanted(590, 90, 0), true)
  t.equal(hurry.isWanted(3_000, 90, 0), false, 'more can wait')
  hurry.onArrivals(30)
  t.equal(hurry.isWanted(1_000, 90, 0.2), false)
  t.equal(hurry.isWanted(1_000, 90, 0.25), true, 'a third of the window came')
  hurry.onSent(500)
  t.equal(hurry.isWanted(500, 90, 1), false)
})

t.test('a pacer kept from sending catches up with a few milliseconds at most', async t => {
  holds(
    t,
    fc.property(
      fc.double({ min: 1, max: 100_000, noNaN: true }),
      fc.array(fc.double({ min: 0, max: 5_000, noNaN: true }), { maxLength: 20 }),
      (rate, stalls) => {
        const pacer = new Pacer()
        let now = instant(5)
        pacer.setRate(rate, now)
        for (const stall of stalls) {
          now = instant(now + stall)
          let burst = 0
          while (pacer.canSend(now)) {
            pacer.spend(DATAGRAM)
            burst += DATAGRAM
          }
          if (burst > Math.max(3_000, 4 * rate) + DATAGRAM) return false
        }
        return !pacer.canSend(now) === pacer.nextAt() > now
      },
    ),
  )
})

t.test('a pacer told so sends no more than a millisecond of its rate at once, and catches up all the same', async t => {
  for (const rate of [100, 1_000, 6_249, 12_500, 500_000]) {
    const pacer = new Pacer(undefined, 1)
    let now = instant(5)
    pacer.setRate(rate, now)
    const most = (rate < 6_250 ? 3_000 : rate) + DATAGRAM
    let total = 0
    // It stands still for three milliseconds, again and again, between which it has time to make up for that.
    for (let i = 0; i < 400; i++) {
      let burst = 0
      while (pacer.canSend(now)) {
        pacer.spend(DATAGRAM)
        burst += DATAGRAM
      }
      t.ok(burst <= most, `${burst} octets at once at ${rate} octets a ms`)
      total += burst
      now = instant(i % 20 === 19 ? now + 3 : pacer.nextAt())
    }
    const due = rate * (now - 5)
    t.ok(total > due - Math.max(4 * rate, 3_000) && total < due + 3_000 + DATAGRAM, `${total} of ${due} octets`)
  }
})

t.test('a pacer knows how many datagrams may go at once', async t => {
  for (const burst of [undefined, 1]) {
    const pacer = new Pacer(undefined, burst)
    let now = instant(5)
    for (const rate of [100, 1_000, 6_249, 12_500, 500_000]) {
      pacer.setRate(rate, now)
      for (const pause of [0.1, 0.7, 3, 20]) {
        now = instant(Math.max(now, pacer.nextAt()) + pause)
        t.ok(pacer.canSend(now))
        const worth = pacer.worth(DATAGRAM, now)
        let sent = 0
        for (; pacer.canSend(now); sent++) pacer.spend(DATAGRAM)
        t.equal(worth, sent, `${rate} octets a ms, ${pause} ms late`)
      }
    }
  }
  const beginner = new Pacer({ count: 3, octets: 10 * DATAGRAM })
  beginner.setRate(1_500, instant(5))
  t.ok(beginner.canSend(instant(5)))
  t.equal(beginner.worth(DATAGRAM, instant(5)), 1, 'trains end by themselves')
})

t.test('a pacer without a rate waits for one', async t => {
  const pacer = new Pacer()
  t.equal(pacer.canSend(instant(1)), false)
  t.equal(pacer.nextAt(), NEVER)
  pacer.setRate(100, instant(1))
  t.ok(pacer.canSend(instant(1)))
  pacer.setRate(0, instant(2))
  t.notOk(pacer.canSend(instant(9_999)))
  t.equal(pacer.nextAt(), NEVER)
})

t.test('a pacer may begin with trains, at the rate that it is given', async t => {
  const pacer = new Pacer({ count: 3, octets: 10 * DATAGRAM })
  let now = instant(5)
  pacer.setRate(1_500, now)
  const bursts: (readonly [number, number])[] = []
  for (let i = 0; i < 6; i++) {
    let sent = 0
    for (; pacer.canSend(now); sent++) pacer.spend(DATAGRAM)
    bursts.push([Math.round(now), sent])
    now = pacer.nextAt()
  }
  t.strictSame(bursts, [
    [5, 10],
    [15, 10],
    [25, 10],
    [25, 1],
    [26, 1],
    [27, 1],
  ])
})

t.test('a train tells the rate of the link that stretched it', async t => {
  /** Sixteen datagrams sent at once, `gap` ms apart when they come, read at most each `every` ms. */
  const seen = (gap: number, every: number, missing: readonly number[] = []) => {
    const train = new Train()
    const told: number[] = []
    for (let sequence = 1; sequence <= 20; sequence++) {
      if (missing.includes(sequence)) continue
      const came = instant(1_000 + Math.ceil((gap * sequence) / every) * every)
      // What follows the train is paced; its stamps wrap around meanwhile.
      const sent = sequence <= 16 ? 0xffff_fff0 : 2_000 * sequence
      const rate = train.onArrival(sequence, sent, DATAGRAM, came)
      if (rate !== undefined) told.push(rate)
    }
    return told
  }
  const [exact, ...more] = seen(1.2, 0.001)
  t.ok(Math.abs(exact! / (DATAGRAM / 1.2) - 1) < 0.01, `${exact}`)
  t.strictSame(more, [], 'it tells so once')
  t.ok(Math.abs(seen(1.2, 2)[0]! / (DATAGRAM / 1.2) - 1) < 0.2, 'read in pairs')
  t.ok(Math.abs(seen(1.2, 0.001, [3, 4, 16])[0]! / (DATAGRAM / 1.2) - 1) < 0.2, 'with losses')
  t.strictSame(seen(0.012, 0.1), [], 'two reads say how fast we read')
  t.strictSame(seen(1.2, 0.001, [1, 2, 3, 4, 5, 6, 7]), [], 'nine datagrams are no train')
})

t.test('of several trains each is told that came faster than those before', async t => {
  /** Trains of sixteen, each with another gap between what came of it, in milliseconds. */
  const seen = (gaps: readonly number[]) => {
    const train = new Train()
    let [sequence, now] = [0, 1_000]
    return gaps.map(gap => {
      let told: number | undefined
      now += 10
      for (let i = 0; i < 16; i++) {
        now += gap
        const rate = train.onArrival(++sequence, gaps.indexOf(gap) * 5_000, DATAGRAM, instant(now))
        if (rate !== undefined) told = rate
      }
      return told === undefined ? undefined : DATAGRAM / told
    })
  }
  const isNear = (found: number | undefined, gap: number) => Math.abs((found ?? 0) / gap - 1) < 0.01
  const [slow, slower, fast, same, faster] = seen([0.3, 0.5, 0.15, 0.145, 0.12])
  t.ok(isNear(slow, 0.3) && isNear(fast, 0.15) && isNear(faster, 0.12))
  t.strictSame([slower, same], [undefined, undefined])
  t.equal(seen(Array.from({ length: 13 }, (_, i) => 1 / (1 + i)))[12], undefined, 'what comes later is paced')
})

t.test('a peer that jumps ahead in its numbers brings the credit to the last there is, and no further', async t => {
  const path = pathOf(20, () => 0.5)
  for (let jumps = 0; jumps < 2 ** 21; jumps++) {
    const credit = path.extendCredit(64)
    if (path.onArrival(Math.min(0xffff_ffff, credit + 4_096), 0, 0, 0, 22, false, instant(jumps)) !== 'new') break
  }
  t.equal(path.extendCredit(64), 0xffff_ffff)
})

t.test('a train that its sender spaced tells nothing', async t => {
  const train = new Train()
  for (let sequence = 1; sequence <= 20; sequence++) {
    const at = 1_000 + sequence
    t.equal(train.onArrival(sequence, at * 1_000, DATAGRAM, instant(at)), undefined)
  }
})

t.test('a windowed minimum forgets after its span and not before half of it', async t => {
  holds(
    t,
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 0, max: 50 })), { minLength: 1 }),
      updates => {
        const filter = new WindowedMinimum(1_000)
        const seen: { at: number; value: number }[] = []
        let now = 0
        for (const [gap, value] of updates) {
          now += gap
          filter.update(value, instant(now))
          seen.push({ at: now, value })
          const least = (span: number) =>
            Math.min(...seen.filter(({ at }) => at > now - span).map(update => update.value))
          if (filter.value < least(1_500) || filter.value > least(500)) return false
        }
        return true
      },
    ),
  )
  t.equal(new WindowedMinimum(10).value, Infinity)
})

t.test('a round trip begins with a guess, takes the first sample whole and then follows slowly', async t => {
  const roundTrip = new RoundTrip(30)
  t.equal(roundTrip.smoothed, 30)
  t.equal(roundTrip.minimum, 30)
  t.notOk(roundTrip.hasSample)
  roundTrip.sample(ms(80), instant(1))
  t.ok(roundTrip.hasSample)
  t.equal(roundTrip.smoothed, 80)
  t.equal(roundTrip.timeout, 80 + 4 * 40)
  roundTrip.sample(ms(160), instant(2))
  t.equal(roundTrip.smoothed, 90)
  t.equal(roundTrip.minimum, 80)
  roundTrip.sample(ms(-1), instant(3))
  roundTrip.sample(ms(Number.NaN), instant(3))
  t.equal(roundTrip.smoothed, 90)
})

t.test('a round trip that settled has a time-out a little above it, and a least that is never 0', async t => {
  const roundTrip = new RoundTrip()
  for (let i = 0; i < 200; i++) roundTrip.sample(ms(50), instant(i * 50))
  t.ok(roundTrip.timeout >= 52 && roundTrip.timeout < 60, `${roundTrip.timeout}`)
  for (let i = 0; i < 300; i++) roundTrip.sample(ms(0), instant(10_000 + i * 100))
  t.ok(roundTrip.minimum > 0)
  t.ok(roundTrip.timeout >= 2)
})

t.test('the least round trip forgets a route that is no more', async t => {
  const roundTrip = new RoundTrip()
  for (let at = 0; at < 1_000; at += 100) roundTrip.sample(ms(10), instant(at))
  for (let at = 1_000; at < 17_000; at += 100) roundTrip.sample(ms(40), instant(at))
  t.equal(roundTrip.minimum, 40)
})

t.test('a gap is lost when something later came a reordering window ago, and not before', async t => {
  const loss = new LossDetector()
  for (const sequence of [1, 2, 5]) t.equal(loss.onArrival(sequence), 'new')
  loss.checkpoint(instant(100))
  t.equal(loss.advance(instant(104), 40), 0)
  t.equal(loss.horizon, 0)
  t.equal(loss.advance(instant(105), 40), 2)
  t.equal(loss.horizon, 5)
  t.equal(loss.lost, 2)
  t.equal(loss.onArrival(5), 'duplicate')
})

t.test('what arrives after it was given up is taken back and widens the window, up to one round trip', async t => {
  const loss = new LossDetector()
  let now = 0
  let window = 0
  for (let sequence = 1; sequence < 60; sequence += 2) {
    // Each pair arrives the wrong way round, the first after it was given up.
    loss.onArrival(sequence + 1)
    loss.checkpoint(instant(now))
    window = 0
    while (loss.horizon < sequence + 1) loss.advance(instant(now + ++window), 80)
    t.equal(loss.lost, 1)
    t.equal(loss.onArrival(sequence), 'late')
    t.equal(loss.lost, 0)
    now += 1_000
  }
  t.equal(loss.spurious, 30)
  t.equal(window, 80)
})

t.test('more wake-ups than are remembered delay a loss and lose nothing', async t => {
  const loss = new LossDetector()
  let now = 0
  for (let sequence = 2; sequence <= 2_000; sequence += 2) {
    loss.onArrival(sequence)
    loss.checkpoint(instant(now))
    now += 0.01
  }
  loss.advance(instant(now + 200), 100)
  t.equal(loss.horizon, 2_000)
  t.equal(loss.lost, 1_000)
})

t.test('a jump beyond the memory makes old numbers duplicates and breaks nothing', async t => {
  const loss = new LossDetector()
  loss.onArrival(1)
  loss.checkpoint(instant(0))
  const far = 3 * REMEMBERED + 5
  t.equal(loss.onArrival(far), 'new')
  loss.checkpoint(instant(1))
  t.equal(loss.onArrival(2), 'duplicate')
  t.equal(loss.onArrival(far - REMEMBERED), 'duplicate')
  t.equal(loss.onArrival(far - REMEMBERED + 1), 'new')
  loss.advance(instant(1_000), 10)
  t.equal(loss.horizon, far)
  t.ok(loss.lost > 2 * REMEMBERED && loss.lost < far, `${loss.lost}`)
  t.equal(loss.received, 3)
})

t.test('loss detection agrees with a list of all that came', async t => {
  const wakeUps = fc.array(
    fc.record({
      wait: fc.double({ min: 0, max: 30, noNaN: true }),
      /** Each is relative to the largest: most are the next, some are late, some far ahead. */
      steps: fc.array(
        fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 3 }) }, fc.integer({ min: -40, max: 40 })),
        { maxLength: 10 },
      ),
    }),
    { maxLength: 60 },
  )
  holds(
    t,
    fc.property(wakeUps, fc.double({ min: 0.05, max: 100, noNaN: true }), (wakeUps, roundTrip): boolean => {
      const loss = new LossDetector()
      const came = new Set<number>()
      const tops: { largest: number; at: number }[] = []
      let now = 0
      for (const { wait, steps } of wakeUps) {
        now += wait
        for (const step of steps) {
          const sequence = Math.max(1, loss.largest + step)
          const expected = came.has(sequence) ? 'duplicate' : sequence <= loss.horizon ? 'late' : 'new'
          if (loss.onArrival(sequence) !== expected) return false
          came.add(sequence)
        }
        if (steps.length > 0) {
          loss.checkpoint(instant(now))
          if (tops.at(-1)?.largest !== loss.largest) tops.push({ largest: loss.largest, at: now })
        }
        const before = loss.horizon
        loss.advance(instant(now), roundTrip)
        const decidedAfter = (window: number) =>
          Math.max(0, ...tops.filter(top => now - top.at >= window).map(top => top.largest))
        if (loss.horizon < Math.max(before, decidedAfter(Math.max(1, roundTrip)))) return false
        if (loss.horizon > Math.max(before, decidedAfter(Math.max(1, roundTrip / 8)))) return false
        let missing = 0
        for (let sequence = 1; sequence <= loss.horizon; sequence++) if (!came.has(sequence)) missing++
        if (loss.lost !== missing) return false
        if (loss.received !== came.size || loss.largest !== Math.max(0, ...came)) return false
      }
      return true
    }),
  )
})

t.test('a delivery rate is that of paced arrivals', async t => {
  for (const rate of [mbit(1), mbit(20), mbit(400)]) {
    const samples = arrivals({ rate, count: 2_000 }).map(sample => sample.rate)
    t.ok(samples.length > 3)
    for (const sample of samples) t.ok(isNear(sample, rate, 0.1), `${sample} for ${rate}`)
  }
})

t.test('arrivals in batches and after a stall do not make a link look faster', async t => {
  const rate = mbit(20)
  for (const batchEvery of [5, 30, 200]) {
    const samples = arrivals({ rate, count: 4_000, batchEvery }).map(sample => sample.rate)
    t.ok(samples.length > 3)
    t.ok(
      samples.every(sample => sample < 1.15 * rate),
      `every ${batchEvery} ms: ${Math.max(...samples)}`,
    )
    const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length
    t.ok(isNear(mean, rate, 0.15), `every ${batchEvery} ms: ${mean}`)
  }
})

t.test('losses up to the floor count as delivered, further ones do not', async t => {
  const rate = mbit(50)
  const mean = (floor: number) => {
    const samples = arrivals({ rate, count: 20_000, loss: 0.2, floor })
    return samples.reduce((sum, sample) => sum + sample.rate, 0) / samples.length
  }
  t.ok(isNear(mean(0), 0.8 * rate, 0.05), `${mean(0) / rate}`)
  t.ok(isNear(mean(0.2), rate, 0.07), `${mean(0.2) / rate}`)
  t.ok(mean(0.05) < 0.97 * rate, `${mean(0.05) / rate}`)
})

t.test('what waits in the socket belongs to the sample under way', async t => {
  const rate = new DeliveryRate()
  // A datagram a millisecond, and none for 40 ms, because we were busy: of the 40, 32 are read at once.
  let sequence = 0
  const read = (count: number, now: number, hasMore: boolean) => {
    for (let i = 0; i < count; i++) rate.onArrival(++sequence, 0, DATAGRAM, false, instant(now))
    return rate.sample(instant(now), 40, 0, hasMore)?.rate
  }
  for (let now = 1; now <= 20; now++) read(1, now, false)
  t.equal(read(32, 60, true), undefined)
  const told = read(8, 60.5, false)
  t.ok(told !== undefined && Math.abs(told / DATAGRAM - 1) < 0.15, `${told}`)
})

t.test('a sample says if the sender lacked data in it', async t => {
  const delivery = new DeliveryRate()
  for (let i = 0; i < 200; i++) delivery.onArrival(i + 1, i * 1_000, DATAGRAM, i === 60, instant(i))
  t.equal(delivery.sample(instant(200), 20, 0)?.appLimited, true)
  for (let i = 200; i < 400; i++) delivery.onArrival(i + 1, i * 1_000, DATAGRAM, false, instant(i))
  t.equal(delivery.sample(instant(400), 20, 0)?.appLimited, false)
  t.equal(delivery.sample(instant(400), 20, 0), undefined)
})

for (const loss of [0, 0.05, 0.2]) {
  t.test(`a rate reaches its link within 10 s at ${loss * 100} % random loss`, async t => {
    for (const { rate, roundTrip } of [
      { rate: mbit(10), roundTrip: 40 },
      { rate: mbit(100), roundTrip: 20 },
      { rate: mbit(100), roundTrip: 100 },
      { rate: mbit(400), roundTrip: 10 },
    ]) {
      const link = new Link({ rate, roundTrip, loss, seed: 7 })
      link.run(10_000)
      const what = `${rate / 125} Mbit/s, ${roundTrip} ms`
      t.ok(isNear(link.bandwidth, rate, 0.15), `${what}: ${link.bandwidth / 125} Mbit/s`)
      const { delivered, floor } = link.watch(5_000)
      t.ok(delivered >= 0.85 * rate * (1 - loss), `${what}: ${delivered / 125} Mbit/s delivered`)
      if (loss === 0) t.ok(floor <= 0.01, `${what}: floor ${floor}`)
      else t.ok(isNear(floor, loss, 0.25), `${what}: floor ${floor}`)
      t.ok(link.estimatesAreSound, what)
    }
  })
}

t.test(
  'a rate halves at least within 3 s when its link goes from 100 to 20 Mbit/s, and keeps the queue short',
  async t => {
    for (const loss of [0, 0.05]) {
      const link = new Link({ rate: mbit(100), roundTrip: 30, loss, seed: 3 })
      link.run(8_000)
      link.rate = mbit(20)
      link.run(3_000)
      t.ok(link.bandwidth <= mbit(50), `${link.bandwidth / 125} Mbit/s at ${loss}`)
      link.run(7_000)
      t.ok(isNear(link.bandwidth, mbit(20), 0.3), `${link.bandwidth / 125} Mbit/s at ${loss}`)
      t.ok(link.estimatesAreSound)
    }
  },
)

t.test('a rate finds the room when its link goes from 20 to 100 Mbit/s', async t => {
  const link = new Link({ rate: mbit(20), roundTrip: 30, loss: 0, seed: 5 })
  link.run(5_000)
  link.rate = mbit(100)
  link.run(20_000)
  t.ok(link.bandwidth >= mbit(80), `${link.bandwidth / 125} Mbit/s`)
})

t.test('whatever stamps come, estimates stay finite and positive', async t => {
  const u16 = fc.oneof(fc.constantFrom(0, 1, 0xffff), fc.integer({ min: 0, max: 0xffff }))
  const u32 = fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff), fc.integer({ min: 0, max: 0xffff_ffff }))
  const arrival = fc.record({
    ahead: fc.oneof(fc.integer({ min: -20, max: 40 }), fc.integer({ min: 0, max: 5_000 })),
    sentAt: u32,
    echo: u16,
    hold: u16,
    octets: fc.integer({ min: 22, max: 65_507 }),
    appLimited: fc.boolean(),
    wait: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 3_000, noNaN: true })),
    pulls: fc.boolean(),
    mayProbe: fc.boolean(),
  })
  holds(
    t,
    fc.property(fc.array(arrival, { maxLength: 200 }), arrivals => {
      const path = pathOf(20, () => 0.5)
      let now: Instant = instant(1)
      for (const { ahead, sentAt, echo, hold, octets, appLimited, wait, pulls, mayProbe } of arrivals) {
        now = instant(now + wait)
        if (pulls) {
          path.onPullSent(now)
          path.credit = path.loss.largest + path.windowDatagrams(1_000)
        }
        path.onArrival(Math.max(1, path.loss.largest + ahead), sentAt, echo, hold, octets, appLimited, now)
        path.endBatch(now, mayProbe)
        if (!isSound(path)) return false
      }
      return true
    }),
  )
})

interface LinkOptions {
  /** Octets a millisecond. */
  readonly rate: number
  /** Milliseconds without a queue. */
  readonly roundTrip: number
  readonly loss: number
  readonly seed: number
}

interface Flight {
  readonly at: number
  readonly sequence: number
  readonly sentAt: number
  readonly echo: number
  readonly hold: number
}

/** A path over one link with a queue of 100 ms, and a peer that always has data, in ticks of a quarter of a millisecond. */
class Link {
  rate: number
  readonly path: Path
  estimatesAreSound = true
  readonly #roundTrip: number
  readonly #loss: number
  readonly #random: SeededRandom
  readonly #pacer = new Pacer()
  #now: Instant = instant(0)
  #pulls: { readonly at: number; readonly number: number; readonly rate: number; readonly credit: number }[] = []
  #flights: Flight[] = []
  #landed = 0
  #newestPull = 0
  #pulledAt = 0
  #credit = 0
  #sequence = 0
  #busyUntil = 0

  constructor({ rate, roundTrip, loss, seed }: LinkOptions) {
    this.rate = rate
    this.#roundTrip = roundTrip
    this.#loss = loss
    this.#random = new SeededRandom(seed, 'link')
    this.path = pathOf(roundTrip, () => this.#random.uniform())
  }

  get bandwidth(): number {
    return this.path.congestion.bandwidth
  }

  run(time: number): void {
    const end = this.#now + time
    while (this.#now < end) this.#tick()
  }

  /** Runs on. @returns octets a millisecond that came, and the mean of the floor */
  watch(time: number): { delivered: number; floor: number } {
    const [start, before] = [this.#now, this.path.loss.received]
    let [floors, ticks] = [0, 0]
    for (; this.#now < start + time; ticks++) {
      this.#tick()
      floors += this.path.congestion.floor
    }
    const delivered = ((this.path.loss.received - before) * DATAGRAM) / (this.#now - start)
    return { delivered, floor: floors / ticks }
  }

  #tick(): void {
    this.#now = instant(this.#now + 0.25)
    this.#receive()
    const { path } = this
    const window = path.windowDatagrams(2_000)
    if (path.pullDueAt() <= this.#now || path.isPullEarly(this.#now, window)) {
      path.credit = Math.max(path.credit, path.loss.largest + window)
      const number = path.onPullSent(this.#now)
      const at = this.#now + this.#roundTrip / 2
      this.#pulls.push({ at, number, rate: path.congestion.pacingRate, credit: path.credit })
    }
    this.#send()
  }

  #receive(): void {
    let came = 0
    for (; this.#flights[this.#landed] && this.#flights[this.#landed]!.at <= this.#now; this.#landed++, came++) {
      const { sequence, sentAt, echo, hold } = this.#flights[this.#landed]!
      this.path.onArrival(sequence, sentAt, echo & 0xffff, hold, DATAGRAM - 28, false, this.#now)
    }
    if (this.#landed > 10_000) {
      this.#flights = this.#flights.slice(this.#landed)
      this.#landed = 0
    }
    if (came > 0) this.path.endBatch(this.#now, true)
    if (!isSound(this.path)) this.estimatesAreSound = false
  }

  #send(): void {
    for (let pull = this.#pulls[0]; pull !== undefined && pull.at <= this.#now; pull = this.#pulls[0]) {
      this.#pulls.shift()
      this.#newestPull = pull.number
      this.#pulledAt = pull.at
      this.#credit = Math.max(this.#credit, pull.credit)
      this.#pacer.setRate(pull.rate, this.#now)
    }
    while (this.#sequence < this.#credit && this.#pacer.canSend(this.#now)) {
      this.#pacer.spend(DATAGRAM)
      this.#sequence++
      const start = Math.max(this.#now, this.#busyUntil)
      if (start - this.#now > 100) continue
      this.#busyUntil = start + DATAGRAM / this.rate
      if (this.#random.chance(this.#loss)) continue
      const hold = Math.min(0xffff, Math.round(((this.#now - this.#pulledAt) * 1_000) / 16))
      const at = this.#busyUntil + this.#roundTrip / 2
      const sentAt = Math.round(this.#now * 1_000) >>> 0
      this.#flights.push({ at, sequence: this.#sequence, sentAt, echo: this.#newestPull, hold })
    }
  }
}

function pathOf(roundTrip: number, chance: () => number): Path {
  const endpoint = { address: '10.0.0.1', port: 4_000 }
  const chunkSize = DATAGRAM - 56
  const competition = new Competition(instant(0))
  return new Path(
    { endpoint, number: 4, session: 1n, roundTrip, chunkSize, datagramMax: 0, chance, competition },
    instant(0),
  )
}

function isSound(path: Path): boolean {
  const { bandwidth, pacingRate, floor } = path.congestion
  const sizes = [bandwidth, pacingRate, path.rate, path.target, path.cadence, path.windowDatagrams(100)]
  return sizes.every(n => Number.isFinite(n) && n > 0) && floor >= 0 && floor < 1
}

interface Arrivals {
  /** Octets a millisecond at which they were sent and came. */
  readonly rate: number
  readonly count: number
  /** They are read together once in so many milliseconds. */
  readonly batchEvery?: number
  readonly loss?: number
  readonly floor?: number
}

/** Samples of datagrams that came over a link of that rate and 20 ms. */
function arrivals({ rate, count, batchEvery = 0.1, loss = 0, floor = 0 }: Arrivals) {
  const delivery = new DeliveryRate()
  const random = new SeededRandom(1)
  const samples: { rate: number; appLimited: boolean }[] = []
  let wakeUp = batchEvery
  for (let i = 0; i < count; i++) {
    const sent = (i * DATAGRAM) / rate
    while (sent > wakeUp) {
      const sample = delivery.sample(instant(wakeUp), 20, floor)
      if (sample !== undefined) samples.push(sample)
      wakeUp += batchEvery
    }
    if (!random.chance(loss)) delivery.onArrival(i + 1, Math.round(sent * 1_000), DATAGRAM, false, instant(wakeUp))
  }
  return samples
}

function isNear(value: number, expected: number, tolerance: number): boolean {
  return Math.abs(value - expected) <= tolerance * expected
}
