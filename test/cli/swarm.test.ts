// The main job with real processes, real sockets, real Ctrl-C and real kill -9.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { built, type Line, type Running } from './process.js'
import { Swarm } from './swarm.js'

const BIG = 6_000_000
/** A transfer of BIG octets from one such peer takes six seconds, from two half as long. */
const LIMIT = ['--limit', '8mbit']

await built()
t.jobs = 2

t.test('the list follows a TTL, then the collector rebuilds the file from a peer and itself', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(300_000) })
  const long = await swarm.peer([])
  const short = await swarm.peer(['2'])
  await swarm.manager.saw('list', line => line.peers.length === 2)

  t.equal(await short.ended, 0)
  t.match(short.stderr, /time is up: the TTL of 2 s ended/)
  t.match(short.lines.at(-1), { t: 'stopped', why: 'ttl-ended' })
  for (const other of [swarm.manager, long]) {
    const list = await other.saw('list', line => line.left.length > 0)
    t.match(list.left, [{ peer: swarm.addressOf(short), reason: 'ttl-ended' }])
    t.match(list.peers, [
      { peer: swarm.addressOf(long), ttlLeft: null, offers: [{ name: 'shared_file.txt', bytes: 300_000 }] },
    ])
  }

  const collector = await swarm.peer(['--collect'])
  const result = await collector.saw('result')
  identical(t, result, swarm.file, join(swarm.folder, 'reconstructed_file.txt'))
  t.equal(result.fragments.length, 2, 'a fragment an active peer')
  t.match(
    result.fragments.map((one: Line) => [one.sources.map((source: Line) => source.peer), one.localWhy]).sort(),
    [
      [[swarm.addressOf(long)], []],
      [[], ['own fragment']],
    ].sort(),
  )
  await collector.said(/identical {2}SHA-256 [0-9a-f]{64}/)

  t.match(
    (await swarm.manager.saw('list', line => line.peers.length === 2 && line.version > 3)).joined,
    [swarm.addressOf(collector)],
    'it stays an active peer',
  )
  swarm.manager.kill('SIGINT')
  t.strictSame(await Promise.all([swarm.manager.ended, long.ended, collector.ended]), [0, 0, 0])
  t.match(long.lines.at(-1), { t: 'stopped', why: 'manager-closed' })
  t.match(long.stderr, /the manager closed the swarm/)
  t.equal(collector.lines.at(-1), result, 'the result is the last line')
})

t.test('the last line of a collector has the fields of the schema and no others', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(200_000) })
  await swarm.peer([])
  const collector = await swarm.peer(['--collect', '--once'])
  t.equal(await collector.ended, 0)
  const result = collector.lines.at(-1) as Line
  t.strictSame(Object.keys(result), [
    'v',
    't',
    'ok',
    'name',
    'bytes',
    'sha256',
    'root',
    'seconds',
    'fragments',
    'error',
  ])
  for (const fragment of result.fragments) {
    t.strictSame(Object.keys(fragment), ['index', 'bytes', 'sources', 'duplicates', 'localBytes', 'localWhy'])
    for (const source of fragment.sources) {
      t.strictSame(Object.keys(source), ['peer', 'bytes', 'chunks', 'retransmitted'])
    }
    const arrived = fragment.sources.reduce((sum: number, source: Line) => sum + source.bytes, fragment.localBytes)
    t.equal(arrived, fragment.bytes, 'each octet has one source')
  }
})

t.test('files of 0, 1 and 65,537 octets arrive at collectors that have none', async t => {
  const swarm = await Swarm.open(t, { file: Buffer.alloc(0) })
  const files = [0, 1, 65_537].map(size => ({ name: `${size}.bin`, content: randomBytes(size) }))
  for (const { name, content } of files) {
    writeFileSync(join(swarm.folder, name), content)
    await swarm.peer(['--share', name])
  }
  const collectors = files.map(({ name }) =>
    swarm.peer(['--collect', '--once', '--share', `empty/${name}`, '--out', `${name}.rebuilt`]),
  )
  for (const [at, collector] of (await Promise.all(collectors)).entries()) {
    const { name, content } = files[at] as (typeof files)[number]
    t.equal(await collector.ended, 0, name)
    identical(t, collector.lines.at(-1) as Line, content, join(swarm.folder, `${name}.rebuilt`))
    t.match(collector.stderr, /matches the root/)
  }
})

t.test('what a killed peer still owed comes from the local file', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(BIG) })
  const victim = await swarm.peer(LIMIT)
  const collector = await swarm.peer(['--collect', '--once'])
  await underWay(collector)
  victim.kill('SIGKILL')
  t.equal(await collector.ended, 0)
  const result = collector.lines.at(-1) as Line
  identical(t, result, swarm.file, join(swarm.folder, 'reconstructed_file.txt'))
  const [owed] = result.fragments.filter((one: Line) => one.sources.length > 0)
  t.match(owed, { sources: [{ peer: swarm.addressOf(victim) }], localWhy: ['peer left'] })
  const left = await swarm.manager.saw('list', line => line.left.some((one: Line) => one.reason === 'silent'))
  t.match(left, { left: [{ peer: swarm.addressOf(victim), reason: 'silent' }] })
})

t.test('what a peer still owed when its TTL ended comes from the local file, though others are there', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(BIG) })
  // Each of the two needs eight seconds for its fragment, and the collector is there within seven.
  const limit = ['--limit', '2mbit']
  await swarm.peer(limit)
  const short = await swarm.peer(['7', ...limit])
  const collector = await swarm.peer(['--collect', '--once'])
  t.equal(await collector.ended, 0)
  const result = collector.lines.at(-1) as Line
  identical(t, result, swarm.file, join(swarm.folder, 'reconstructed_file.txt'))
  t.ok(
    result.fragments.some(
      ({ sources, localWhy }: Line) =>
        sources.some((source: Line) => source.peer === swarm.addressOf(short)) && localWhy.includes('peer left'),
    ),
  )
})

t.test('without a local file the remaining peer gives what the killed one owed', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(BIG) })
  const victim = await swarm.peer(LIMIT)
  const other = await swarm.peer(LIMIT)
  const collector = await swarm.collectorWithout(['--once'])
  await underWay(collector)
  victim.kill('SIGKILL')
  t.equal(await collector.ended, 0)
  const result = collector.lines.at(-1) as Line
  identical(t, result, swarm.file, join(swarm.folder, 'empty/reconstructed_file.txt'))
  t.ok(
    result.fragments.every((one: Line) => one.sources.some((source: Line) => source.peer === swarm.addressOf(other))),
  )
})

t.test('where nobody has the rest the collector fails with 7, keeps the part and says what is missing', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(BIG) })
  const only = await swarm.peer(LIMIT)
  const collector = await swarm.collectorWithout([])
  await underWay(collector)
  only.kill('SIGKILL')
  t.equal(await collector.ended, 7)
  const { ok, error } = collector.lines.at(-1) as Line
  t.match({ ok, error }, { ok: false, error: { kind: 'incomplete' } })
  t.ok(error.missing > 0 && error.missing < BIG, `${error.missing} octets are missing`)
  t.ok(existsSync(join(swarm.folder, 'empty/reconstructed_file.txt.part')))
  t.notOk(existsSync(join(swarm.folder, 'empty/reconstructed_file.txt')))
  t.match(
    collector.stderr,
    /^failed {2}shared_file\.txt: .*\d.*\n {8}what came is kept in empty\/reconstructed_file\.txt\.part: the same command goes on with it$/m,
  )
})

t.test('Ctrl-C on a collector before it is done is an interruption, with a result all the same', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(BIG) })
  await swarm.peer(LIMIT)
  const collector = await swarm.collectorWithout([])
  await underWay(collector)
  collector.kill('SIGINT')
  t.equal(await collector.ended, 130)
  t.match(collector.lines.at(-1), { t: 'result', ok: false, sha256: null, error: { kind: 'interrupted' } })
  t.match(await swarm.manager.saw('list', line => line.left.length > 0), {
    left: [{ peer: swarm.addressOf(collector), reason: 'goodbye' }],
  })
})

t.test('Ctrl-C on a peer is a goodbye, and the transfer goes on without it', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(BIG) })
  const leaver = await swarm.peer(LIMIT)
  await swarm.peer(LIMIT)
  const collector = await swarm.collectorWithout(['--once'])
  await underWay(collector)
  leaver.kill('SIGINT')
  t.equal(await leaver.ended, 0)
  t.match(leaver.stderr, /said goodbye/)
  t.match(await swarm.manager.saw('list', line => line.left.length > 0), {
    left: [{ peer: swarm.addressOf(leaver), reason: 'goodbye' }],
  })
  t.equal(await collector.ended, 0)
  identical(t, collector.lines.at(-1) as Line, swarm.file, join(swarm.folder, 'empty/reconstructed_file.txt'))
})

t.test('a manager that is killed is noticed, and a transfer under way is finished first', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(BIG) })
  const peer = await swarm.peer(LIMIT)
  const collector = await swarm.collectorWithout(['--once'])
  await underWay(collector)
  swarm.manager.kill('SIGKILL')
  t.equal(await collector.ended, 0)
  identical(t, collector.lines.at(-1) as Line, swarm.file, join(swarm.folder, 'empty/reconstructed_file.txt'))
  t.equal(await peer.ended, 3)
  t.match(peer.stderr, /^peer-udp: the manager 127\.0\.0\.1:\d+ fell silent/m)
  t.match(peer.lines.at(-1), { t: 'stopped', why: 'manager-silent' })
})

t.test('SIGTERM is as polite as Ctrl-C; a second Ctrl-C does not wait', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(1_000) })
  const [polite, hasty] = [await swarm.peer([]), await swarm.peer([])]
  polite.kill('SIGTERM')
  t.equal(await polite.ended, 0)
  // A manager that stands still confirms no goodbye.
  swarm.manager.kill('SIGSTOP')
  hasty.kill('SIGINT')
  await sleep(400)
  hasty.kill('SIGINT')
  t.equal(await hasty.ended, 130)
  swarm.manager.kill('SIGCONT')
})

t.test('a disk that takes no more ends the transfer with exit code 5', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(BIG) })
  await swarm.peer([])
  const collector = await swarm.collectorWithout(['--once'], { shell: 'ulimit -f 1000' })
  t.equal(await collector.ended, 5)
  t.match(collector.lines.at(-1), { t: 'result', ok: false, error: { kind: 'disk' } })
})

t.test('a rebuilt file that the local one no longer equals is not called identical', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(BIG) })
  await swarm.peer(LIMIT)
  const own = join(swarm.folder, 'empty/shared_file.txt')
  writeFileSync(own, swarm.file)
  const collector = await swarm.collectorWithout(['--once'])
  await collector.saw('chosen')
  const changed = Buffer.from(swarm.file)
  changed.writeUInt8(changed.readUInt8(0) ^ 1, 0)
  writeFileSync(own, changed)
  t.equal(await collector.ended, 6)
  t.match(collector.lines.at(-1), { ok: false, error: { kind: 'not-identical' } })
  t.ok(swarm.file.equals(readFileSync(join(swarm.folder, 'empty/reconstructed_file.txt'))), 'it is what was offered')
})

t.test('a collector waits for an offer of its name', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(100_000) })
  const collector = await swarm.collectorWithout(['--once'])
  t.match(await collector.saw('waiting'), { name: 'shared_file.txt' })
  await swarm.peer([])
  t.equal(await collector.ended, 0)
})

t.test('of several files under one name the one that most peers offer is taken', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(100_000) })
  mkdirSync(join(swarm.folder, 'other'))
  writeFileSync(join(swarm.folder, 'other/shared_file.txt'), randomBytes(100_000))
  await swarm.peer(['--share', 'other/shared_file.txt'])
  await swarm.peer([])
  await swarm.peer([])
  const collector = await swarm.collectorWithout(['--once'])
  t.equal(await collector.ended, 0)
  t.match(await collector.saw('chosen'), { why: 'most peers', otherRoots: 1 })
  identical(t, collector.lines.at(-1) as Line, swarm.file, join(swarm.folder, 'empty/reconstructed_file.txt'))
})

t.test('words go to stderr, and without --json nothing goes to stdout', async t => {
  const swarm = await Swarm.open(t, { file: randomBytes(1_000), json: false })
  const peer = await swarm.peer([])
  const collector = await swarm.peer(['--collect', '--once'])
  t.equal(await collector.ended, 0)
  swarm.manager.kill('SIGINT')
  await Promise.all([swarm.manager.ended, peer.ended])
  t.strictSame([swarm.manager.stdout, peer.stdout, collector.stdout], ['', '', ''])
  t.match(swarm.manager.stderr, /list \d+: 1 active peer\n/)
  t.notMatch(collector.stderr, '\x1b', 'no escape sequences where there is no terminal')
})

/** Waits until a transfer of BIG octets has begun and is not near its end. */
async function underWay(collector: Running): Promise<void> {
  await collector.saw('progress', line => line.verifiedBytes > BIG / 20)
}

function identical(t: Test, result: Line, file: Buffer, path: string): void {
  const sha256 = createHash('sha256').update(file).digest('hex')
  t.match(result, { v: 1, t: 'result', ok: true, bytes: file.length, sha256, error: null })
  t.ok(file.equals(readFileSync(path)), 'the rebuilt file is the shared one, octet for octet')
}
