// The rate control beside TCP. Real CUBIC and BBR of the kernel behave as these models do within some tens of per cent;
// bench/README.md says how to measure them.
import t from 'tap'
import { UsageError } from '../../src/errors.js'
import { BESIDE, runBeside } from '../../src/sim/beside.js'
import { FAIR, OPPONENTS, QUEUES, runFair } from '../../src/sim/fair.js'
import { LongTermRate } from '../../src/sim/long-term-rate.js'
import { instant } from '../../src/units.js'

const SECONDS = 40

for (const opponents of OPPONENTS) {
  for (const queue of QUEUES) {
    t.test(`a fair share beside ${opponents.rivals} ${opponents.rival}, queue of ${queue} products`, async t => {
      const { fairness, ours, theirs } = runBeside(1, { ...BESIDE, ...opponents, queue, seconds: SECONDS })
      t.ok(fairness >= FAIR.least && fairness <= FAIR.most, `${fairness.toFixed(2)} of an equal share`)
      t.ok(ours + theirs > 0.9 * BESIDE.rate, `together ${(ours + theirs).toFixed(1)} of ${BESIDE.rate} Mbit/s`)
    })
  }
}

for (const opponents of OPPONENTS) {
  for (const queue of QUEUES) {
    t.test(
      `four peers take one share beside ${opponents.rivals} ${opponents.rival}, queue of ${queue} products`,
      async t => {
        const { fairness } = runBeside(1, { ...BESIDE, ...opponents, peers: 4, queue, seconds: SECONDS })
        t.ok(fairness >= FAIR.least && fairness <= FAIR.most, `${fairness.toFixed(2)} of an equal share`)
      },
    )
  }
}

t.test('four peers leave TCP its share however they begin', async t => {
  for (const seed of [2, 3, 4]) {
    const { fairness } = runBeside(seed, { ...BESIDE, rivals: 4, peers: 4, queue: 0.25, seconds: SECONDS })
    t.ok(fairness <= FAIR.most, `${fairness.toFixed(2)} of an equal share, seed ${seed}`)
  }
})

t.test('four peers leave BBR its share however they begin', async t => {
  for (const seed of [4, 9]) {
    const { fairness } = runBeside(seed, { ...BESIDE, rival: 'bbr', peers: 4, queue: 0.25, seconds: SECONDS })
    t.ok(fairness >= FAIR.least && fairness < 1.5, `${fairness.toFixed(2)} of an equal share, seed ${seed}`)
  }
})

t.test('a collector on a busy computer leaves BBR its share', async t => {
  for (const seed of [1, 3]) {
    const options = { ...BESIDE, rival: 'bbr', queue: 0.25, lateness: 5, seconds: SECONDS } as const
    const { fairness } = runBeside(seed, options)
    t.ok(fairness >= FAIR.least && fairness < 1.4, `${fairness.toFixed(2)} of an equal share, seed ${seed}`)
  }
})

t.test('BBR takes heavy loss for a policer, as the kernel does', async t => {
  /** Rounds of a hundred segments, 40 ms each. @returns the rounds until it holds a rate, and for how many it does */
  const watch = (lost: number) => {
    const watched = new LongTermRate(instant(0))
    let [before, held] = [0, 0]
    for (let round = 1; round <= 100; round++) {
      watched.onAck(100 * round, lost * round, lost > 0, true, true, instant(40 * round))
      if (watched.held !== undefined) held++
      else if (held > 0) break
      else before = round
    }
    return { before, held }
  }
  t.strictSame(watch(15), { before: 100, held: 0 }, 'fifteen of a hundred are no policer')
  t.strictSame(watch(25), { before: 7, held: 48 }, 'after two intervals of four rounds')
})

t.test('who comes late gets a share, too', async t => {
  const { fairness } = runBeside(1, { ...BESIDE, late: 20, seconds: SECONDS })
  t.ok(fairness >= FAIR.least, `${fairness.toFixed(2)} of an equal share`)
})

t.test('in the background the link is left to others, and used when it is free', async t => {
  for (const queue of [1, 4]) {
    const { fairness } = runBeside(1, { ...BESIDE, queue, background: true, seconds: SECONDS })
    t.ok(fairness < 0.3, `${fairness.toFixed(2)} of an equal share, queue of ${queue} products`)
  }
  const { ours } = runBeside(1, { ...BESIDE, rivals: 0, background: true, seconds: 10 })
  t.ok(ours > 0.95 * BESIDE.rate, `${ours.toFixed(1)} of ${BESIDE.rate} Mbit/s alone`)
})

t.test('TCP models share a link among themselves', async t => {
  const { theirs, ours } = runBeside(1, { ...BESIDE, rivals: 4, peers: 1, queue: 1, seconds: SECONDS })
  t.ok(theirs > ours, 'four connections get more than one')
})

t.test('the command prints a row for each cell', async t => {
  const lines: string[] = []
  runFair(['--seconds', '1'], line => lines.push(line))
  t.equal(lines.length, 1 + OPPONENTS.length * QUEUES.length)
  t.match(lines[1], /1 cubic +0\.25 +\d+\.\d +\d+\.\d +\d\.\d\d +\d+\.\d\d % +\d+/)
  for (const argv of [['--peers', '0'], ['--seconds', 'x'], ['--seeds', '-1'], ['--nothing']]) {
    t.throws(() => runFair(argv, () => {}), UsageError, argv.join(' '))
  }
})
