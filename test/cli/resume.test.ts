// A collector that is killed goes on where it was: real processes, real files, real kill -9.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { built, type Line, type Running } from './process.js'
import { Swarm } from './swarm.js'

const SIZE = 6_000_000
/** Two such peers need three seconds. */
const LIMIT = ['--limit', '8mbit']
/** Octets a second, and how long what was verified may wait for its flush on a busy machine, s. */
const RATE = 2_000_000
const FLUSH_MAX = 1
const KILLS = 10
const OUT = ['--once', '--out', 'rebuilt']

await built()
t.jobs = 2

t.test(`a collector that is killed ${KILLS} times fetches every octet once, but for the last moments`, async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(SIZE) })
  await swarm.peer(LIMIT)
  await swarm.peer(LIMIT)
  let verified = 0
  for (let kill = 1; kill <= KILLS; kill++) {
    const collector = await swarm.collectorWithout(OUT)
    const resumed = await resumedBytes(collector)
    t.ok(resumed >= verified - RATE * FLUSH_MAX, `run ${kill} goes on at ${resumed} of ${verified}`)
    await collector.saw('progress', line => line.verifiedBytes > resumed + (Math.random() * SIZE) / (2 * KILLS))
    await sleep(Math.random() * 100)
    collector.kill('SIGKILL')
    await collector.ended
    verified = collector.lines.findLast(line => line.t === 'progress')?.verifiedBytes ?? resumed
    t.notOk(existsSync(join(swarm.folder, 'rebuilt')))
  }
  const last = await swarm.collectorWithout(OUT)
  t.equal(await last.ended, 0)
  const result = last.lines.at(-1) as Line
  identical(t, result, swarm)
  const resumed = await resumedBytes(last)
  t.ok(resumed > 0)
  t.equal(sum(result.fragments.map((one: Line) => one.localBytes)), resumed)
  t.equal(sum(result.fragments.flatMap((one: Line) => one.sources.map((source: Line) => source.bytes))), SIZE - resumed)
  t.match(last.stderr, /^going on with rebuilt\.part: \d/m)
  t.match(last.stderr, /^ +earlier run +\d/m)
  t.notOk(existsSync(join(swarm.folder, 'rebuilt.part.journal')))
})

t.test('after Ctrl-C, and after a disk that took no more, the same command goes on', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(SIZE) })
  await swarm.peer(LIMIT)
  await swarm.peer(LIMIT)
  const first = await swarm.collectorWithout(OUT)
  await first.saw('progress', line => line.verifiedBytes > SIZE / 10)
  first.kill('SIGINT')
  t.equal(await first.ended, 130)
  t.match(first.stderr, /what came is kept in rebuilt\.part: the same command goes on with it/)
  const before = first.lines.findLast(line => line.t === 'progress')!.verifiedBytes

  const second = await swarm.collectorWithout(OUT)
  const resumed = await resumedBytes(second)
  t.ok(resumed >= before - 8 * 65_536, `${resumed} of ${before}: the last flush was waited for`)
  await second.saw('progress', line => line.verifiedBytes > resumed + SIZE / 10)
  second.kill('SIGINT')
  await second.ended

  // 6 MB are more than such a file may have.
  const third = await swarm.collectorWithout(OUT, { shell: 'ulimit -f 3000' })
  t.equal(await third.ended, 5)
  const last = await swarm.collectorWithout(OUT)
  t.equal(await last.ended, 0)
  t.ok((await resumedBytes(last)) > resumed, 'nothing was lost')
  identical(t, last.lines.at(-1) as Line, swarm)
})

t.test('what an earlier run left of another content is kept until --restart drops it', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(SIZE) })
  const old = await swarm.peer(LIMIT)
  const first = await swarm.collectorWithout(OUT)
  await first.saw('progress', line => line.verifiedBytes > SIZE / 10)
  first.kill('SIGKILL')
  old.kill('SIGINT')
  await Promise.all([first.ended, old.ended])
  writeFileSync(join(swarm.folder, 'shared_file.txt'), randomBytes(SIZE))
  await swarm.peer([])
  const part = join(swarm.folder, 'rebuilt.part')
  const before = digestOf(part)

  const refused = await swarm.start(['--collect', '--share', 'empty/shared_file.txt', ...OUT])
  t.equal(await refused.ended, 5)
  t.match(refused.lines.at(-1), { ok: false, error: { kind: 'other-part' } })
  t.match(refused.stderr, /^failed {2}shared_file\.txt: an earlier run left a part of another content/m)
  t.match(refused.stderr, /rebuilt\.part is kept: --restart drops it, --out PATH writes elsewhere/)
  t.equal(digestOf(part), before)

  const restarted = await swarm.collectorWithout([...OUT, '--restart'])
  t.equal(await restarted.ended, 0)
  t.match(restarted.lines.at(-1), { ok: true })
})

t.test('a journal that is none is said so; a part that others changed is checked', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(SIZE) })
  await swarm.peer(LIMIT)
  const [part, journal] = ['rebuilt.part', 'rebuilt.part.journal'].map(name => join(swarm.folder, name)) as [
    string,
    string,
  ]
  const interrupted = async (signal: 'SIGINT' | 'SIGKILL' = 'SIGKILL') => {
    const collector = await swarm.collectorWithout(OUT)
    await collector.saw('progress', line => line.verifiedBytes > SIZE / 5)
    collector.kill(signal)
    await collector.ended
    return collector
  }
  await interrupted()
  writeFileSync(journal, 'scribble')
  // Politely: the journal then counts all that is in the part.
  const anew = await interrupted('SIGINT')
  t.match(
    anew.lines.find(line => line.t === 'resumed'),
    { bytes: 0, dropped: 'has a journal that is no journal' },
  )
  t.match(anew.stderr, /^rebuilt\.part has a journal that is no journal: starting over$/m)

  const octets = readFileSync(part)
  const at = octets.findIndex(octet => octet !== 0)
  octets.writeUInt8(octets.readUInt8(at) ^ 1, at)
  writeFileSync(part, octets)
  utimesSync(part, new Date(), new Date(Date.now() + 120_000))
  const checked = await interrupted()
  const { bytes, dropped } = checked.lines.find(line => line.t === 'resumed') as Line
  t.equal(dropped, 'was changed by others')
  // Whole blocks, the short last one among them or not: which come first is left to chance while an ended collector is listed.
  t.ok(bytes > 0 && [0, SIZE % 65_536].includes(bytes % 65_536), `${bytes}`)
  t.match(checked.stderr, /^rebuilt\.part was changed by others: .* of it are still right, going on with them$/m)

  truncateSync(part, SIZE - 1)
  const last = await swarm.collectorWithout(OUT)
  t.equal(await last.ended, 0)
  t.match(last.stderr, /^rebuilt\.part has 5999999 octets instead of 6000000: starting over$/m)
  identical(t, last.lines.at(-1) as Line, swarm)
})

t.test('a part that was changed without a trace does not pass for the file', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(SIZE) })
  await swarm.peer(LIMIT)
  const first = await swarm.collectorWithout(OUT)
  await first.saw('progress', line => line.verifiedBytes > SIZE / 5)
  first.kill('SIGINT')
  await first.ended
  const part = join(swarm.folder, 'rebuilt.part')
  const octets = readFileSync(part)
  const at = octets.findIndex(octet => octet !== 0)
  octets.writeUInt8(octets.readUInt8(at) ^ 1, at)
  writeFileSync(`${part}.new`, octets)
  renameSync(`${part}.new`, part)
  const last = await swarm.collectorWithout(OUT)
  t.equal(await last.ended, 6)
  t.match(last.lines.at(-1), {
    ok: false,
    error: { kind: 'not-identical', detail: /an earlier run's part was changed/ },
  })
})

/** What a collector goes on with; 0 where it says nothing of that before its first progress. */
async function resumedBytes(collector: Running): Promise<number> {
  await collector.saw('progress')
  return collector.lines.find(line => line.t === 'resumed')?.bytes ?? 0
}

function identical(t: Test, result: Line, swarm: Swarm): void {
  const sha256 = createHash('sha256').update(swarm.file).digest('hex')
  t.match(result, { t: 'result', ok: true, bytes: SIZE, sha256, error: null })
  t.equal(digestOf(join(swarm.folder, 'rebuilt')), sha256)
}

function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
