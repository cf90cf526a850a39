// Bad input, as a person would type it: one clear line, the documented exit code, and nothing started.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { built, type Ended, freePorts, run } from './process.js'

await built()

const REFUSED: readonly (readonly [args: string, words: RegExp])[] = [
  ['', /say what to run/],
  ['fetch', /unknown verb "fetch": use manager, share, ls, get, verify, peer or doctor/],
  ['share', /share needs a path.*or - for stdin/],
  ['share x --ttl 0', /TTL 0 would end at once/],
  ['share x --limit 1', /--limit "1" is no rate/],
  ['share x --include', /--include needs a value/],
  ['share x --include a --include', /--include needs a value/],
  ['share x --include [', /"\[" is no pattern/],
  ['share x --pick a', /--pick is no flag of share, but of get/],
  ['share x --name a/b', /"a\/b" can't be the name/],
  ['ls a b', /"b" is one argument too many: ls takes one name or id/],
  ['ls --yes', /--yes is no flag of ls, but of get/],
  ['get', /get needs a name or an id/],
  ['get a b', /"b" is one argument too many/],
  ['get a --overwrite --skip', /--overwrite and --skip: choose one/],
  ['get a -o - --json', /both write to stdout/],
  ['get a -o', /--out needs a value/],
  ['get a --any-names=x --foo', /unknown flag --foo/],
  ['get a --port 70000', /port 70000 is out of range/],
  ['get a --speed 5', /unknown flag --speed/],
  ['verify', /verify needs a path/],
  ['verify x --root abc', /"abc" is no id: write 64 hexadecimal digits, or the first 16 or more/],
  ['verify x --any-names', /--any-names is no flag of verify, but of get/],
  ['manager 5000', /"5000" is one argument too many.*--port/],
  ['manager --port 0', /port 0 is no fixed port/],
  ['manager --port x', /port "x" is not a number/],
  ['manager --share x', /--share is no flag of manager/],
  ['peer', /peer needs a port/],
  ['peer abc', /port "abc" is not a number/],
  ['peer 0', /port 0 is no fixed port/],
  ['peer -1', /port -1 is out of range: pick a whole number from 1 to 65535/],
  ['peer 65536', /port 65536 is out of range/],
  ['peer 4000.5', /port 4000.5 is not a whole number/],
  ['peer 4e3', /port 4e3 is not a whole number/],
  ['peer 4000 0', /TTL 0 would end at once/],
  ['peer 4000 -20', /TTL -20 is negative/],
  ['peer 4000 1.5', /TTL 1.5 is not a whole number of seconds/],
  ['peer 4000 soon', /TTL "soon" is not a number/],
  ['peer 4000 315360001', /TTL 315360001 is longer than ten years/],
  ['peer 4000 99999999999999999999999', /longer than ten years/],
  ['peer 4000 20 5', /"5" is one argument too many/],
  ['peer 4000 --foo', /unknown flag --foo/],
  ['peer 4000 -z', /unknown flag -z/],
  ['peer 4000 --port 1', /--port is no flag of peer/],
  ['peer 4000 --manager', /--manager needs a value/],
  ['peer 4000 --manager somewhere', /not HOST:PORT/],
  ['peer 4000 --manager :5000', /not HOST:PORT/],
  ['peer 4000 --manager ::1:5000', /not HOST:PORT/],
  ['peer 4000 --manager host:70000', /not HOST:PORT/],
  ['peer 4000 --limit 20', /--limit "20" is no rate/],
  ['peer 4000 --limit 1bit', /is no rate/],
  ['peer 4000 --limit 0kbit', /too low/],
  ['peer 4000 --limit 101gbit', /above 100gbit/],
  ['peer 4000 --socket fast', /--socket "fast" is no kind of socket: write dgram or batched/],
  ['doctor 4000', /doctor takes no arguments/],
  ['doctor --port 4000', /--port is no flag of doctor, but of manager/],
  ['peer 4000 --out x', /--out is for a collector/],
  ['peer 5001 --no-collect --once', /--once is for a collector/],
  ['peer 4000 --background', /--background is for a collector/],
  ['peer 4000 --share a --share b', /--share can only be set once/],
]

t.test('each wrong line is refused in one line that says what to do, with exit code 2', async t => {
  await inBatches(REFUSED, async ([args, words]) => {
    refused(t, await run(args.split(' ').filter(Boolean)), 2, words, args)
  })
})

t.test('help and version go to stdout and end well', async t => {
  const [help, version] = await Promise.all([run(['peer', '--help']), run(['--version'])])
  t.equal(help.code, 0)
  t.match(help.stdout, /peer-udp peer PORT \[TTL\]/)
  t.equal(help.stderr, '')
  t.equal(version.code, 0)
  t.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
})

t.test('a shared file that cannot be read is refused with exit code 5', async t => {
  const folder = t.testdir({ folder: {}, 'secret.txt': 'x' })
  const [port = 0] = await freePorts(1)
  const share = async (path: string, ...flags: string[]) =>
    run(['peer', `${port}`, '--share', join(folder, path), ...flags])
  refused(t, await share('missing.txt'), 5, /missing\.txt/, 'missing')
  refused(t, await share('folder'), 5, /folder/, 'a folder')
  refused(t, await share('folder', '--collect'), 5, /folder/, 'a folder, for a collector')
  chmodSync(join(folder, 'secret.txt'), 0)
  if (process.getuid?.() === 0) t.comment('this user may read every file')
  else refused(t, await share('secret.txt'), 5, /secret\.txt/, 'no right to read it')
})

t.test('a target that cannot be written is refused before anything is fetched', async t => {
  const folder = t.testdir({ 'shared.txt': 'x', folder: {} })
  const share = join(folder, 'shared.txt')
  const [port = 0] = await freePorts(1)
  const out = async (path: string) =>
    run(['peer', `${port}`, '--collect', '--share', share, '--out', join(folder, path)])
  refused(t, await out('missing/out.txt'), 5, /missing: no such file or folder.*--out/, 'no such folder')
  refused(t, await out('folder'), 5, /it is a folder.*--out/, 'a folder')
  refused(t, await out('shared.txt'), 2, /is the shared file itself/, 'the shared file')
  mkdirSync(join(folder, 'closed'))
  chmodSync(join(folder, 'closed'), 0o500)
  if (process.getuid?.() === 0) t.comment('this user may write everywhere')
  else refused(t, await out('closed/out.txt'), 5, /permission denied/, 'no right to write')
})

t.test('a port that is taken is named, with exit code 4', async t => {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  const { port } = socket.address()
  const share = join(t.testdir({ 'shared.txt': 'x' }), 'shared.txt')
  const words = new RegExp(`${port}.*(in use|taken).*(another|--port)`)
  refused(t, await run(['manager', '--port', `${port}`]), 4, words, 'manager')
  refused(t, await run(['peer', `${port}`, '--share', share]), 4, words, 'peer')
  const collector = await run(['peer', `${port}`, '--collect', '--json', '--share', share])
  refused(t, { ...collector, stdout: '' }, 4, words, 'collector')
  t.match(collector.lines.at(-1), { t: 'result', ok: false, error: { kind: 'port' } })
})

t.test('an address that this machine does not have is refused with exit code 4', async t => {
  const [port = 0] = await freePorts(1)
  // TEST-NET-1 (RFC 5737) is nobody's.
  refused(t, await run(['manager', '--port', `${port}`, '--listen', '192.0.2.1']), 4, /192\.0\.2\.1/, 'manager')
})

t.test('without a manager a peer gives up after five seconds with exit code 3', async t => {
  const folder = t.testdir({ 'shared.txt': 'x' })
  const [nobody, port, other] = await freePorts(3)
  const started = performance.now()
  const args = ['--manager', `127.0.0.1:${nobody}`, '--share', join(folder, 'shared.txt')]
  const [peer, collector] = await Promise.all([
    run(['peer', `${port}`, ...args]),
    run(['peer', `${other}`, ...args, '--collect', '--json']),
  ])
  const seconds = (performance.now() - started) / 1_000
  t.ok(seconds > 4 && seconds < 9, `after ${seconds.toFixed(1)} s`)
  refused(t, peer, 3, new RegExp(`no manager answered at 127\\.0\\.0\\.1:${nobody}`), 'peer')
  t.equal(collector.code, 3)
  t.match(collector.lines.at(-1), { v: 1, t: 'result', ok: false, name: 'shared.txt', error: { kind: 'no-manager' } })
})

function refused(t: Test, ended: Ended, code: number, words: RegExp, title: string): void {
  const lines = ended.stderr.split('\n')
  t.match(
    { code: ended.code, stdout: ended.stdout, lines: lines.length, end: lines.at(-1), line: lines[0] },
    { code, stdout: '', lines: 2, end: '', line: words },
    title === '' ? 'nothing at all' : title,
  )
  t.match(lines[0], /^peer-udp: /, `${title}: names the program`)
}

/** Four at a time, so that no one waits for a processor. */
async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += 4) await Promise.all(items.slice(at, at + 4).map(work))
}

t.test('doctor says what this machine gives, for people and for programs', async t => {
  const { code, stderr, lines } = await run(['doctor', '--json'])
  t.equal(code, 0)
  t.match(stderr, /sockets, IPv4 {3}(batched|dgram)/)
  t.match(lines, [{ t: 'doctor', receiveBuffer: Number, ipv4: { joinsSent: Boolean }, advice: [] }])
})
