import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { JournalWriter, journalBytesMax } from '../../src/content/journal.js'
import { FullTree, leafHash } from '../../src/content/tree.js'
import { FileError } from '../../src/errors.js'
import { systemDigests as digests } from '../../src/shell/entropy.js'
import { openShared, type SharedFile } from '../../src/shell/shared-file.js'
import { Target } from '../../src/shell/target.js'
import { TraceFile } from '../../src/shell/trace-file.js'
import { blockIndex } from '../../src/units.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'

const THREE_BLOCKS = Uint8Array.from({ length: 150_000 }, (_, i) => i % 251)
/** More than is read at once. */
const MANY_BLOCKS = Uint8Array.from({ length: 35 * BLOCK_BYTES + 1 }, (_, i) => (i * 7) % 253)

t.test('a shared file is offered by its base name, its size and the root of its blocks', async t => {
  const folder = t.testdir({ 'a file.bin': Buffer.from(THREE_BLOCKS) })
  const file = await openShared(join(folder, 'a file.bin'), digests)
  t.equal(file.offer.name, 'a file.bin')
  t.equal(file.offer.size, 150_000)
  // The root that spec/content.md states for this very file.
  t.equal(Buffer.from(file.offer.root).toString('hex').slice(0, 16), '88b5a0217e80f6f2')
  await file.close()
})

t.test('files of any size give their blocks back', async t => {
  for (const data of [new Uint8Array(0), Uint8Array.of(9), THREE_BLOCKS, MANY_BLOCKS]) {
    const path = join(t.testdir({ file: Buffer.from(data) }), 'file')
    const file = await openShared(path, digests)
    t.strictSame(file.offer.root, treeOf(data).root)
    const blocks: Uint8Array[] = []
    for (let b = 0; b * BLOCK_BYTES < data.length; b++) blocks.push((await readBlock(file, b)) as Uint8Array)
    t.equal(Buffer.compare(Buffer.concat(blocks), data), 0)
    await file.close()
  }
})

t.test('a block that no longer matches is not given out; the others are', async t => {
  const path = join(t.testdir({ file: Buffer.from(THREE_BLOCKS) }), 'file')
  const file = await openShared(path, digests)
  const changed = new Uint8Array(THREE_BLOCKS)
  changed[BLOCK_BYTES]! ^= 1
  writeFileSync(path, changed)
  t.equal(await readBlock(file, 1), 'changed')
  t.ok((await readBlock(file, 0)) instanceof Uint8Array)
  truncateSync(path, 10)
  t.equal(await readBlock(file, 0), 'changed')
  await file.close()
  t.match(await readBlock(file, 0), /^unreadable: /)
})

t.test('a file that changes while it is read is refused', async t => {
  for (const change of [(path: string) => appendFileSync(path, 'x'), (path: string) => truncateSync(path, 10)]) {
    const path = join(t.testdir({ file: Buffer.from(MANY_BLOCKS) }), 'file')
    let hashed = 0
    const meddling = {
      ...digests,
      sha256: (...parts: readonly Uint8Array[]) => {
        if (hashed++ === 0) change(path)
        return digests.sha256(...parts)
      },
    }
    await t.rejects(openShared(path, meddling), fault('it changes while it is read'))
  }
})

t.test('what cannot be shared is refused in one line', async t => {
  const folder = t.testdir({ folder: {} })
  execFileSync('mkfifo', [join(folder, 'pipe')])
  await t.rejects(openShared(join(folder, 'none'), digests), fault('none: no such file or folder'))
  await t.rejects(openShared(join(folder, 'folder'), digests), fault('folder: it is a folder'))
  await t.rejects(openShared(join(folder, 'pipe'), digests), fault('pipe: it is not a plain file'))
  await t.rejects(openShared(join(folder, 'a\nb'), digests), fault("its name can't be sent to others"))
  writeFileSync(join(folder, 'huge'), '')
  truncateSync(join(folder, 'huge'), 2 ** 40 + 1)
  await t.rejects(openShared(join(folder, 'huge'), digests), fault('huge: it is larger than 1 TiB'))
})

t.test('a target is written in any order beside its path, and takes its name at the end', async t => {
  const out = join(t.testdir({}), 'out.bin')
  const target = await Target.at(out)
  t.notOk(existsSync(`${out}.part`))
  await target.prepare(THREE_BLOCKS.length, false)
  await Promise.all(
    [2, 0, 1].map(b =>
      target.writeBlocks(blockIndex(b), [THREE_BLOCKS.subarray(b * BLOCK_BYTES, (b + 1) * BLOCK_BYTES)]),
    ),
  )
  t.ok(existsSync(`${out}.part`))
  t.notOk(existsSync(out))
  await target.finish()
  t.notOk(existsSync(`${out}.part`))
  t.equal(Buffer.compare(readFileSync(out), THREE_BLOCKS), 0)
})

t.test('an empty target is an empty file, and replaces what was there', async t => {
  const out = join(t.testdir({ out: 'old', 'out.part': 'older' }), 'out')
  const target = await Target.at(out)
  await target.prepare(0, false)
  await target.finish()
  t.equal(readFileSync(out, 'utf8'), '')
})

t.test('a large target is flushed while it is written, and may be abandoned meanwhile', async t => {
  const folder = t.testdir()
  const blocks = Array.from({ length: 160 }, (_, i) => new Uint8Array(BLOCK_BYTES).fill(i))
  for (const name of ['whole', 'abandoned']) {
    const target = await Target.at(join(folder, name))
    await target.prepare(blocks.length * BLOCK_BYTES, false)
    await Promise.all(blocks.map((data, i) => target.writeBlocks(blockIndex(i), [data])))
    await (name === 'whole' ? target.finish() : target.abandon())
  }
  const content = Buffer.concat(blocks)
  t.ok(readFileSync(join(folder, 'whole')).equals(content))
  t.ok(readFileSync(join(folder, 'abandoned.part')).equals(content))
})

t.test('an abandoned target keeps its .part and leaves the old file alone', async t => {
  const out = join(t.testdir({ out: 'old' }), 'out')
  const target = await Target.at(out)
  await target.abandon()
  await target.prepare(3, false)
  await target.writeBlocks(blockIndex(0), [Buffer.from('ne'), Buffer.from('w')])
  await target.abandon()
  await target.abandon()
  t.equal(readFileSync(out, 'utf8'), 'old')
  t.equal(readFileSync(`${out}.part`, 'utf8'), 'new')
})

t.test('a target is gone on with from what its journal counts, and found as it is until then', async t => {
  const out = join(t.testdir({}), 'out')
  const first = await Target.at(out)
  t.equal(await first.find(), undefined)
  await first.prepare(THREE_BLOCKS.length, false)
  await first.writeBlocks(blockIndex(1), [THREE_BLOCKS.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES)])
  await Promise.all([first.flush(Buffer.from('a journal'), 0), first.flush(Buffer.from('!'), 9)])
  await first.flush(Buffer.from('ist'), 10)
  await first.flush(Buffer.from('.'), 9)
  await first.abandon()

  const second = await Target.at(out)
  const found = await second.find()
  t.match(found, { bytes: THREE_BLOCKS.length, journal: Buffer.from('a journal.') })
  t.ok(found!.changedAfter <= 0, `the journal came last: ${found!.changedAfter}`)
  await second.prepare(THREE_BLOCKS.length, true)
  const leaf = treeOf(THREE_BLOCKS).leaf(blockIndex(1))!
  t.ok((await second.readBlock(blockIndex(1), leaf, digests)) instanceof Uint8Array)
  t.equal(await second.readBlock(blockIndex(0), leaf, digests), 'changed')
  t.equal(await second.readBlock(blockIndex(2), leaf, digests), 'changed')
  await second.finish()
  t.notOk(existsSync(`${out}.part.journal`))
  t.notOk(existsSync(`${out}.part`))
})

t.test('a new part empties the journal of the old one first', async t => {
  const folder = t.testdir({
    'out.part': 'old',
    'out.part.journal': 'of old',
    'odd.part': 'old',
    'odd.part.journal': {},
  })
  const target = await Target.at(join(folder, 'out'))
  await target.prepare(7, false)
  t.equal(readFileSync(join(folder, 'out.part.journal'), 'utf8'), '')
  t.equal(readFileSync(join(folder, 'out.part'), 'utf8'), '\0'.repeat(7))
  await target.abandon()
  const odd = await Target.at(join(folder, 'odd'))
  await t.rejects(odd.find(), fault('journal: it is a folder'))
  await t.rejects(odd.prepare(7, false), fault('journal: it is a folder'))
  t.equal(readFileSync(join(folder, 'odd.part'), 'utf8'), 'old', 'nothing was touched')
})

t.test('a journal is neither read nor written through a symbolic link', async t => {
  const folder = t.testdir({ precious: 'x', 'out.part': 'old', 'out.part.journal': t.fixture('symlink', 'precious') })
  const target = await Target.at(join(folder, 'out'))
  await t.rejects(target.find(), fault('it is a symbolic link'))
  await t.rejects(target.prepare(1, false), fault('it is a symbolic link'))
  t.equal(readFileSync(join(folder, 'precious'), 'utf8'), 'x')
})

t.test('of a journal no more is read than its file can have', async t => {
  const journal = JournalWriter.begin(digests, treeOf(THREE_BLOCKS)).take()!.octets
  const folder = t.testdir({
    'a.part': 'x',
    'a.part.journal': Buffer.alloc(10_000),
    'b.part': 'x',
    'b.part.journal': Buffer.concat([journal, Buffer.alloc(10_000)]),
  })
  const lengths = ['a', 'b'].map(async name => (await (await Target.at(join(folder, name))).find())?.journal?.length)
  t.strictSame(await Promise.all(lengths), [65, journalBytesMax(THREE_BLOCKS.length)])
})

t.test('a target that cannot be made is refused in one line', async t => {
  const folder = t.testdir({ file: '', taken: {}, 'link-target': 'precious', 'folder.part': {} })
  await t.rejects(Target.at(join(folder, 'none', 'out')), fault('no such file or folder'))
  await t.rejects(Target.at(join(folder, 'file', 'out')), fault('not a folder'))
  await t.rejects(Target.at(join(folder, 'taken')), fault('it is a folder'))
  await t.rejects((await Target.at(join(folder, 'folder'))).prepare(1, false), fault('it is a folder'))
  const target = await Target.at(join(folder, 'full'))
  await t.rejects(target.prepare(2 ** 53 - 1, false), fault('the disk is full'))
  await target.abandon()
  symlinkSync('link-target', join(folder, 'out.part'))
  await t.rejects((await Target.at(join(folder, 'out'))).prepare(1, false), fault('it is a symbolic link'))
  t.equal(readFileSync(join(folder, 'link-target'), 'utf8'), 'precious')
})

t.test('a target whose name was taken by a folder meanwhile fails at the end', async t => {
  const folder = t.testdir({ out: { inside: '' } })
  const target = await Target.at(join(folder, 'other'))
  await target.prepare(1, false)
  execFileSync('mv', [join(folder, 'out'), join(folder, 'other')])
  await t.rejects(target.finish(), fault("can't write"))
  t.ok(existsSync(join(folder, 'other.part')))
})

t.test('a trace has a line an event that asks for one, and is whole when it is closed', async t => {
  const path = join(t.testdir({ 'run.jsonl': 'of an earlier run' }), 'run.jsonl')
  const trace = await TraceFile.open(path, [`${path}.other`])
  const lines = () => readFileSync(path, 'utf8').split('\n')
  t.match(lines(), [/^\{"t":0,"name":"trace:start","v":1,"time":\d+\}$/, ''], 'what was there is gone')
  trace.onEvent({ kind: 'trace', name: 'a:b', fields: { text: 'ü"', number: 1.5, yes: true } })
  trace.onEvent({ kind: 'waiting', name: 'x' })
  t.equal(lines().length, 2, 'a line alone waits')
  const long = { text: 'x'.repeat(1_000) }
  for (let i = 0; i < 70; i++) trace.onEvent({ kind: 'trace', name: 'a:long', fields: long })
  t.ok(lines().length > 60, 'a full buffer is written')
  trace.close()
  trace.close()
  trace.onEvent({ kind: 'trace', name: 'a:late', fields: {} })
  const read = lines()
  t.equal(read.length, 73)
  t.match(JSON.parse(read[1]!), { t: Number, name: 'a:b', text: 'ü"', number: 1.5, yes: true })
  t.match(JSON.parse(read.at(-2)!), { name: 'a:long', ...long })
})

t.test('a trace that cannot be written is refused at the start, also where the disk is full', async t => {
  const folder = t.testdir({ taken: {}, precious: 'x', link: t.fixture('symlink', 'precious') })
  const refused = (path: string, message: RegExp) =>
    t.rejects(TraceFile.open(path, [join(folder, 'precious')]), { message })
  await refused(join(folder, 'missing/x'), /^can't write the trace .*: no such file or folder$/)
  await refused(join(folder, 'taken'), /^can't write the trace .*: it is a folder$/)
  if (existsSync('/dev/full')) await refused('/dev/full', /^can't write the trace .*: the disk is full$/)
  await refused(join(folder, 'precious'), /would overwrite/)
  await refused(join(folder, 'link'), /would overwrite/)
  t.equal(readFileSync(join(folder, 'precious'), 'utf8'), 'x')
})

function fault(text: string) {
  return { name: 'FileError', constructor: FileError, message: new RegExp(`^[^\\n]*${text}`) }
}

async function readBlock(file: SharedFile, block: number): Promise<Uint8Array | string> {
  const [read = 'nothing'] = await file.readBlocks(blockIndex(block), [new Uint8Array(BLOCK_BYTES)], 'hash')
  return read
}

function treeOf(data: Uint8Array): FullTree {
  const leaves: Uint8Array[] = []
  for (let at = 0; at < data.length; at += BLOCK_BYTES) {
    leaves.push(leafHash(digests, data.subarray(at, at + BLOCK_BYTES)))
  }
  return new FullTree(digests, data.length, Buffer.concat(leaves))
}
