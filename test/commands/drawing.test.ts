// What people and programs see, from events as data; nothing runs.
import { PassThrough } from 'node:stream'
import t from 'tap'
import { Dashboard } from '../../src/commands/dashboard.js'
import { Output } from '../../src/commands/output.js'
import { progressBar, progressFields, progressLine } from '../../src/commands/progress.js'
import { resultFields, sayOutcome, unfinished, verified } from '../../src/commands/result.js'
import { table } from '../../src/commands/table.js'
import { portOf, rateOf, ttlOf } from '../../src/commands/values.js'
import { duration, exact, printable, size, timeLeft } from '../../src/commands/words.js'
import type { Endpoint } from '../../src/endpoint.js'
import { UsageError } from '../../src/errors.js'
import type { HostEvent } from '../../src/host/contract.js'
import type { ListedPeer } from '../../src/membership/listed-peer.js'
import type { TransferProgress, TransferResult } from '../../src/transfer/report.js'
import { instant, NEVER, peerId } from '../../src/units.js'
import { ERROR_CODE, REASON } from '../../src/wire/layout.js'

const ROOT = new Uint8Array(32).fill(0xab)

t.test('sizes keep three digits and never reach the next unit', async t => {
  t.strictSame([0, 999, 1_000, 1_050, 999_499, 999_500, 24_000_000, 1e12, 5e15].map(size), [
    '0 B',
    '999 B',
    '1.00 kB',
    '1.05 kB',
    '999 kB',
    '1.00 MB',
    '24.0 MB',
    '1.00 TB',
    '5000 TB',
  ])
  t.equal(exact(24_000_000), '24,000,000')
})

t.test('times are short near the end and coarse far from it', async t => {
  t.strictSame([0.428, 6.44, 9.96, 59.4, 125, 11_520, 270_000].map(duration), [
    '0.43 s',
    '6.4 s',
    '10 s',
    '59 s',
    '2 min 5 s',
    '3 h 12 min',
    '3 d 3 h',
  ])
  t.strictSame([Number.POSITIVE_INFINITY, 1, 20_000, -5].map(timeLeft), ['no limit', '1 s', '20 s', '0 s'])
})

t.test('a name from the network cannot steer the terminal', async t => {
  t.equal(printable('a\x1b[2J\r\nb\u202ec'), 'a\ufffd[2J\ufffd\ufffdb\ufffdc')
  t.equal(printable('größe 文.txt'), 'größe 文.txt')
})

t.test('values of the command line are taken or refused', async t => {
  t.strictSame(['1', '4000', '65535'].map(portOf), [1, 4000, 65_535])
  t.strictSame(['1', '315360000'].map(ttlOf), [1, 315_360_000])
  t.strictSame(['16kbit', '2.5Mbit', '1gbit'].map(rateOf), [16_000, 2_500_000, 1e9])
  for (const text of ['', ' ', '0x10', '1e3', '+1', '65536', '-0']) t.throws(() => portOf(text), UsageError, text)
  for (const text of ['', '0', '-1', '0.5', 'NaN', 'Infinity', '315360001'])
    t.throws(() => ttlOf(text), UsageError, text)
  for (const text of ['', '5', 'mbit', '-5mbit', '1 mbit', '15kbit']) t.throws(() => rateOf(text), UsageError, text)
})

t.test('a table lines up numbers on the right and leaves no blanks at the end', async t => {
  t.strictSame(
    table(
      [
        { title: 'name', align: 'left' },
        { title: 'n', align: 'right' },
      ],
      [['a', '1'], ['bcdef', '1,000'], ['c']],
    ),
    ['name       n', 'a          1', 'bcdef  1,000', 'c'],
  )
})

t.test('the bar fits any width and is full only at the end', async t => {
  const at = (verifiedBytes: number): TransferProgress => ({
    bytes: 1_000_000,
    verifiedBytes,
    rate: 250_000,
    peers: [],
  })
  for (const columns of [20, 50, 80, 200]) {
    t.ok([...progressBar('shared_file.txt', at(500_000), columns)].length < columns, `${columns} columns`)
  }
  t.equal(
    progressBar('f', at(500_000), 80),
    'f ▕██████████▌          ▏   50%  500 kB of 1.00 MB  250 kB/s  2 s left  0 peers',
  )
  t.match(progressBar('f', at(999_999), 80), / 99%/)
  t.match(progressBar('f', at(1_000_000), 80), /100%.*finishing/)
  t.match(progressBar('f', { ...at(0), bytes: 0 }, 80), /100%/)
  t.equal(progressLine('f', at(250_000)), 'f: 25%, 250 kB of 1.00 MB, 250 kB/s, 3 s left, 0 peers')
  t.match(progressLine('f', { ...at(0), rate: 0 }), /time left unknown/)
  t.match(progressFields({ ...at(0), rate: 0 }), { secondsLeft: null, verifiedBytes: 0 })
})

t.test('a list shows who came, who left and why, and who is there', async t => {
  const { dashboard, words, lines } = screen(endpoint(4000))
  dashboard.draw(LIST)
  t.strictSame(words(), [
    '- 127.0.0.1:3000 left: its TTL ended',
    'list 3: 2 active peers',
    '  peer                       time left  offers',
    '  127.0.0.1:4000 (this one)   no limit  f, 300 B, root abababab',
    '  127.0.0.1:5001                   2 s  nothing yet',
  ])
  t.strictSame(lines(), [
    {
      v: 1,
      t: 'list',
      version: 3,
      peers: [
        { peer: '127.0.0.1:4000', ttlLeft: null, offers: [{ name: 'f', bytes: 300, root: 'ab'.repeat(32) }] },
        { peer: '127.0.0.1:5001', ttlLeft: 1_500, offers: [] },
      ],
      joined: ['127.0.0.1:4000'],
      left: [{ peer: '127.0.0.1:3000', reason: 'ttl-ended' }],
    },
  ])
})

t.test('a long list is cut on the screen and whole in JSON', async t => {
  const { dashboard, words, lines } = screen(undefined)
  const peers = Array.from({ length: 1_000 }, (_, at) => listed(10_000 + at, NEVER))
  dashboard.draw({ kind: 'list', version: 1, peers, joined: peers, left: [] })
  t.equal(words().length, 44)
  t.match(words().at(-1), 'and 980 more')
  t.equal((lines()[0] as { peers: unknown[] }).peers.length, 1_000)
})

t.test('each event has its words and its JSON line', async t => {
  const { dashboard, words, lines } = screen(endpoint(4000))
  const events: HostEvent[] = [
    { kind: 'registered', peer: 7, manager: endpoint(5000), again: false },
    { kind: 'registered', peer: 8, manager: endpoint(5000), again: true },
    { kind: 'refused', code: ERROR_CODE.LIST_FULL },
    { kind: 'refused', code: 99 },
    { kind: 'waiting', name: 'f' },
    {
      kind: 'chosen',
      offer: { name: 'f', size: 300, root: ROOT },
      why: 'most peers',
      otherRoots: 1,
      sources: [endpoint(4000)],
    },
    { kind: 'progress', progress: { bytes: 300, verifiedBytes: 100, rate: 50, peers: [] } },
    { kind: 'offer-lost', name: 'own.txt', why: 'it changed' },
    { kind: 'trace', name: 'a:b', fields: {} },
  ]
  for (const event of events) dashboard.draw(event)
  t.matchOnly(words(), [
    'registered with the manager 127.0.0.1:5000 as peer 7',
    'registered again with the manager 127.0.0.1:5000 as peer 8',
    'the manager refused this peer: its list is full',
    'the manager refused this peer: 99',
    'nobody offers f yet: waiting for a peer that does',
    'collecting f, 300 B, root abababab (most peers; 1 other root under this name not taken), from 1 peer',
    // The first plain line of progress would come a second after the choice.
    "own.txt can't be served any more: it changed",
  ])
  t.strictSame(
    lines().map(line => line.t),
    ['registered', 'registered', 'refused', 'refused', 'waiting', 'chosen', 'progress', 'offer-lost'],
  )
})

t.test('on a terminal a bar is drawn again below every line', async t => {
  const { dashboard, raw } = screen(endpoint(4000), { terminal: true })
  dashboard.draw({ kind: 'progress', progress: { bytes: 300, verifiedBytes: 100, rate: 50, peers: [] } })
  dashboard.draw({ kind: 'waiting', name: 'f' })
  dashboard.draw({ kind: 'result', result: RESULT })
  const [, bar = '', again = '', none] = raw().split('\r\x1b[2K')
  t.match(bar, /^ ▕.*33%/)
  t.equal(again, `nobody offers f yet: waiting for a peer that does\n${bar}`)
  t.equal(none, '')
})

t.test('NO_COLOR and a dumb terminal get plain lines', async t => {
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
    const { dashboard, raw } = screen(endpoint(4000), { terminal: true, env })
    dashboard.draw({ kind: 'progress', progress: { bytes: 300, verifiedBytes: 100, rate: 50, peers: [] } })
    dashboard.draw(LIST)
    t.notMatch(raw(), '\x1b')
    t.match(raw(), /33%/)
  }
})

t.test('a verified result is compared with the local file as it is read back', async t => {
  const folder = t.testdir({ out: 'x'.repeat(300), same: 'x'.repeat(300), other: 'y'.repeat(300), short: 'x' })
  const sha256 = '0d4e2ca9e9cbced7a7a5380eb29e1a3783b9b6d0db72de36a1051038e1c1fbc7'
  const at = (name: string) => `${folder}/${name}`
  const same = await verified(RESULT, at('out'), at('same'))
  t.match(same, { failure: undefined, compared: 'local file', sha256 })
  t.match(await verified(RESULT, at('out'), undefined), { failure: undefined, compared: 'root', sha256 })
  t.match(await verified(RESULT, at('out'), at('other')), { failure: { kind: 'not-identical' } })
  t.match(await verified(RESULT, at('short'), undefined), { failure: { kind: 'not-identical' } })
  t.match(await verified(RESULT, at('missing'), undefined), { failure: { kind: 'disk' } })
})

t.test('the table of fragments says where every octet came from', async t => {
  const { output, words } = screen(undefined)
  sayOutcome({ result: RESULT, sha256: 'cafe', compared: 'local file', failure: undefined }, '/tmp/out', output)
  t.strictSame(words(), [
    '',
    '                            octets  chunks  retransmitted  duplicates',
    'fragment 1                     200       2              1           1',
    '  127.0.0.1:4000               150       2              1',
    '  local file: peer left         50',
    'fragment 2                     100       0              0           0',
    '  local file: own fragment     100',
    'in all                         300       2              1           1',
    '',
    'identical  SHA-256 cafe',
    '           /tmp/out has the SHA-256 of the local f',
    '           300 octets in 2.0 s, 0.0 Mbit/s',
  ])
})

t.test('the last JSON line is the result, and nothing comes after it', async t => {
  const { output, lines } = screen(undefined)
  output.last('result', resultFields({ result: RESULT, sha256: 'cafe', compared: 'root', failure: undefined }))
  output.emit('list', {})
  t.strictSame(lines(), [
    {
      v: 1,
      t: 'result',
      ok: true,
      name: 'f',
      bytes: 300,
      sha256: 'cafe',
      root: 'ab'.repeat(32),
      seconds: 2,
      fragments: [
        {
          index: 0,
          bytes: 200,
          sources: [{ peer: '127.0.0.1:4000', bytes: 150, chunks: 2, retransmitted: 1 }],
          duplicates: 1,
          localBytes: 50,
          localWhy: ['peer left'],
        },
        { index: 1, bytes: 100, sources: [], duplicates: 0, localBytes: 100, localWhy: ['own fragment'] },
      ],
      error: null,
    },
  ])
})

t.test('a failure keeps the shape of the result', async t => {
  t.strictSame(resultFields(unfinished('f', { kind: 'no-manager', detail: 'none answered' })), {
    ok: false,
    name: 'f',
    bytes: 0,
    sha256: null,
    root: null,
    seconds: 0,
    fragments: [],
    error: { kind: 'no-manager', detail: 'none answered' },
  })
  const failure = { kind: 'incomplete', missing: 40, detail: 'nobody has block 3' } as const
  t.match(resultFields({ result: RESULT, sha256: undefined, compared: 'root', failure }), {
    ok: false,
    error: { kind: 'incomplete', missing: 40 },
  })
  t.match(resultFields(unfinished('f', { kind: 'interrupted', detail: 'stopped' }, RESULT)), { ok: false, bytes: 300 })
})

const LIST: HostEvent = {
  kind: 'list',
  version: 3,
  peers: [{ ...listed(4000, NEVER), offers: [{ name: 'f', size: 300, root: ROOT }] }, listed(5001, instant(2_500))],
  joined: [listed(4000, NEVER)],
  left: [{ peer: listed(3000, instant(900)), reason: REASON.TTL_ENDED }],
}

const RESULT: TransferResult = {
  name: 'f',
  bytes: 300,
  root: ROOT,
  seconds: 2,
  failure: undefined,
  fragments: [
    {
      index: 0,
      bytes: 200,
      owner: endpoint(4000),
      sources: [{ endpoint: endpoint(4000), bytes: 150, chunks: 2, retransmitted: 1 }],
      duplicates: 1,
      localBytes: 50,
      localWhy: ['peer left'],
    },
    {
      index: 1,
      bytes: 100,
      owner: undefined,
      sources: [],
      duplicates: 0,
      localBytes: 100,
      localWhy: ['own fragment'],
    },
  ],
}

function endpoint(port: number): Endpoint {
  return { address: '127.0.0.1', port }
}

function listed(port: number, expires: ListedPeer['expires']): ListedPeer {
  return { peer: peerId(port), session: 1n, endpoint: endpoint(port), expires, offers: [] }
}

/** A dashboard whose streams are kept in memory; its clock stands at 1000. */
function screen(own: Endpoint | undefined, { terminal = false, env = {} as NodeJS.ProcessEnv } = {}) {
  const stdout = new PassThrough()
  const stderr = Object.assign(new PassThrough(), { isTTY: terminal, columns: 80 })
  const output = new Output({ json: true, stdout, stderr, env })
  const dashboard = new Dashboard({ output, own, now: () => instant(1_000) })
  let said = ''
  stderr.on('data', data => {
    said += data
  })
  const raw = () => {
    stderr.read()
    return said
  }
  return {
    dashboard,
    output,
    raw,
    words: () => raw().split('\n').slice(0, -1),
    lines: () =>
      String(stdout.read() ?? '')
        .split('\n')
        .filter(Boolean)
        .map(text => JSON.parse(text)),
  }
}
