import t from 'tap'
import { HARM, IP_UDP_BYTES, Link, type LinkSettings } from '../../src/sim/link.js'
import { SeededRandom } from '../../src/sim/random.js'
import { instant, ms } from '../../src/units.js'

t.test('a link without faults delivers at once and whole', async t => {
  const link = linkWith({})
  t.equal(link.carry(instant(5), 1_400), 1)
  t.equal(link.arrivals[0], 5)
  t.equal(link.harms[0], HARM.NONE)
})

t.test('a link of 8 Mbit/s takes one millisecond for 1000 octets of IP, each after the one before', async t => {
  const link = linkWith({ rate: 8, delay: ms(10) })
  const arrivals = [0, 0, 0].map(() => {
    link.carry(instant(0), 1_000 - IP_UDP_BYTES)
    return link.arrivals[0]!
  })
  t.strictSame(arrivals, [11, 12, 13])
  link.carry(instant(100), 1_000 - IP_UDP_BYTES)
  t.equal(link.arrivals[0], 111, 'an idle link has saved nothing up')
})

t.test('the queue holds its octets and drops what does not fit', async t => {
  const link = linkWith({ rate: 8, queue: 3_000 })
  const copies = Array.from({ length: 5 }, () => link.carry(instant(0), 1_000 - IP_UDP_BYTES))
  t.strictSame(copies, [1, 1, 1, 0, 0])
  t.equal(link.counters.queueFull, 2)
  t.equal(link.fate, 'queueFull')
  t.equal(link.carry(instant(1), 1_000 - IP_UDP_BYTES), 1, 'one has left by then')
})

t.test('random loss is the share asked for, each by itself', async t => {
  const { share, meanRun } = lossesOf(linkWith({ loss: 0.1 }))
  t.ok(Math.abs(share - 0.1) < 0.005, `${share}`)
  t.ok(Math.abs(meanRun - 1 / 0.9) < 0.05, `${meanRun}`)
})

t.test('burst loss is the same share in runs of the length asked for', async t => {
  const { share, meanRun } = lossesOf(linkWith({ loss: 0.1, burst: 5 }))
  t.ok(Math.abs(share - 0.1) < 0.01, `${share}`)
  t.ok(Math.abs(meanRun - 5) < 0.3, `${meanRun}`)
})

t.test('a sparse flow has the same share of losses, each by itself', async t => {
  const { share, meanRun } = lossesOf(linkWith({ loss: 0.1, burst: 5 }), 1_000)
  t.ok(Math.abs(share - 0.1) < 0.01, `${share}`)
  t.ok(Math.abs(meanRun - 1 / 0.9) < 0.05, `${meanRun}`)
})

t.test('all is lost at a loss of 1, in bursts too', async t => {
  t.equal(lossesOf(linkWith({ loss: 1, burst: 3 })).share, 1)
})

t.test('jitter reorders, and stays within its bound', async t => {
  const link = linkWith({ delay: ms(20), jitter: ms(5) })
  const arrivals = manyTimes(1_000, i => {
    link.carry(instant(i), 100)
    return link.arrivals[0]! - i
  })
  t.ok(arrivals.every(delay => delay >= 20 && delay < 25))
  t.ok(arrivals.some((delay, i) => i > 0 && delay + i < arrivals[i - 1]! + i - 1))
})

t.test('reordering holds back the share asked for by its delay', async t => {
  const link = linkWith({ reordering: 0.2, reorderDelay: ms(7) })
  const held = manyTimes(10_000, () => {
    link.carry(instant(0), 100)
    return link.arrivals[0]! === 7 ? 1 : 0
  })
  t.ok(Math.abs(mean(held) - 0.2) < 0.02)
  t.equal(link.counters.heldBack, held.filter(Boolean).length)
})

t.test('duplication makes two copies, of which at most the first is harmed', async t => {
  const link = linkWith({ duplication: 0.3, truncation: 1 })
  const copies = manyTimes(10_000, () => link.carry(instant(0), 100))
  t.ok(Math.abs(mean(copies) - 1.3) < 0.02)
  t.equal(link.harms[0], HARM.CUT)
  t.equal(link.harms[1], HARM.NONE)
})

t.test('a corrupted datagram is lost but for the share that the checksum misses', async t => {
  const link = linkWith({ corruption: 1, undetected: 0.25 })
  const copies = manyTimes(10_000, () => link.carry(instant(0), 100))
  t.ok(Math.abs(mean(copies) - 0.25) < 0.02)
  t.equal(link.counters.checksum + link.counters.flipped, 10_000)
})

t.test('an MTU lets a packet of its size pass and swallows larger ones', async t => {
  const link = linkWith({ mtu: 1_400 })
  t.equal(link.carry(instant(0), 1_400 - IP_UDP_BYTES), 1)
  t.equal(link.carry(instant(0), 1_401 - IP_UDP_BYTES), 0)
  t.equal(link.fate, 'tooLarge')
})

t.test('changed settings hold from the next datagram on', async t => {
  const link = linkWith({ rate: 8 })
  link.carry(instant(0), 1_000 - IP_UDP_BYTES)
  link.change({ rate: 16, delay: ms(1) })
  link.carry(instant(0), 1_000 - IP_UDP_BYTES)
  t.equal(link.arrivals[0], 2.5)
  t.equal(link.settings.queue, Infinity, 'what is not named stays')
})

t.test('a seeded generator repeats itself, and its forks do not depend on what was drawn', async t => {
  const [a, b] = [new SeededRandom(1, 'x'), new SeededRandom(1, 'x')]
  const first = a.fork('link').u32()
  t.strictSame(
    manyTimes(5, () => a.u32()),
    manyTimes(5, () => b.u32()),
  )
  t.equal(a.fork('link').u32(), first)
  t.not(new SeededRandom(2, 'x').u32(), new SeededRandom(1, 'x').u32())
  t.not(a.fork('up').u32(), a.fork('down').u32())
})

t.test('a seeded generator is even', async t => {
  const random = new SeededRandom(3)
  t.ok(Math.abs(mean(manyTimes(100_000, () => random.uniform())) - 0.5) < 0.005)
  const counts = [0, 0, 0, 0, 0]
  for (let i = 0; i < 50_000; i++) counts[random.below(5)]!++
  t.ok(
    counts.every(count => Math.abs(count - 10_000) < 400),
    counts.join(),
  )
  t.ok(manyTimes(1_000, () => random.between(3, 4)).every(x => x >= 3 && x < 4))
  t.ok(['a', 'b'].includes(random.pick(['a', 'b'])))
  t.equal(random.octets(7).length, 7)
})

t.test('a certain chance draws nothing', async t => {
  const [a, b] = [new SeededRandom(4), new SeededRandom(4)]
  t.equal(a.chance(0), false)
  t.equal(a.chance(1), true)
  t.equal(a.u32(), b.u32())
})

function linkWith(settings: Partial<LinkSettings>): Link {
  return new Link(new SeededRandom(1, 'link'), settings)
}

/** @param interval milliseconds between two datagrams */
function lossesOf(link: Link, interval = 1): { share: number; meanRun: number } {
  const lost = manyTimes(100_000, i => link.carry(instant(i * interval), 100) === 0)
  const losses = lost.filter(Boolean).length
  const runs = lost.filter((isLost, i) => isLost && !lost[i - 1]).length
  return { share: losses / lost.length, meanRun: losses / runs }
}

function manyTimes<T>(count: number, draw: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => draw(i))
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
