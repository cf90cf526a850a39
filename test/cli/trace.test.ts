// --trace with real processes: every line parses, and says what spec/interface.md, "Trace", says it does.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { faultOf, TRACE_FIELDS, TRACE_LINES, type TraceLine } from '../trace-spec.js'
import { built, freePorts, run } from './process.js'
import { Swarm } from './swarm.js'

const SELDOM =
  'path:train path:longer path:shorter path:timeout path:suspended path:resumed path:lost work:duplicate block:bad member:waits'.split(
    ' ',
  )

await built()

t.test('the tables of the trace agree with one another', async t => {
  const used = new Set([...TRACE_LINES.values()].flat())
  t.strictSame([...used].sort(), [...TRACE_FIELDS.keys()].sort())
  for (const name of TRACE_LINES.keys()) t.match(name, /^[a-z]+:[a-z]+$/)
})

t.test('a traced transfer gives the lines of the spec and no others', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(6_000_000) })
  await swarm.peer(['--limit', '40mbit'])
  await swarm.peer(['--limit', '10mbit'])
  const collector = await swarm.collectorWithout(['--once', '--trace', 'run.jsonl'])
  t.equal(await collector.ended, 0, collector.stderr)
  const lines = read(join(swarm.folder, 'run.jsonl'))
  t.strictSame(lines.flatMap(faultOf), [])
  const seen = new Set(lines.map(line => line.name))
  t.strictSame(
    [...TRACE_LINES.keys()].filter(name => !seen.has(name) && !SELDOM.includes(name) && name !== 'work:help'),
    [],
    'what every such transfer has',
  )
  t.match(lines[0], { t: 0, name: 'trace:start', v: 1 })
  t.ok(lines.every((line, i) => i === 0 || line.t >= lines[i - 1]!.t))
  t.match(named(lines, 'transfer:start'), [{ file: 'shared_file.txt', bytes: 6_000_000, peers: 2, local: false }])
  t.match(named(lines, 'transfer:end'), [{ ok: true, failure: 'none', badBlocks: 0 }])
  t.equal(named(lines, 'path:start').length, 2)
  const rounds = named(lines, 'path:round')
  t.ok(rounds.length <= (2 * lines.at(-1)!.t) / 20, `${rounds.length} lines of rounds`)
  t.ok(rounds.every(round => Number(round.delivered) > 0 && Number(round.rounds) >= 1 && Number(round.window) > 0))
})

t.test('a trace is whole where Ctrl-C ends the transfer', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(6_000_000) })
  await swarm.peer(['--limit', '8mbit'])
  const collector = await swarm.collectorWithout(['--trace', 'run.jsonl'])
  await collector.saw('progress', line => line.verifiedBytes > 0)
  collector.kill('SIGINT')
  t.equal(await collector.ended, 130)
  const lines = read(join(swarm.folder, 'run.jsonl'))
  t.match(named(lines, 'transfer:end'), [{ ok: false, failure: 'interrupted' }])
  t.match(lines.at(-1), { name: 'member:stopped' })
})

t.test('a trace that cannot be written is refused in one line, with exit code 5', async t => {
  const folder = t.testdir({ 'shared.txt': 'x', folder: {} })
  const [port = 0] = await freePorts(1)
  const share = ['--share', join(folder, 'shared.txt')]
  const trace = (path: string) => run(['peer', `${port}`, '--collect', ...share, '--trace', join(folder, path)])
  const [missing, isFolder, own] = [await trace('missing/x'), await trace('folder'), await trace('shared.txt')]
  t.match(missing, { code: 5, stderr: /^peer-udp: can't write the trace .*no such file or folder: .* --trace FILE\n$/ })
  t.match(isFolder, { code: 5, stderr: /^peer-udp: can't write the trace .*it is a folder: .* --trace FILE\n$/ })
  t.match(own, { code: 2, stderr: /^peer-udp: the trace would overwrite .*shared\.txt: trace to another path\n$/ })
  t.equal(readFileSync(join(folder, 'shared.txt'), 'utf8'), 'x')
})

function named(lines: readonly TraceLine[], name: string): TraceLine[] {
  return lines.filter(line => line.name === name)
}

function read(path: string): TraceLine[] {
  const text = readFileSync(path, 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
}
