// The rate control over random links, 60 of the seeds that `npm run rate -- --seeds 500` runs. The goals (GOAL in
// rate-run.ts) are for 500 seeds; what is asked here leaves room for the luck of 60, so that only a loss of quality fails.
import t from 'tap'
import { UsageError } from '../../src/errors.js'
import { runRates, summarise } from '../../src/sim/rate.js'
import { GOAL, misses, type RateResult, rateLinkOf, runRate, runSteps } from '../../src/sim/rate-run.js'

const SEEDS = 60
/** Of 500 links four were not within 10 % of the limit when this was written. */
const FAR_MAX = 1
/** None of 500 was. */
const UNDER_HALF_MAX = 0
/** None of 500 had more than three products in flight. */
const CROWDED_MAX = 0
/** Losses of up to this share cost no link of 500 more than 10 %. */
const MODEST_LOSS = 0.15

t.test('after 10 s nearly every random link carries what it can, and none is flooded', async t => {
  const runs = Array.from({ length: SEEDS }, (_, i) => {
    const link = rateLinkOf(i + 1)
    return { seed: i + 1, link, result: runRate(i + 1, link) }
  })
  const seedsWhere = (is: (result: RateResult) => boolean) =>
    runs.filter(({ result }) => is(result)).map(({ seed }) => seed)
  const isFar = ({ share }: RateResult) => Math.abs(1 - share) > GOAL.within
  const atMost = (count: number, seeds: readonly number[], what: string) =>
    t.ok(seeds.length <= count, `${what}: seeds ${seeds.join(', ') || 'none'}; npm run rate -- --seed N --trace`)

  atMost(FAR_MAX, seedsWhere(isFar), 'not within 10 % of the limit')
  atMost(
    UNDER_HALF_MAX,
    seedsWhere(({ share }) => share < GOAL.least),
    'under half of the limit',
  )
  atMost(
    0,
    seedsWhere(({ share }) => share < GOAL.least / 2),
    'under a quarter of the limit',
  )
  atMost(
    CROWDED_MAX,
    seedsWhere(({ inFlight, inFlightMax }) => inFlight > inFlightMax),
    'more than three products in flight',
  )
  atMost(
    0,
    seedsWhere(({ inFlight, inFlightMax }) => inFlight > 1.5 * inFlightMax),
    'more than four and a half products in flight',
  )
  atMost(
    0,
    seedsWhere(({ isSound }) => !isSound),
    'an estimate that is not finite and positive',
  )
  const modest = runs.filter(({ link, result }) => link.loss <= MODEST_LOSS && isFar(result)).map(({ seed }) => seed)
  atMost(0, modest, 'not within 10 % of the limit at up to 15 % loss')
})

t.test('an easy link is used whole, with a short queue', async t => {
  const result = runRate(1, { rate: 50, roundTrip: 30, loss: 0, queue: 1 })
  t.ok(result.share > 0.97 && result.share < 1.01, `${result.share}`)
  t.ok(result.queue < 15, `${result.queue} ms`)
  t.ok(result.overflow < 0.02, `${result.overflow}`)
  t.strictSame(misses(result), [])
})

t.test('a link that gets slower and faster again is used again at once', async t => {
  for (const link of [
    { rate: 100, roundTrip: 40, loss: 0, queue: 1 },
    { rate: 100, roundTrip: 40, loss: 0.01, queue: 0.25 },
    { rate: 50, roundTrip: 10, loss: 0.05, queue: 1 },
  ]) {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const { rate, roundTrip, loss } = link
      const { found, share } = runSteps(seed, link, [rate, rate / 5, rate], 3_000)
      const what = `${rate} Mbit/s, ${roundTrip} ms, loss ${loss}, seed ${seed}: ${found.join(', ')} ms, share ${share.toFixed(3)}`
      t.ok(Math.max(...found) <= 700 && share > 0.92, what)
    }
  }
})

t.test('the same seed gives the same link and the same result', async t => {
  t.strictSame(rateLinkOf(8), rateLinkOf(8))
  t.notSame(rateLinkOf(8), rateLinkOf(9))
  const link = { rate: 3, roundTrip: 20, loss: 0.1, queue: 0.5 }
  t.strictSame(runRate(5, link), runRate(5, link))
})

t.test('links are drawn from all that the goals are for', async t => {
  const links = Array.from({ length: 500 }, (_, i) => rateLinkOf(i))
  const extent = (of: (link: (typeof links)[number]) => number) => [
    Math.min(...links.map(of)),
    Math.max(...links.map(of)),
  ]
  const [slowest, fastest] = extent(link => link.rate) as [number, number]
  t.ok(slowest >= 1 && slowest < 1.2 && fastest > 850 && fastest <= 1_000, `${slowest} to ${fastest} Mbit/s`)
  const [nearest, farthest] = extent(link => link.roundTrip) as [number, number]
  t.ok(nearest >= 1 && nearest < 1.2 && farthest > 250 && farthest <= 300, `${nearest} to ${farthest} ms`)
  const [least, most] = extent(link => link.loss) as [number, number]
  t.ok(least === 0 && most > 0.24 && most <= 0.25, `${least} to ${most}`)
  const [shallow, deep] = extent(link => link.queue) as [number, number]
  t.ok(shallow >= 0.1 && shallow < 0.12 && deep > 3.5 && deep <= 4, `${shallow} to ${deep} products`)
})

t.test('a link that falls short of a goal says which', async t => {
  const good: RateResult = {
    share: 0.95,
    inFlight: 60,
    inFlightEver: 90,
    inFlightMax: 64,
    overflow: 0,
    queue: 2,
    bandwidth: 1,
    floor: 0,
    isSound: true,
  }
  t.strictSame(misses(good), [])
  t.strictSame(misses({ ...good, share: 0.85 }), ['not within 10 %'])
  t.strictSame(misses({ ...good, share: 0.45, inFlight: 65 }), ['under half', 'too much in flight'])
  t.strictSame(misses({ ...good, isSound: false }), ['unsound estimate'])
  const link = { rate: 10, roundTrip: 20, loss: 0.2, queue: 0.2 }
  const rows = summarise([
    { seed: 1, link, result: good },
    { seed: 2, link, result: { ...good, share: 0.4 } },
  ])
  t.match(rows[1], /^all +2 +50\.0 % +50\.0 % +0\.0 % /)
  t.match(
    rows.find(row => row.startsWith('loss to 25 %')),
    / 2 +50\.0 % +50\.0 % /,
  )
})

t.test('the command runs a seed, follows its states, sums up, and refuses what makes no sense', async t => {
  const run = (...argv: string[]) => {
    const lines: string[] = []
    runRates(argv, line => lines.push(line))
    return lines
  }
  const traced = run('--seed', '12', '--trace')
  t.match(traced[0], /startup, bandwidth /)
  t.ok(traced.some(line => / cruise +, /.test(line)))
  t.match(traced.at(-1), /^seed 12: .*replay: npm run rate -- --seed 12 --trace$/)
  const summed = run('--seed', '12', '--seeds', '2')
  t.match(summed.at(-1), /^rate \d+ to \d+ Mbit\/s /)
  t.ok(summed.every(line => !line.includes('NaN')))
  for (const argv of [
    ['--seeds', 'x'],
    ['--seed', '-1'],
    ['--speed', '3'],
  ])
    t.throws(() => run(...argv), UsageError)
})
