// How peer-udp shares a link with kernel TCP: from flags to a plan, and from measurements to what is printed.
import t from 'tap'
import { plansOf } from '../../bench/beside/run-beside.js'
import { sharedRemarks, sharedTable } from '../../bench/beside/shared-table.js'
import type { DoneShared, FailedShared } from '../../bench/beside/shared-trial.js'
import { sharedRowsOf, sharesOf } from '../../bench/beside/shares.js'
import { planShared, queuesBeside } from '../../bench/network-plan.js'
import { type BenchOptions, readOptions } from '../../bench/options.js'
import { describeRun } from '../../bench/report/description.js'
import { UsageError } from '../../src/errors.js'

const CUBIC = { congestionControl: 'cubic', flows: 1 } as const

t.test('without other flags a minute at 50 Mbit/s and 40 ms is measured for each of three queues', async t => {
  const options = optionsOf('--namespaces --beside cubic:1')
  t.match(options, { rate: 50, rtt: 40, peers: 1, runs: 1, beside: { opponents: [CUBIC], seconds: 60 } })
  t.strictSame(queuesBeside(options), [62_500, 250_000, 1_000_000])
  t.ok(options.size > (50e6 * 60) / 8, 'the file is too large to come to its end')
})

t.test('each flag is read in its unit', async t => {
  const options = optionsOf(
    '--namespaces --beside cubic:1,cubic:4,bbr:1,cubic:4 --seconds 20 --rate 20 --rtt 10 --queue 30 --peers 4',
  )
  t.match(options, { rate: 20, rtt: 10, peers: 4 })
  t.strictSame(options.beside, {
    opponents: [CUBIC, { congestionControl: 'cubic', flows: 4 }, { congestionControl: 'bbr', flows: 1 }],
    seconds: 20,
  })
  t.strictSame(queuesBeside(options), [30_000])
  t.equal(optionsOf('--namespaces --beside bbr:1 --smoke').rate, 10)
})

t.test('a flag that makes no sense is refused in one line that says what to write', async t => {
  const wrong = {
    '--beside cubic:1': 'add --namespaces',
    '--namespaces --beside cubic': 'as in cubic:1,cubic:4,bbr:1, not "cubic"',
    '--namespaces --beside cubic:0': 'not "cubic:0"',
    '--namespaces --beside cubic:17': '1 to 16 flows',
    '--namespaces --beside cubic:1:2': 'not "cubic:1:2"',
    '--namespaces --beside vegas:1': 'cubic or bbr',
    '--namespaces --beside cubic:1,': 'not ""',
    '--namespaces --beside cubic:1 --loss 1': '--beside and --loss',
    '--namespaces --beside cubic:1 --size 10': '--beside and --size',
    '--namespaces --beside cubic:1 --trace': '--beside and --trace',
    '--namespaces --beside cubic:1 --seconds 5': 'from 6 to 600 s',
    '--namespaces --beside cubic:1 --rtt 0': "--rtt can't be 0",
    '--namespaces --beside cubic:1 --rate 1000 --seconds 600': 'less --seconds or --rate',
    '--seconds 20': 'add --beside',
  }
  for (const [flags, words] of Object.entries(wrong)) {
    const error = t.throws(() => optionsOf(flags), UsageError, flags) as unknown as Error
    t.notMatch(error.message, '\n')
    t.ok(error.message.includes(words), `${flags}: ${error.message}`)
  }
})

t.test("the collector's downlink is the only link with a rate, and all peers stand before it", async t => {
  const { computers, delay, probes, loss } = planShared(optionsOf('--namespaces --beside cubic:1 --peers 4'), 62_500)
  t.equal(computers.length, 7, 'manager, peers, the senders of the others, collector')
  t.match(computers.at(-1), { up: 0, down: 50, downQueue: 62_500 })
  t.ok(computers.slice(0, -1).every(({ up, down }) => up === 0 && down === 0))
  t.match({ delay, loss }, { delay: 20, loss: 0 })
  t.strictSame(
    probes.map(({ from, to }) => [from, to]),
    [1, 2, 3, 4].map(peer => [peer, 6]),
  )
})

t.test('a queue holds a burst at least, and is measured once', async t => {
  t.strictSame(queuesBeside(optionsOf('--namespaces --beside cubic:1 --rate 1')), [15_000, 20_000])
})

t.test('runs hold queues, which hold opponents', async t => {
  const options = optionsOf('--namespaces --beside cubic:1,bbr:2 --rate 1 --runs 2')
  t.strictSame(
    plansOf(options, options.beside!).map(({ run, queue, opponents }) => [run, queue, opponents.flows]),
    [1, 2].flatMap(run => [15_000, 20_000].flatMap(queue => [1, 2].map(flows => [run, queue, flows]))),
  )
})

t.test('what came between the two moments counts, as full packets', async t => {
  const { ours, theirs, share, queueMedian } = sharesOf(trialOf(1, 1))
  t.equal(ours.toFixed(6), '20.000000')
  t.equal(theirs.toFixed(6), '20.000000')
  t.equal(share?.toFixed(6), '1.000000')
  t.equal(queueMedian, 12)
  t.equal(sharesOf(trialOf(4, 1)).share?.toFixed(6), '1.000000', 'a fifth beside four flows that get as much each')
  t.equal(sharesOf(trialOf(4, 4)).share?.toFixed(6), '2.500000', 'all four together get as much as we')
  t.equal(sharesOf({ ...trialOf(1, 1), ours: [], theirs: [[]] }).share, undefined, 'nobody got anything')
})

t.test('the table has a row for each queue and kind of opponents, with the median of all runs', async t => {
  const options = optionsOf('--namespaces --beside cubic:1,bbr:1 --queue 62.5 --runs 3')
  const plans = plansOf(options, options.beside!)
  const trials = plans.map(plan =>
    plan.opponents.congestionControl === 'cubic' ? { ...trialOf(1, plan.run), ...plan } : { ...FAILED, ...plan },
  )
  const rows = sharedRowsOf(trials, plans)
  const [titles = '', cubic = '', bbr = '', ...more] = sharedTable(rows, options)
  t.match(titles, /^queue +beside +ours +theirs +share +queue median +queue p95$/)
  t.match(cubic, /^ *0\.25 +cubic:1 +20\.0 +10\.0 +1\.33 +12\.0 ms +19\.0 ms$/)
  t.match(bbr, /^ *0\.25 +bbr:1 +- +- +- +- +-$/)
  t.strictSame(more, [])
  t.match(sharedRemarks(rows, options), [
    /\(250 kB\).*equal share/,
    'beside cubic:1, queue 62.5 kB: the relay was 9.0 ms late',
    'beside bbr:1, queue 62.5 kB: 3 of 3 measurements failed',
  ])
})

t.test('the command of a description makes the same run', async t => {
  const options = optionsOf('--namespaces --beside cubic:4,bbr:1 --seconds 20 --queue 62.5 --peers 2 --socket dgram')
  const { command, settings } = describeRun(options, 50_000)
  t.strictSame(optionsOf(command.replace('npm run bench -- ', '')), options)
  t.equal(
    settings,
    'beside cubic:4, bbr:1, 20 s each, one link of 50 Mbit/s, RTT 40 ms, queue 62.5 kB, 2 peers, dgram sockets, 1 run',
  )
})

const FAILED: FailedShared = { kind: 'failed', opponents: CUBIC, queue: 62_500, run: 1, why: 'a process ended' }

/** Ours at 20 Mbit/s on the link, each of the flows at 20 / `divisor`. */
function trialOf(flows: number, divisor: number): DoneShared {
  const megabits = (payload: number, rate: number) => (rate * 1e6 * payload) / 1_500 / 8
  // Nothing before the first moment counts, and points need not lie on the moments.
  const pointsOf = (perSecond: number) => [
    { seconds: 0, octets: 5_000_000 },
    { seconds: 4, octets: 6_000_000 },
    { seconds: 6, octets: 6_000_000 + 2 * perSecond },
    { seconds: 21, octets: 6_000_000 + 17 * perSecond },
  ]
  return {
    kind: 'done',
    opponents: { congestionControl: 'cubic', flows },
    queue: 62_500,
    run: 1,
    ours: pointsOf(megabits(1_444, 20)),
    theirs: Array.from({ length: flows }, () => pointsOf(megabits(1_448, 20 / divisor))),
    from: 5,
    to: 20,
    counts: {
      data: { entered: 0, carried: 0, lost: 0, queueFull: 0, tooLarge: 0, delivered: 0, octets: 0 },
      flow: { entered: [], delivered: [], changes: [] },
      wait: undefined,
      ping: { median: 12, p95: 19, p99: 20 },
      lateness: { median: 0.1, p95: 5, p99: 9 },
      overruns: undefined,
    },
  }
}

function optionsOf(flags: string): BenchOptions {
  const options = readOptions(flags.split(' '))
  if (options === undefined) throw new Error('help was asked for')
  return options
}
