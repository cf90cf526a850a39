// share, ls, get and verify as a person uses them: real processes, real files, real pipes.
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type DiskTree, readTree, someOctets, writeTree } from '../shell/disk-tree.js'
import { built, CLI, type Ended } from './process.js'
import { Swarm } from './swarm.js'

const PHOTOS: DiskTree = {
  'photos/a.jpg': someOctets(10),
  'photos/empty': undefined,
  'photos/2024/b.jpg': someOctets(150_000, 1),
  'photos/2024/large.raw': someOctets(1_500_000, 3),
  'photos/run.sh': 'x:#!/bin/sh\n',
}
const BYTES = 10 + 150_000 + 1_500_000 + 10

await built()
t.jobs = 2

t.test('a folder is shared, listed, got and verified', async t => {
  const swarm = await open(t, PHOTOS)
  const sharer = swarm.verb(['share', 'photos', '--json'])
  const shared = await sharer.saw('shared')
  t.match(shared, { name: 'photos', leftOut: [], id: /^[\da-f]{64}$/ })
  await sharer.said(new RegExp(`sharing photos, 1.65 MB, 7 paths:\\n {2}photos\\n[\\s\\S]*id ${shared.id}`))
  await sharer.said(/registered with/)

  const ls = await swarm.run(['ls'])
  t.equal(ls.code, 0)
  t.match(ls.stdout, new RegExp(`photos +1,6\\d\\d,\\d\\d\\d +${shared.id.slice(0, 16)} +1 +127.0.0.1:\\d+\\n$`))
  const inside = await swarm.run(['ls', 'photos'])
  t.match(inside.stdout, / +photos\/\n +photos\/2024\/\n +150,000 +photos\/2024\/b.jpg\n[\s\S]*photos\/run.sh\*\n$/)

  const got = await swarm.run(['get', 'photos', '-o', 'out/deep', '--yes', '--json'])
  t.equal(got.code, 0, got.stderr)
  t.strictSame(readTree(join(swarm.folder, 'out/deep/photos')), readTree(join(swarm.folder, 'photos')))
  t.match(got.lines, [{ t: 'started' }, { t: 'planned', bytes: BYTES }, { t: 'chosen' }])
  t.match(got.lines.at(-1), { t: 'got', ok: true, id: shared.id, files: 4, bytes: BYTES, presentBytes: 0, error: null })
  t.equal(got.lines.at(-1)?.givers[0].bytes, shared.bytes)
  t.match(got.stderr, /into out\/deep:\n {2}photos\/\n[\s\S]*photos\/a.jpg, 10 B\n/)
  t.match(got.stderr, /got photos: 4 files, 1.65 MB in .*\nfrom +octets/)

  const same = await swarm.run(['verify', 'out/deep/photos', '--root', shared.id])
  t.equal(same.code, 0)
  t.match(same.stderr, /^identical {2}4 files/)
  const which = await swarm.run(['verify', 'out/deep/photos'])
  t.equal(which.stdout, `${shared.id}  photos\n`)
  appendFileSync(join(swarm.folder, 'out/deep/photos/a.jpg'), 'x')
  rmSync(join(swarm.folder, 'out/deep/photos/run.sh'))
  writeFileSync(join(swarm.folder, 'out/deep/photos/new'), 'x')
  const other = await swarm.run(['verify', 'out/deep/photos', '--root', shared.id.slice(0, 16), '--json'])
  t.equal(other.code, 6)
  t.match(
    other.stderr,
    /different {2}the id is .*\n.*a.jpg is another file\n.*run.sh is missing\n.*new is not part of it\n/,
  )
  t.match(other.lines, [
    {
      t: 'verified',
      ok: false,
      differences: [
        { path: 'photos/a.jpg', what: 'changed' },
        { path: 'photos/run.sh', what: 'missing' },
        { path: 'photos/new', what: 'extra' },
      ],
    },
  ])

  sharer.kill('SIGINT')
  t.equal(await sharer.ended, 0)
  t.match(sharer.lines.at(-1), { t: 'stopped', why: 'asked' })
})

t.test(
  'get decides nothing by itself: without a terminal it wants --yes, and a flag for what is in the way',
  async t => {
    const swarm = await open(t, { ...PHOTOS, 'out/photos/a.jpg': 'mine', 'out/photos/2024': 'mine' })
    const sharer = swarm.verb(['share', 'photos'])
    await sharer.said(/registered with/)
    refused(t, await swarm.run(['get', 'photos', '-o', 'new']), 2, /write 4 files, 1.65 MB, into new\? .* add --yes/)
    t.notOk(existsSync(join(swarm.folder, 'new')))
    const before = readTree(join(swarm.folder, 'out'))
    refused(
      t,
      await swarm.run(['get', 'photos', '-o', 'out', '--yes']),
      2,
      /nothing was written: photos\/2024 \(something else is there\), photos\/a.jpg .*--overwrite, --rename or --skip/,
    )
    t.strictSame(readTree(join(swarm.folder, 'out')), before)

    const skip = await swarm.run(['get', 'photos', '-o', 'out', '--yes', '--skip'])
    t.equal(skip.code, 0)
    t.match(skip.stderr, /left out: photos\/a.jpg: something else is there/)
    t.equal(readFileSync(join(swarm.folder, 'out/photos/a.jpg'), 'utf8'), 'mine')
    t.equal((await swarm.run(['get', 'photos', '-o', 'out', '--yes', '--rename'])).code, 0)
    t.strictSame(readFileSync(join(swarm.folder, 'out/photos/a (2).jpg')), Buffer.from(someOctets(10)))
    rmSync(join(swarm.folder, 'out/photos/2024'))
    const over = await swarm.run(['get', 'photos', '-o', 'out', '--yes', '--overwrite'])
    t.match(over.stderr, /photos\/a.jpg, 10 B, in place of what is there/)
    t.strictSame(readFileSync(join(swarm.folder, 'out/photos/a.jpg')), Buffer.from(someOctets(10)))
    const again = await swarm.run(['get', 'photos', '-o', 'out'])
    t.equal(again.code, 0, 'nothing is to be asked')
    t.match(again.stderr, /there already photos: 1.65 MB, into out/)
  },
)

t.test('at a terminal get asks, and writes what was agreed to', async t => {
  if (!existsSync('/usr/bin/script')) {
    t.comment('there is no script(1) to make a terminal')
    return
  }
  const swarm = await open(t, { 'hello.txt': 'hello' })
  const sharer = swarm.verb(['share', 'hello.txt'])
  await sharer.said(/registered with/)
  const command = `${process.execPath} ${CLI} get hello.txt -o out --manager ${swarm.managerAt}`
  for (const [answer, isThere] of [
    ['n', false],
    ['', false],
    ['y', true],
  ] as const) {
    const { status, output } = await atTerminal(command, `${answer}\n`, swarm.folder)
    t.match(output, /write 1 file, 5 B, into out\? \[y\/N\]/)
    t.equal(status, isThere ? 0 : 130)
    t.equal(existsSync(join(swarm.folder, 'out/hello.txt')), isThere, `after ${JSON.stringify(answer)}`)
  }
})

t.test('pick takes some files, include and exclude share some, and links stay out', async t => {
  const swarm = await open(t, PHOTOS)
  symlinkSync('/etc/passwd', join(swarm.folder, 'photos/link'))
  const sharer = swarm.verb([
    'share',
    'photos',
    '--exclude',
    '*.raw',
    '--exclude',
    'empty',
    '--name',
    'pictures',
    '--json',
  ])
  const shared = await sharer.saw('shared')
  t.strictSame(shared.paths, ['photos', 'photos/2024', 'photos/2024/b.jpg', 'photos/a.jpg', 'photos/run.sh'])
  t.strictSame(shared.leftOut, ['photos/link'])
  await sharer.said(/left out, as links and devices are: photos\/link/)
  await sharer.said(/registered with/)
  const got = await swarm.run(['get', 'pictures', '-o', 'out', '-y', '--pick', '2024', '--pick=*.sh'])
  t.equal(got.code, 0, got.stderr)
  t.strictSame(Object.keys(readTree(join(swarm.folder, 'out'))), [
    'photos',
    'photos/2024',
    'photos/2024/b.jpg',
    'photos/run.sh',
  ])
  refused(
    t,
    await swarm.run(['get', 'pictures', '-o', 'out', '-y', '--pick', '*.gif']),
    2,
    /nothing in "pictures" matches \*\.gif/,
  )
  const filters = ['--exclude', '*.raw', '--exclude', 'empty']
  t.equal((await swarm.run(['verify', 'photos', '--root', shared.id, ...filters])).code, 0)
})

t.test('stdin is shared, and stdout gets it in order: a tree through tar at both ends', async t => {
  const swarm = await open(t, {})
  const content = Buffer.from(someOctets(2_000_000))
  const sharer = swarm.verb(['share', '-', '--name', 'stream'], { input: content })
  await sharer.said(/registered with/)
  await sharer.said(/sharing stream, 2.00 MB\n/)
  const got = await octetsOf(swarm, ['get', 'stream', '-o', '-'])
  t.equal(got.code, 0, got.stderr)
  t.equal(createHash('sha256').update(got.octets).digest('hex'), createHash('sha256').update(content).digest('hex'))
  t.strictSame(readTree(swarm.folder), { empty: 'folder', 'shared_file.txt': 'file ' }, 'nothing lies about')
  refused(t, await swarm.run(['share', '-', 'shared_file.txt']), 2, /stdin \(-\) is shared alone/)
  const unnamed = swarm.verb(['share', '-'], { input: Buffer.from('x') })
  await unnamed.said(/sharing stdin, 1 B\n/)
})

t.test('what a peer offers a share and a get can join in, and the other way round', async t => {
  const swarm = await open(t, { 'shared_file.txt': someOctets(800_000) })
  await swarm.peer([])
  const sharer = swarm.verb(['share', 'shared_file.txt'])
  await sharer.said(/registered with/)
  const collector = await swarm.collectorWithout(['--once', '--out', 'collected', '--json'])
  t.equal(await collector.ended, 0)
  t.equal(collector.lines.at(-1)?.fragments.length, 2, 'from both')
  t.equal((await swarm.run(['get', 'shared_file.txt', '-o', 'out', '-y'])).code, 0)
  for (const path of ['collected', 'out/shared_file.txt']) {
    t.equal(Buffer.compare(readFileSync(join(swarm.folder, path)), someOctets(800_000)), 0, path)
  }
})

t.test('Ctrl-C and kill -9 in the middle: the same command goes on with what came', async t => {
  const swarm = await open(t, {
    'big.bin': someOctets(6_000_000),
    'tree/one': someOctets(3_000_000, 1),
    'tree/two': 'two',
  })
  for (const path of ['big.bin', 'tree']) {
    const sharer = swarm.verb(['share', path, '--limit', '12mbit'])
    await sharer.said(/registered with/)
  }
  for (const [what, signal, code] of [
    ['big.bin', 'SIGINT', 130],
    ['tree', 'SIGKILL', 'SIGKILL'],
  ] as const) {
    const getting = swarm.verb(['get', what, '-o', 'out', '-y', '--json'])
    await getting.saw('progress', line => line.verifiedBytes > 1_500_000)
    getting.kill(signal)
    t.equal(await getting.ended, code)
    if (signal === 'SIGINT') {
      t.match(getting.stderr, /interrupted\n.*the same command goes on with it/)
      t.match(getting.lines.at(-1), { t: 'got', ok: false, error: { kind: 'interrupted' } })
    }
    const again = await swarm.run(['get', what, '-o', 'out', '-y', '--json'])
    t.equal(again.code, 0, again.stderr)
    t.match(again.stderr, /going on with an earlier run/)
    t.ok(again.lines.at(-1)?.localBytes > 250_000, `${again.lines.at(-1)?.localBytes} were there`)
  }
  const { out, ...rest } = readTree(swarm.folder)
  for (const path of ['big.bin', 'tree/one', 'tree/two']) t.equal(rest[`out/${path}`], rest[path], path)
  t.notOk(Object.keys(rest).some(path => path.includes('.part')))
})

t.test('--seed: a get serves what it got, for its time or until Ctrl-C', async t => {
  const swarm = await open(t, PHOTOS)
  const sharer = swarm.verb(['share', 'photos'])
  await sharer.said(/registered with/)
  const seeding = swarm.verb(['get', 'photos', '-o', 'a', '-y', '--json', '--seed'])
  await seeding.said(/got photos[\s\S]*serving photos \(Ctrl-C leaves\)/)
  t.match(await seeding.saw('got'), { ok: true, files: 4 })
  sharer.kill('SIGINT')
  t.equal(await sharer.ended, 0)
  const timed = await swarm.run(['get', 'photos', '-o', 'b', '-y', '--seed', '1', '--limit', '50mbit'])
  t.equal(timed.code, 0, timed.stderr)
  t.match(timed.stderr, /serving photos for 1.0 s[\s\S]*time is up: served it for 1.0 s\n/)
  seeding.kill('SIGINT')
  t.equal(await seeding.ended, 0)
  t.match(seeding.stderr, /said goodbye to the manager\n$/)
  t.match(seeding.lines.at(-1), { t: 'stopped', why: 'asked' })
  const { empty, 'shared_file.txt': shared, ...rest } = readTree(swarm.folder)
  for (const [path, content] of Object.entries(rest)) {
    if (!path.startsWith('photos')) continue
    for (const copy of ['a', 'b']) t.equal(rest[`${copy}/${path}`], content, path)
  }
  const again = swarm.verb(['share', 'photos'])
  await again.said(/registered with/)
  const there = await swarm.run(['get', 'photos', '-o', 'a', '-y', '--seed'])
  t.equal(there.code, 0)
  t.match(there.stderr, /there already photos[\s\S]*not served on.*"peer-udp share" offers what is there/)
  for (const [args, why] of [
    [['get', 'x', '--seed', 'x'], /--seed "x" is not a whole number of seconds/],
    [['get', 'x', '--seed', '0'], /--seed 0 would end at once/],
    [['get', 'x', '--seed', '999999999999'], /--seed 999999999999 is out of range/],
    [['get', 'x', '--seed', '-o', '-'], /--seed serves files, and -o - writes none/],
  ] as const) {
    refused(t, await swarm.run(args), 2, why)
  }
})

t.test('ls says how complete a content is at those who collect it', async t => {
  const swarm = await open(t, { 'big.bin': someOctets(4_000_000) })
  await swarm.verb(['share', 'big.bin', '--limit', '2mbit']).said(/registered with/)
  const getting = swarm.verb(['get', 'big.bin', '-o', 'out', '-y', '--json'])
  await getting.saw('progress', line => line.verifiedBytes > 400_000)
  const [table, json] = await Promise.all([swarm.run(['ls']), swarm.run(['ls', '--json'])])
  t.match(table.stdout, /big.bin +4,000,000 +[\da-f]{16} +2 +127.0.0.1:\d+ (127.0.0.1:\d+ )?\([1-9]\d* %\)/)
  const [held] = json.lines.filter(line => line.t === 'held')
  t.equal(held?.peers.length, 2)
  const [less = 0, all = 0] = [...(held?.has ?? [])].sort()
  t.ok(less > 0.1 && less < 1 && all === 1, `${held?.has}`)
  getting.kill('SIGINT')
  await getting.ended
})

t.test('a get fails in one line and with its exit code', async t => {
  const swarm = await open(t, { 'a/x': 'one', 'b/x': 'two', file: 'x', closed: undefined })
  const none = await swarm.run(['get', 'nobody', '--yes', '--json'])
  t.equal(none.code, 7)
  t.match(none.lines.at(-1), { t: 'got', ok: false, name: 'nobody', error: { kind: 'no-offer' } })
  t.match(none.stderr, /peer-udp: no peer offers "nobody"\n$/)
  for (const path of ['a/x', 'b/x']) await swarm.verb(['share', path]).said(/registered with/)
  const two = await swarm.run(['get', 'x', '-y'])
  refused(
    t,
    two,
    2,
    /2 different contents are offered as "x": give the id instead, one of [\da-f]{16} \(1\), [\da-f]{16} \(1\)/,
  )
  const id = /one of ([\da-f]{16})/.exec(two.stderr)?.[1] ?? ''
  t.equal((await swarm.run(['get', id, '-y', '-o', 'out'])).code, 0)
  refused(t, await swarm.run(['get', id, '-y', '-o', 'file']), 5, /file: it is not a folder/)
  refused(t, await swarm.run(['get', id, '-y', '-o', 'file/x']), 5, /file\/x: a part of the path is not a folder/)
  refused(t, await swarm.run(['share', 'none']), 5, /none: no such file or folder/, 'share')
  mkdirSync(join(swarm.folder, 'sub'))
  symlinkSync('../file', join(swarm.folder, 'sub/link'))
  refused(t, await swarm.run(['share', 'sub/link']), 5, /it is a symbolic link; name what it leads to/)
  const lost = await swarm.run(['get', 'x', '-y', '--port', '1'], { shell: 'true' })
  if (process.getuid?.() !== 0) refused(t, lost, 4, /port 1/)
})

async function open(t: Test, tree: DiskTree): Promise<Swarm> {
  const swarm = await Swarm.open(t, { file: Buffer.alloc(0), json: false })
  writeTree(swarm.folder, tree)
  return swarm
}

function refused(t: Test, ended: Ended, code: number, words: RegExp, title?: string): void {
  const line = ended.stderr.split('\n').find(text => text.startsWith('peer-udp: '))
  t.match({ code: ended.code, line }, { code, line: words }, title ?? String(words))
  t.equal(ended.stdout, '')
}

/** Runs to the end, and keeps stdout as it is. */
function octetsOf(swarm: Swarm, args: readonly string[]): Promise<{ code: number; stderr: string; octets: Buffer }> {
  const command = [CLI, ...args, '--manager', swarm.managerAt]
  const options = { cwd: swarm.folder, encoding: 'buffer', maxBuffer: 1 << 26 } as const
  return new Promise(resolve => {
    execFile(process.execPath, command, options, (error, octets, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stderr: String(stderr), octets }),
    )
  })
}

/** Runs a command line at a terminal of its own, and types `input` when it asks. */
async function atTerminal(command: string, input: string, cwd: string): Promise<{ status: unknown; output: string }> {
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], { cwd, stdio: ['pipe', 'pipe', 'ignore'] })
  let output = ''
  let hasAnswered = false
  terminal.stdout.on('data', (data: Buffer) => {
    output += data
    if (hasAnswered || !output.includes('[y/N]')) return
    hasAnswered = true
    terminal.stdin.write(input)
  })
  const [status] = await once(terminal, 'close')
  return { status, output }
}
