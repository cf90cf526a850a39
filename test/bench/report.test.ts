// From flags to a plan, and from measurements to what is printed.
import t from 'tap'
import { checkRate, highestRate } from '../../bench/ceiling.js'
import { figuresOf, median, rowsOf } from '../../bench/figures.js'
import { limitOf, PAYLOAD_BYTES, secondsAtLimit } from '../../bench/limit.js'
import { capacityOf, highestCapacity, planNetwork, queueOf } from '../../bench/network-plan.js'
import { type BenchOptions, readOptions } from '../../bench/options.js'
import { FLOW_BIN } from '../../bench/relay/flow.js'
import { barChart } from '../../bench/report/bar-chart.js'
import { describeRun } from '../../bench/report/description.js'
import { page } from '../../bench/report/page.js'
import { rateChart, ratesOf } from '../../bench/report/rate-chart.js'
import { escaped, standalone, ticks } from '../../bench/report/svg.js'
import { benchTable, cellsOf, percent, remarks } from '../../bench/report/table.js'
import { settlingTimes } from '../../bench/settling.js'
import { systemsOf } from '../../bench/systems.js'
import { readTrace } from '../../bench/trace/read-trace.js'
import { lossOf, traceChart } from '../../bench/trace/trace-chart.js'
import { cpuTimeIn } from '../../bench/transfer/cpu-time.js'
import type { DoneTrial, FailedTrial } from '../../bench/trial.js'
import { UsageError } from '../../src/errors.js'

t.test('without flags the bench measures what its documentation says', async t => {
  t.match(optionsOf([]), {
    size: 100e6,
    rate: 100,
    rtt: 40,
    losses: [0, 0.01, 0.05, 0.1, 0.2],
    burst: 1,
    queue: undefined,
    up: undefined,
    steps: [],
    kill: undefined,
    against: [],
    namespaces: false,
    jitter: 0,
    peers: 1,
    runs: 1,
    seed: 1,
  })
  t.match(optionsOf(['--smoke', '--runs', '2']), { size: 1e6, losses: [0, 0.05], runs: 2 })
  t.equal(readOptions(['--help']), undefined)
})

t.test('each flag is read in its unit', async t => {
  const argv = '--size 2.5 --rate 20 --rtt 100 --loss 0.5,3,3 --burst 8 --queue 30 --jitter 5 --peers 3 --seed 9'
  t.match(optionsOf([...argv.split(' '), '--json', 'a.json', '--out', 'b']), {
    size: 2_500_000,
    rate: 20,
    rtt: 100,
    losses: [0.005, 0.03],
    burst: 8,
    queue: 30_000,
    jitter: 5,
    peers: 3,
    seed: 9,
    json: 'a.json',
    out: 'b',
  })
  t.match(optionsOf('--up 50,10,2 --kill 50 --steps 3:20,6.5:100'.split(' ')), {
    rate: 100,
    up: [50, 10, 2],
    peers: 3,
    kill: 0.5,
    steps: [
      { seconds: 3, rate: 20 },
      { seconds: 6.5, rate: 100 },
    ],
  })
})

t.test('a flag that makes no sense is refused in one line that says what to write', async t => {
  const wrong = [
    ['--size', '0'],
    ['--size', '1e3'],
    ['--rate', '-1'],
    ['--rtt', '2001'],
    ['--loss', '51'],
    ['--loss', ''],
    ['--loss', '1,,2'],
    ['--loss', '0,1,2,3,4,5,6,7,8,9,10,11,12'],
    ['--peers', '1.5'],
    ['--queue', '2'],
    ['--up', '50,much'],
    ['--up', '50', '--peers', '2'],
    ['--kill', '50'],
    ['--socket', 'tcp'],
    ['--against', 'quic'],
    ['--against', 'udx', '--peers', '2'],
    ['--kill', '100', '--peers', '2'],
    ['--steps', '3'],
    ['--steps', '3:20,2:100'],
    ['--steps', '3:0'],
    ['--json', ''],
    ['--nonsense'],
    ['--runs'],
    ['more'],
  ]
  for (const argv of wrong) {
    const error = t.throws(() => readOptions(argv), UsageError, argv.join(' ')) as unknown as Error
    t.notMatch(error.message, '\n')
  }
})

t.test("a rate near the relay's ceiling is refused, with the one that may be asked for", async t => {
  t.equal(highestRate(50_000), 300)
  t.doesNotThrow(() => checkRate(300, 50_000))
  t.throws(() => checkRate(301, 50_000), { message: /ask for 300 Mbit\/s at most/ })
})

t.test('the limit is what datagrams of 1444 octets in packets of 1500 carry after the loss', async t => {
  t.equal(PAYLOAD_BYTES, 1_444)
  t.equal(limitOf(100, 0).toFixed(2), '96.27')
  t.equal(limitOf(100, 0.2).toFixed(2), '77.01')
})

t.test('uplinks of all peers together have the rate of the collector', async t => {
  const { computers, delay, loss, mtu, probes } = planNetwork(optionsOf(['--peers', '4', '--queue', '50']), 0.05)
  t.strictSame(
    computers.map(({ up, down }) => [up, down]),
    [
      [100, 100],
      [25, 100],
      [25, 100],
      [25, 100],
      [25, 100],
      [100, 100],
    ],
  )
  t.ok(computers.every(({ upQueue, downQueue }) => upQueue === 50_000 && downQueue === 50_000))
  t.match({ delay, loss, mtu }, { delay: 20, loss: 0.05, mtu: 1_500 })
  t.strictSame(
    probes.map(({ from, to }) => [from, to]),
    [1, 2, 3, 4].map(peer => [peer, 5]),
  )
})

t.test('a queue holds a product of its own link, at least a burst, and stays when the rate changes', async t => {
  const options = optionsOf(['--up', '30,5', '--rtt', '80'])
  for (const moment of [{}, { rate: 20 }]) {
    const { computers } = planNetwork(options, 0, moment)
    t.strictSame(
      computers.map(({ upQueue, downQueue }) => [upQueue, downQueue]),
      [
        [1_000_000, 1_000_000],
        [300_000, 1_000_000],
        [50_000, 1_000_000],
        [1_000_000, 1_000_000],
      ],
    )
  }
  t.strictSame(
    planNetwork(options, 0, { rate: 20 }).computers.map(({ up, down }) => [up, down]),
    [
      [20, 20],
      [30, 20],
      [5, 20],
      [20, 20],
    ],
  )
  t.equal(queueOf(optionsOf(['--rtt', '0']), 100), 15_000)
})

t.test('figures follow from one transfer', async t => {
  const figures = figuresOf(TRIAL)
  t.equal(figures.goodput, 80)
  t.equal(figures.efficiency.toFixed(4), (80 / limitOf(100, 0.1)).toFixed(4))
  // Of 7900 that the uplink carried 790 were lost, as a tenth is; 100 more found the queue full.
  t.equal(figures.beyond?.toFixed(6), ((8_000 * 1_444 * 0.9) / 10e6 - 1).toFixed(6))
  t.match(figures, { cpuPeers: 20, cpuCollector: 40, corePeers: 0.2, coreCollector: 0.4 })
  t.match(figures, { queueMedian: 2, queueP95: 8, relayLateness: 1, relayLost: 0 })
})

t.test('nothing is beyond the necessary where only chance took datagrams', async t => {
  const data = { entered: 10_000, carried: 10_000, lost: 3_000, queueFull: 0, tooLarge: 0, delivered: 7_000 }
  const counts = { ...TRIAL.counts, data: { ...data, octets: data.entered * 1_500 } }
  const { beyond } = figuresOf({ ...TRIAL, counts, octets: 7_000 * 1_444 })
  t.ok(Math.abs(beyond ?? 1) < 1e-12)
  const nothing = figuresOf({ ...TRIAL, octets: 0, isWhole: false })
  t.match(
    nothing,
    { goodput: 0, beyond: undefined, cpuPeers: undefined },
    'where nothing came there is nothing to compare with',
  )
})

t.test('the limit follows what the links could carry when', async t => {
  const megabits = (count: number) => (count * 1e6) / 8
  t.equal(secondsAtLimit(megabits(limitOf(100, 0.1)), [{ seconds: 0, rate: 100 }], 0.1), 1)
  // 2 s at 100, 3 s at 20, the rest at 100.
  const capacity = [100, 20, 100].map((rate, at) => ({ seconds: [0, 2, 5][at] ?? 0, rate }))
  t.ok(Math.abs(secondsAtLimit(megabits(limitOf(360, 0)), capacity, 0) - 6) < 1e-9)
  const { limit, efficiency } = figuresOf({
    ...TRIAL,
    loss: 0,
    capacity,
    seconds: 8,
    octets: megabits(limitOf(360, 0)),
  })
  t.equal(limit.toFixed(3), limitOf(60, 0).toFixed(3))
  t.equal(efficiency.toFixed(3), '0.750')
})

t.test('what the collector can get is the least of its downlink and all uplinks, at each moment', async t => {
  const three = optionsOf(['--up', '50,10,2'])
  t.equal(capacityOf(three), 62)
  t.equal(capacityOf(three, { peers: 2 }), 12, 'the first is the one that goes')
  t.equal(capacityOf(three, { rate: 30 }), 30)
  t.equal(capacityOf(optionsOf(['--peers', '4']), { rate: 40, peers: 3 }), 30, 'equal shares of the new rate')
  t.equal(highestCapacity(optionsOf(['--steps', '1:300,2:50'])), 300)
})

t.test('a new rate is found when it is used, and no more than it is sent', async t => {
  const octets = (rate: number) => (rate * 1e6 * FLOW_BIN) / 8
  const flow = (sent: readonly number[], arrived: readonly number[], changes: readonly number[]) => ({
    entered: sent.map(octets),
    delivered: arrived.map(octets),
    changes,
  })
  const slowDown = [100, 100, 100, 80, 50, 20, 20, 20, 20, 20, 20, 20, 20]
  const down = settlingTimes(flow(slowDown, Array(13).fill(20), [0.2]), [20], 0)
  t.strictSame(
    down.map(time => time?.toFixed(1)),
    ['0.3'],
  )
  const speedUp = [20, 20, 20, 20, 30, 60, 95, 100, 100, 100, 100]
  t.strictSame(
    settlingTimes(flow(speedUp, speedUp, [0.1]), [100], 0).map(time => time?.toFixed(1)),
    ['0.4'],
  )
  t.strictSame(
    settlingTimes(flow(speedUp, speedUp, [0.1, 0.5]), [100, 100], 0).map(time => time?.toFixed(1)),
    [undefined, '0.0'],
  )
  t.equal(
    settlingTimes(flow(Array(9).fill(100), Array(9).fill(80), [0]), [100], 0.2)[0],
    0,
    'what is lost on the way is no fault',
  )
})

t.test('a row holds the median of each figure over the runs that came to their end', async t => {
  const options = optionsOf(['--size', '10', '--loss', '10,20', '--runs', '4'])
  const trials = [4, 1, 2].map((seconds, at): DoneTrial => ({ ...TRIAL, run: at + 1, seconds }))
  const [row, empty] = rowsOf([...trials, FAILED, { ...FAILED, loss: 0.2 }], options)
  t.equal(row?.median?.seconds, 2)
  t.equal(row?.median?.goodput, 40)
  t.equal(row?.trials.length, 4)
  t.equal(empty?.median, undefined)
})

t.test('the median of an even number is the mean of the middle two, and unknown where one is', async t => {
  t.equal(median([4, 1, 3, 2]), 2.5)
  t.equal(median([3]), 3)
  t.equal(median([]), undefined)
  t.equal(median([1, undefined]), undefined)
})

t.test('the table lines up its cells, and says what is doubtful below', async t => {
  const options = optionsOf(['--size', '10', '--loss', '10,20'])
  const late = { ...TRIAL, counts: { ...TRIAL.counts, lateness: { median: 1, p95: 2, p99: 12 }, overruns: 3 } }
  const rows = rowsOf([late, { ...FAILED, loss: 0.2 }], options)
  t.strictSame(benchTable(rows, options), [
    'loss    time  goodput  limit      E  beyond    CPU peers  CPU collector  queue median  queue p95',
    '10 %  1.00 s     80.0   86.6  0.923   4.0 %  20 % (20.0)    40 % (40.0)        2.0 ms     8.0 ms',
    '20 %       -        -   77.0      -       -            -              -             -          -',
  ])
  t.match(remarks(rows), [
    /goodput and limit in Mbit/,
    /10 %: the relay was 12\.0 ms late/,
    /10 %: 3 datagrams were lost in the relay's own sockets/,
    /20 %: 1 of 1 transfers failed/,
  ])
  t.match(cellsOf(rows, { ...options, rtt: 100 }).rows[0]?.[1], '1.00 s = 10.0 RTT')
  const stepped = { ...rows[0]!, median: { ...rows[0]!.median!, settling: [0.25, undefined] } }
  t.match(remarks([stepped]), [/goodput/, '10 %: each new rate was found: after 0.3 s, never'])
})

t.test('beside others, each has a row of its own, and the command its multiple of their goodput', async t => {
  const options = optionsOf(['--size', '10', '--loss', '10', '--against', 'udx', '--namespaces'])
  const other = (system: DoneTrial['system'], part: Partial<DoneTrial>): DoneTrial => ({ ...TRIAL, system, ...part })
  const stopped = other('tcp-cubic', { seconds: 5, octets: 1e6, isWhole: false })
  const rows = rowsOf([TRIAL, other('udx', { seconds: 2 }), { ...FAILED, system: 'tcp-bbr' }, stopped], options)
  t.strictSame(
    rows.map(({ system, ratio }) => [system, ratio]),
    [
      ['peer-udp', undefined],
      ['udx', 2],
      ['tcp-bbr', undefined],
      ['tcp-cubic', 50],
    ],
  )
  const [titles = '', own = '', udx = ''] = benchTable(rows, options)
  t.match(titles, /^loss +system .* ratio$/)
  t.match(own, /^10 % +peer-udp .* -$/)
  t.match(udx, /^10 % +udx .* 2\.00$/)
  t.match(remarks(rows), [
    /goodput/,
    /ratio/,
    '10 %, tcp-bbr: 1 of 1 transfers failed',
    '10 %, tcp-cubic: stopped before the end in 1 of 1',
  ])
  const html = page({ options, rows, description: describeRun(options, 50_000), traces: [] })
  for (const name of ['udx-native: ', 'TCP: ', 'tcp-bbr']) t.match(html, name)
  t.strictSame(systemsOf(optionsOf(['--namespaces', '--peers', '2'])), ['peer-udp'], 'TCP has one sender')
})

t.test('a percentage has no minus before nothing', async t => {
  t.equal(percent(-0.0001, 1), '0.0 %')
  t.equal(percent(-0.01, 1), '-1.0 %')
  t.equal(percent(0.005), '0.5 %')
})

t.test('CPU time is read past a name with spaces and brackets in it', async t => {
  t.equal(cpuTimeIn('77 (a) b (c)) S 1 77 77 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 11 0'), 2)
})

t.test('the ticks of an axis are round and reach the largest value', async t => {
  t.strictSame(ticks(96.3), [0, 25, 50, 75, 100])
  t.strictSame(ticks(7), [0, 2, 4, 6, 8])
  t.strictSame(ticks(0.3), [0, 0.1, 0.2, 0.3])
  t.strictSame(ticks(0), [0, 1])
})

t.test('the rate between two moments stands in the middle of them', async t => {
  t.strictSame(
    ratesOf([
      { seconds: 1, octets: 1e6 },
      { seconds: 1, octets: 1e6 },
      { seconds: 3, octets: 5e6 },
    ]),
    [
      { seconds: 0.5, rate: 8 },
      { seconds: 2, rate: 16 },
    ],
  )
})

t.test('charts draw a bar for each number and none for what is unknown', async t => {
  const series = [{ name: 'a < b', tone: 'blue', values: [1, undefined, -0.5] }] as const
  const groups = [{ label: 'one' }, { label: 'two', note: 'failed' }, { label: 'three' }]
  const drawn = barChart({ title: 'T & T', unit: 'ms', groups, series, decimals: 1 })
  t.equal(drawn.match(/class="blue"/g)?.length, 3, 'two bars and the one of the legend')
  t.match(drawn, 'T &amp; T')
  t.match(drawn, 'a &lt; b')
  t.match(drawn, 'failed')
  t.notMatch(drawn, /NaN|undefined|height="-/)
  t.notMatch(rateChart({ title: 'empty', curves: [], limits: [] }), /NaN|undefined/)
  t.match(
    barChart({ title: '', unit: '', groups, series, decimals: 1, limit: { name: 'most', values: [1, 2, 3] } }),
    'most',
  )
  t.equal(escaped('<"&">'), '&lt;&quot;&amp;&quot;&gt;')
})

t.test('a drawing alone brings its colours, written out for viewers that know no variables', async t => {
  const alone = standalone(rateChart({ title: 'T', curves: [], limits: [{ seconds: 0, rate: 10 }] }))
  t.match(alone, /^<svg [^>]*>\n<style>[\s\S]*<\/style>\n<rect class="paper"/)
  t.match(alone, 'prefers-color-scheme:dark')
  t.notMatch(alone, 'var(')
})

t.test('a trace is read for each path; what is unknown, or cut short, is passed over', async t => {
  const [first, second, ...others] = readTrace(TRACE)
  t.strictSame(others, [], 'a peer that sent nothing has no history')
  t.match(first, {
    peer: '127.0.0.1:1',
    rounds: [{ seconds: 0.1, pacing: 90, bandwidth: 80, delivered: 70, roundTrip: 45, queue: 5, floor: 0.01 }, {}],
    states: [
      { seconds: 0, state: 'startup' },
      { seconds: 0.2, state: 'cruise' },
    ],
    events: [{ seconds: 0.5, kind: 'timeout' }],
  })
  t.match(second, { peer: '127.0.0.1:2', states: [{ state: 'cruise' }], events: [{ seconds: 0.4, kind: 'steal' }] })
  t.strictSame(readTrace(''), [])
})

t.test('a trace is drawn with its states and what befell the path, and loss counted over a stretch', async t => {
  const [first, second] = readTrace(TRACE)
  const drawn = traceChart('10 % loss', first!)
  for (const words of ['startup', 'cruise', 'time-out', 'from 127.0.0.1:1', 'loss floor']) t.match(drawn, words)
  t.match(traceChart('', second!), 'takes work of another path')
  t.notMatch(drawn, /NaN|undefined/)
  t.strictSame(lossOf(first!.rounds), [[0.6, 10]])
})

t.test('the page stands alone, and names the command that makes it again', async t => {
  const options = optionsOf(['--size', '10', '--loss', '10,20', '--peers', '2', '--socket', 'dgram'])
  const description = describeRun(options, 50_000)
  const traces = [{ loss: 0.1, run: 1, file: 'trace.jsonl', paths: readTrace(TRACE) }]
  const html = page({ options, rows: rowsOf([TRIAL, { ...FAILED, loss: 0.2 }], options), description, traces })
  t.equal(
    html.match(/<svg/g)?.length,
    7,
    'four charts, one over time for the loss that was measured, two paths of a trace',
  )
  t.match(html, 'href="trace.jsonl"')
  t.notMatch(html, /<script|<link|<img|@import|url\(/)
  t.match(html, 'prefers-color-scheme:dark')
  const [, flags = ''] = /npm run bench -- ([^<]*)</.exec(html) ?? []
  t.strictSame(optionsOf(flags.split(' ')), options)
  t.equal(
    description.settings,
    '10 MB, 100 Mbit/s, RTT 40 ms, queue 250 kB, 2 peers of 50 Mbit/s each, dgram sockets, 1 run',
  )
})

const TRIAL: DoneTrial = {
  kind: 'done',
  system: 'peer-udp',
  octets: 10e6,
  isWhole: true,
  loss: 0.1,
  run: 1,
  seconds: 1,
  cpu: { peers: 0.2, collector: 0.4 },
  progress: [
    { seconds: 0.5, octets: 5e6 },
    { seconds: 1, octets: 10e6 },
  ],
  counts: {
    data: {
      entered: 8_000,
      carried: 7_900,
      lost: 790,
      queueFull: 100,
      tooLarge: 0,
      delivered: 7_110,
      octets: 8_000 * 1_500,
    },
    flow: { entered: [], delivered: [], changes: [] },
    wait: { median: 3, p95: 7, p99: 9 },
    ping: { median: 2, p95: 8, p99: 9 },
    lateness: { median: 0.1, p95: 0.5, p99: 1 },
    overruns: 0,
  },
  capacity: [{ seconds: 0, rate: 100 }],
  trace: undefined,
}
const ROUND = { pacing: 90_000, bandwidth: 80_000, delivered: 70_000, roundTrip: 45, queue: 5, floor: 0.01 }
const TRACE = [
  { t: 0, name: 'trace:start', v: 1 },
  { t: 100, name: 'path:round', peer: '127.0.0.1:1', state: 'startup', ...ROUND, received: 100, lost: 0 },
  { t: 200, name: 'path:state', peer: '127.0.0.1:1', from: 'startup', to: 'cruise' },
  { t: 300, name: 'path:round', peer: '127.0.0.1:2', state: 'cruise', ...ROUND, received: 10, lost: 1 },
  { t: 400, name: 'work:steal', from: '127.0.0.1:1', to: '127.0.0.1:2', octets: 9 },
  { t: 450, name: 'path:novelty', peer: '127.0.0.1:3' },
  { t: 480, name: 'work:duplicate', from: '127.0.0.1:1', to: '127.0.0.1:4', octets: 9 },
  { t: 500, name: 'path:timeout', peer: '127.0.0.1:1', n: 1 },
  { t: 600, name: 'path:round', peer: '127.0.0.1:1', state: 'cruise', ...ROUND, received: 80, lost: 20 },
]
  .map(line => `${JSON.stringify(line)}\n`)
  .join('')
  .concat('{"t":700,"na')
const FAILED: FailedTrial = { kind: 'failed', system: 'peer-udp', loss: 0.1, run: 9, why: 'not done after 20 s' }

function optionsOf(argv: readonly string[]): BenchOptions {
  const options = readOptions(argv)
  if (options === undefined) throw new Error('help was asked for')
  return options
}
