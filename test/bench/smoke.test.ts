// The whole bench, small: real processes through the relay, a table, and a report.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { built } from '../cli/process.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BENCH = join(ROOT, 'bench/dist/bench/main.js')

await built()
const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [compiler, '-p', 'tsconfig.bench.json'], {
  cwd: ROOT,
  stdio: ['ignore', 'inherit', 'inherit'],
})

t.test('a crowd of real sockets joins one real manager', async t => {
  const { code, stdout, stderr } = await bench(t.testdir({}), ['crowd', '--members', '40', '--seconds', '1'])
  t.equal(code, 0, stderr)
  t.match(stdout, /^40 joined in [\d.]+ s, the last was registered after [\d.]+ s, all had the same list after/)
  t.match(stdout, /a change reached 99 % after [\d.]+ s/)
  t.match(stdout, /the manager: [\d]+ % of a core, \d+ MB at most; 0 members were lost\n$/)
  const wrong = await bench(t.testdir({}), ['crowd', '--members', 'x'])
  t.match(wrong, { code: 2, stderr: /^bench: not a whole number above 0: x\n$/ })
})

t.test('moves a file at each loss, prints the table and writes the report', async t => {
  const folder = t.testdir({})
  const { code, stdout, stderr } = await bench(folder, [
    '--smoke',
    '--peers',
    '2',
    '--json',
    'all.json',
    '--trace',
    '--out',
    'out',
  ])
  t.equal(code, 0, stderr)
  t.match(stdout, /^loss +time +goodput +limit +E .*\n +0 % .*\n +5 % .*\n\n/)
  t.match(stderr, /the relay carries [\d,]+ datagrams\/s/)
  t.match(stderr, /5 % loss: [\d.]+ s, [\d.]+ Mbit\/s, E /)

  const report = JSON.parse(readFileSync(join(folder, 'all.json'), 'utf8'))
  t.strictSame(
    report.rows.map((row: { loss: number }) => row.loss),
    [0, 0.05],
  )
  for (const { trials, median } of report.rows) {
    const [{ counts }] = trials
    t.ok(median.efficiency > 0 && median.efficiency <= 1.02, `E ${median.efficiency}`)
    t.ok(counts.data.octets > 1e6, 'the file came through the relay')
    t.equal(counts.data.tooLarge, 0, 'no datagram is too large for Ethernet')
  }
  const [without, with5] = report.rows
  t.equal(without.trials[0].counts.data.lost, 0)
  t.ok(with5.trials[0].counts.data.lost > 0)
  const html = readFileSync(join(folder, 'out/report.html'), 'utf8')
  t.match(html, /<\/html>\n$/)
  for (const loss of [0, 5]) {
    t.match(html, `href="trace-loss-${loss}-run-1.jsonl"`)
    t.match(readFileSync(join(folder, `out/trace-loss-${loss}-run-1.jsonl`), 'utf8'), '"name":"path:round"')
  }
  t.match(readFileSync(join(folder, 'out/goodput.svg'), 'utf8'), /^<svg [\s\S]*<\/svg>\n$/)
  t.strictSame(leftovers(folder), [], 'no files stay behind')
})

t.test('goes on when a peer ends in the middle, and finds the new rates that it is given', async t => {
  const folder = t.testdir({})
  const flags = '--smoke --size 3 --up 10,4 --loss 1 --kill 30 --steps 0.9:8 --json all.json --out out'
  const { code, stdout, stderr } = await bench(folder, flags.split(' '))
  t.equal(code, 0, stderr)
  t.match(stdout, /1 %: each new rate was found: .*, /)
  const [trial] = JSON.parse(readFileSync(join(folder, 'all.json'), 'utf8')).rows[0].trials
  t.match(trial.capacity, [{ seconds: 0, rate: 10 }, {}, { rate: 4 }], 'all that is left is the second uplink')
  t.equal(trial.counts.flow.changes.length, 2)
})

t.test('runs other transports through the same links', { skip: await lacks('udx-native', 'utp-native') }, async t => {
  const folder = t.testdir({})
  const flags = '--smoke --loss 0 --against udx,utp --json all.json --out out'
  const { code, stdout, stderr } = await bench(folder, flags.split(' '))
  t.equal(code, 0, stderr)
  for (const name of ['peer-udp', 'udx', 'utp']) t.match(stdout, new RegExp(`^ *0 % +${name} `, 'm'))
  const { rows } = JSON.parse(readFileSync(join(folder, 'all.json'), 'utf8'))
  for (const { system, trials, median } of rows) {
    t.ok(trials[0].counts.data.octets > trials[0].octets, `${system} went through the relay`)
    t.ok(median.efficiency > 0 && median.efficiency < 1.02, `${system}: E ${median.efficiency}`)
  }
})

const namespaces = { skip: await lacksNamespaces() }
t.test('uses namespaces with kernel TCP beside, and leaves none behind', namespaces, async t => {
  const folder = t.testdir({})
  const { code, stdout, stderr, pid } = await bench(folder, '--smoke --loss 0 --namespaces --out out'.split(' '))
  t.equal(code, 0, stderr)
  for (const name of ['peer-udp', 'tcp-bbr', 'tcp-cubic']) t.match(stdout, new RegExp(`^ *0 % +${name} `, 'm'))
  t.notMatch(stdout, 'failed')
  t.strictSame(namespacesOf(pid), [])

  const interrupted = await bench(folder, '--smoke --namespaces --out out'.split(' '), /0 % loss, peer-udp: .*E/)
  t.equal(interrupted.code, 130, interrupted.stderr)
  t.strictSame(namespacesOf(interrupted.pid), [])
})

t.test('shares a link with kernel TCP, and leaves nothing behind', namespaces, async t => {
  const folder = t.testdir({})
  const flags = '--smoke --namespaces --beside cubic:2 --peers 2 --json all.json'
  const { code, stdout, stderr, pid } = await bench(folder, flags.split(' '))
  t.equal(code, 0, stderr)
  t.match(stdout, /^queue +beside .* share .*\n +1\.2 +cubic:2 .*ms\n\n/)
  const [row] = JSON.parse(readFileSync(join(folder, 'all.json'), 'utf8')).rows
  const [{ theirs, figures, counts }] = row.trials
  t.ok(figures.ours > 0 && figures.theirs > 0, `ours ${figures.ours}, theirs ${figures.theirs} Mbit/s`)
  t.equal(theirs.length, 2, 'each flow has its own figures')
  t.ok(counts.data.queueFull > 0, 'they met in one queue')
  t.strictSame(leftovers(folder), [])
  t.strictSame(namespacesOf(pid), [])

  const interrupted = await bench(folder, flags.split(' '), /beside cubic:2, 9 s each/)
  t.equal(interrupted.code, 130, interrupted.stderr)
  t.equal(interrupted.stdout, '', 'no table of half a run')
  t.strictSame(leftovers(folder), [])
  t.strictSame(namespacesOf(interrupted.pid), [])
})

t.test('Ctrl-C ends everything, with exit code 130', async t => {
  const folder = t.testdir({})
  const { code, stdout, stderr } = await bench(folder, ['--smoke', '--out', 'out'], /0 % loss: .*E/)
  t.equal(code, 130, stderr)
  t.equal(stdout, '', 'no table of half a run')
  t.strictSame(leftovers(folder), [])
})

t.test('a flag that makes no sense is exit code 2 and one line', async t => {
  const { code, stdout, stderr } = await bench(t.testdir({}), ['--loss', 'much'])
  t.equal(code, 2)
  t.match(stderr, /^bench: --loss takes [^\n]*\n$/)
  t.equal(stdout, '')
})

/** @returns why a test has to be left out, or false */
async function lacks(...packages: readonly string[]): Promise<string | false> {
  for (const name of packages) {
    if (!(await import(name).then(Boolean, () => false))) return `the package ${name} can't be loaded`
  }
  return false
}

async function lacksNamespaces(): Promise<string | false> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs Linux and root'
  const name = `pu-test-${process.pid}`
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' })
    execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
    accessSync('/dev/net/tun')
  } catch {
    return 'namespaces, or /dev/net/tun, are not to be had'
  }
  const kernel = readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8')
  return kernel.includes('bbr') ? lacks('koffi') : 'this kernel has no BBR'
}

/** @param interruptAt words on stderr at which it gets Ctrl-C */
async function bench(cwd: string, args: readonly string[], interruptAt?: RegExp) {
  const child = spawn(process.execPath, [BENCH, ...args], { cwd, env: { PATH: process.env.PATH, TMPDIR: cwd } })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', data => {
    stdout += data
  })
  child.stderr.on('data', data => {
    stderr += data
    if (interruptAt?.test(stderr)) child.kill('SIGINT')
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr, pid: child.pid }
}

function namespacesOf(pid: number | undefined): string[] {
  return readdirSync('/run/netns').filter(name => name.startsWith(`pu-bench-${pid}-`))
}

/** Folders that a bench did not take away. */
function leftovers(folder: string): string[] {
  return readdirSync(folder).filter(name => name.startsWith('peer-udp-bench-'))
}
