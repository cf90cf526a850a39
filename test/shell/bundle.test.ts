// From a tree on one disk through the blocks of a bundle to a tree on another: src/shell/walk.ts, shared-bundle.ts, offering.ts,
// plan.ts, staging.ts and bundle-target.ts.
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { blocksOf } from '../../src/content/bundle.js'
import { decodeManifest, type Entry, encodeManifest, type Manifest } from '../../src/content/manifest.js'
import { UsageError } from '../../src/errors.js'
import { BundleTarget } from '../../src/shell/bundle-target.js'
import { systemDigests as digests } from '../../src/shell/entropy.js'
import { Folder } from '../../src/shell/folder.js'
import { globs } from '../../src/shell/globs.js'
import { type OfferingOptions, openOffering } from '../../src/shell/offering.js'
import { type Plan, type Policy, planInto } from '../../src/shell/plan.js'
import { SharedBundle } from '../../src/shell/shared-bundle.js'
import { openShared, SharedFile } from '../../src/shell/shared-file.js'
import { LARGE_BYTES } from '../../src/shell/staging.js'
import { type BlockIndex, blockIndex } from '../../src/units.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'
import { FAULTY, TWINS } from '../content/corpus.js'
import { type DiskTree, readTree, someOctets, writeTree } from './disk-tree.js'

const PHOTOS: DiskTree = {
  'photos/a.jpg': someOctets(10),
  'photos/empty.txt': '',
  'photos/nothing': undefined,
  'photos/2024/deep/b.jpg': someOctets(150_000, 1),
  'photos/2024/deep/c.png': someOctets(3, 2),
  'photos/2024/large.raw': someOctets(LARGE_BYTES + 5, 3),
  'photos/run.sh': 'x:#!/bin/sh\n',
  'photos/zz': someOctets(BLOCK_BYTES, 4),
}

t.test('a tree comes out as it went in: empty folders, empty files, modes', async t => {
  const { from, to } = folders(t, PHOTOS)
  const bundle = await offer([join(from, 'photos')])
  t.equal(bundle.offer.name, 'photos')
  t.match(await get(bundle, to), { problems: [], skipped: [] })
  t.strictSame(readTree(to), readTree(from))
  await bundle.close()
})

t.test('the same files give the same id, whatever their times and the order on the disk', async t => {
  const { from, fresh } = folders(t, PHOTOS)
  const other = fresh(Object.fromEntries(Object.entries(PHOTOS).toReversed()))
  const ids = new Set<string>()
  for (const folder of [from, other]) ids.add(await idOf([join(folder, 'photos')]))
  t.equal(ids.size, 1)
  chmodSync(join(other, 'photos/a.jpg'), 0o755)
  ids.add(await idOf([join(other, 'photos')]))
  chmodSync(join(other, 'photos/a.jpg'), 0o644)
  writeFileSync(join(other, 'photos/a.jpg'), someOctets(10, 9))
  ids.add(await idOf([join(other, 'photos')]))
  t.equal(ids.size, 3, 'a mode and an octet make another')
})

t.test('a plain file keeps the root of its octets; what a plain content cannot say makes it a bundle', async t => {
  const { from } = folders(t, {
    'plain.txt': 'hello',
    'run.sh': 'x:hello',
    magic: Buffer.from('\x89peer-udp bundle', 'latin1'),
  })
  const alone = await openShared(join(from, 'plain.txt'), digests)
  const { content } = await openOffering([join(from, 'plain.txt')], digests, { name: 'greeting' })
  t.ok(content instanceof SharedFile)
  t.strictSame(content.offer, { ...alone.offer, name: 'greeting' })
  for (const shared of [alone, content]) await shared.close()
  for (const name of ['run.sh', 'magic']) await (await offer([join(from, name)])).close()
})

t.test('several paths are one bundle, found by the first name', async t => {
  const { from, to } = folders(t, { 'a/x': '1', 'b/y': '2', 'c.txt': '3' })
  const bundle = await offer(['c.txt', 'a', 'b'].map(name => join(from, name)))
  t.equal(bundle.offer.name, 'c.txt+2')
  await get(bundle, to)
  t.strictSame(readTree(to), readTree(from))
  await bundle.close()
})

t.test('links, pipes and what is excluded are left out; include keeps what matches', async t => {
  const { from, to } = folders(t, PHOTOS)
  symlinkSync('/etc/passwd', join(from, 'photos/link'))
  symlinkSync('..', join(from, 'photos/loop'))
  execFileSync('mkfifo', [join(from, 'photos/pipe')])
  const all = await openOffering([join(from, 'photos')], digests)
  t.strictSame([...all.leftOut].sort(), ['photos/link', 'photos/loop', 'photos/pipe'])
  await all.content.close()
  const pathsWith = async (options: OfferingOptions) => {
    const bundle = await offer([join(from, 'photos')], options)
    await bundle.close()
    return bundle.manifest.entries.map(({ path }) => path)
  }
  t.strictSame(await pathsWith({ exclude: globs(['*.jpg', '/photos/2024/large.raw', 'nothing', 'zz/']) }), [
    'photos',
    'photos/2024',
    'photos/2024/deep',
    'photos/2024/deep/c.png',
    'photos/empty.txt',
    'photos/run.sh',
  ])
  t.strictSame(await pathsWith({ include: globs(['deep', 'a.*']), exclude: globs(['c.png']) }), [
    'photos',
    'photos/2024',
    'photos/2024/deep',
    'photos/2024/deep/b.jpg',
    'photos/a.jpg',
  ])
  await t.rejects(offer([join(from, 'photos')], { include: globs(['*.gif']) }), fault('leaves nothing of it'))
  await t.rejects(offer([join(from, 'photos/link')]), fault('it is a symbolic link; name what it leads to'))
  t.strictSame(readTree(to), {})
})

t.test('patterns are those of shells, at any depth or from the top', async t => {
  const matching = (pattern: string) => ['a.jpg', 'x/a.jpg', 'x/y/a.jpg', 'x', '.h/b'].filter(globs([pattern]))
  t.strictSame(matching('*.jpg'), ['a.jpg', 'x/a.jpg', 'x/y/a.jpg'])
  t.strictSame(matching('/*.jpg'), ['a.jpg'])
  t.strictSame(matching('x/*.jpg'), ['x/a.jpg'])
  t.strictSame(matching('x/**'), ['x/a.jpg', 'x/y/a.jpg', 'x'])
  t.strictSame(matching('x/'), ['x'])
  t.strictSame(matching('{b,y}*'), ['.h/b'])
  t.strictSame(matching('*'), ['a.jpg', 'x/a.jpg', 'x/y/a.jpg', 'x', '.h/b'])
  for (const pattern of ['', '/', '[']) t.throws(() => globs([pattern]), UsageError, JSON.stringify(pattern))
})

t.test('what cannot be shared is refused in one line', async t => {
  const { from } = folders(t, { 'a/x': '1', 'b/a/y': '2' })
  await t.rejects(offer([join(from, 'none')]), fault('none: no such file or folder'))
  await t.rejects(offer(['/']), fault("its name can't be sent"))
  await t.rejects(offer([join(from, 'a'), join(from, 'b/a')]), fault('another of the paths is called a too'))
  await t.rejects(offer([join(from, 'a')], { name: 'x/y' }), UsageError)
  writeFileSync(Buffer.concat([Buffer.from(`${from}/a/`), Buffer.of(0xff)]), 'x')
  await t.rejects(offer([join(from, 'a')]), fault("its name can't be sent to others; rename it, or leave it out"))
  await (await offer([join(from, 'a')], { exclude: globs(['ÿ']) })).close()
})

t.test('a shared tree that changes gives no false block, and follows no link', async t => {
  const { from } = folders(t, { 'f/a': someOctets(100), 'f/d/b': someOctets(2 * BLOCK_BYTES, 1), 'outside/b': 'x' })
  const bundle = await offer([join(from, 'f')])
  t.ok((await blockOf(bundle, blockIndex(1))) instanceof Uint8Array)
  appendFileSync(join(from, 'f/a'), 'more')
  t.ok((await blockOf(bundle, blockIndex(0))) instanceof Uint8Array, 'what follows a file is not in it')
  writeFileSync(join(from, 'f/a'), someOctets(100, 7))
  t.match(await blockOf(bundle, blockIndex(0)), /^changed/)
  rmSync(join(from, 'f/d/b'))
  symlinkSync('../../outside/b', join(from, 'f/d/b'))
  t.match(await blockOf(bundle, blockIndex(1)), /it is a symbolic link/)
  await bundle.close()
})

t.test('only what is picked is fetched and written', async t => {
  const { from, to } = folders(t, PHOTOS)
  const bundle = await offer([join(from, 'photos')])
  const plan = await get(bundle, to, { pick: path => path.endsWith('.png') || path === 'photos/nothing' })
  t.strictSame(Object.keys(readTree(to)), [
    'photos',
    'photos/2024',
    'photos/2024/deep',
    'photos/2024/deep/c.png',
    'photos/nothing',
  ])
  t.equal(plan.entries.filter(({ kind }) => kind === 'file').length, 1)
  await bundle.close()
})

t.test(
  'what is there already is not fetched again; what is taken is refused, replaced, renamed or skipped',
  async t => {
    const { from, fresh } = folders(t, PHOTOS)
    const bundle = await offer([join(from, 'photos')])
    const mine = { 'photos/a.jpg': 'mine', 'photos/run.sh/inner': 'mine', 'photos/2024': 'mine' }
    const taken = () => fresh({ ...mine, 'photos/zz': PHOTOS['photos/zz'] })
    const states = (plan: Plan) =>
      Object.fromEntries(plan.entries.map(entry => [entry.path, 'state' in entry && entry.state]))

    const refused = taken()
    const refusal = await get(bundle, refused, { policy: { taken: 'refuse', anyNames: false } })
    t.strictSame(
      refusal.problems.map(({ path, why }) => `${path} ${why}`),
      ['photos/2024 taken', 'photos/a.jpg taken', 'photos/run.sh taken'],
    )

    const over = taken()
    const overwritten = await get(bundle, over, { policy: { taken: 'overwrite', anyNames: false } })
    t.strictSame(
      overwritten.problems.map(({ path }) => path),
      ['photos/2024', 'photos/run.sh'],
      'a folder and a file never replace each other',
    )
    t.match(states(overwritten), { 'photos/a.jpg': 'replaces', 'photos/zz': 'there' })

    const beside = taken()
    await get(bundle, beside, { policy: { taken: 'rename', anyNames: false } })
    t.match(readTree(beside), {
      'photos/a.jpg': `file ${Buffer.from('mine').toString('base64')}`,
      'photos/a (2).jpg': String,
      'photos/run (2).sh': /^executable/,
      'photos/2024 (2)/deep/b.jpg': String,
    })
    const before = readTree(beside)
    const again = await get(bundle, beside, { policy: { taken: 'rename', anyNames: false } })
    t.notOk(Object.values(states(again)).includes('new'), 'the second time all is there')
    t.strictSame(readTree(beside), before)

    const skipping = taken()
    const skipped = await get(bundle, skipping, { policy: { taken: 'skip', anyNames: false } })
    t.equal(skipped.skipped.length, 3)
    t.strictSame(Object.keys(readTree(skipping)).sort(), [
      'photos',
      'photos/2024',
      'photos/a.jpg',
      'photos/empty.txt',
      'photos/nothing',
      'photos/run.sh',
      'photos/run.sh/inner',
      'photos/zz',
    ])

    const replaced = fresh({ photos: undefined, precious: 'mine' })
    symlinkSync('../precious', join(replaced, 'photos/a.jpg'))
    await get(bundle, replaced, { policy: { taken: 'overwrite', anyNames: false } })
    t.equal(readFileSync(join(replaced, 'precious'), 'utf8'), 'mine', 'a link is replaced itself')
    t.strictSame(readFileSync(join(replaced, 'photos/a.jpg')), Buffer.from(someOctets(10)))
    await bundle.close()
  },
)

t.test('names that some system can not hold are refused, renamed, skipped, or written by request', async t => {
  const names = [...Object.values(FAULTY).flat(), ...TWINS.flat()]
  const files = [...new Set(names)].map((name, i) => [name, `${i}`] as const)
  const { from, fresh } = folders(t, Object.fromEntries(files.map(([name, text]) => [`f/${name}`, text])))
  const bundle = await offer([join(from, 'f')])

  const refusal = await get(bundle, fresh(), { policy: { taken: 'overwrite', anyNames: false } })
  const met = new Set(refusal.problems.map(({ why }) => why))
  t.strictSame([...met].sort(), ['character', 'device', 'ending', 'twin'])

  const renamed = fresh()
  t.match(await get(bundle, renamed, { policy: { taken: 'rename', anyNames: false } }), { problems: [] })
  const texts = Object.values(readTree(join(renamed, 'f')))
  t.equal(new Set(texts).size, files.length, 'each file is there, once')

  const skipping = fresh()
  const skipped = await get(bundle, skipping, { policy: { taken: 'skip', anyNames: false } })
  t.equal(Object.keys(readTree(join(skipping, 'f'))).length + skipped.skipped.length, files.length)

  const exact = fresh()
  t.match(await get(bundle, exact, { policy: { taken: 'refuse', anyNames: true } }), { problems: [] })
  t.strictSame(readTree(exact), readTree(from))
  await bundle.close()
})

t.test('nothing is written outside, or into the staging folder, whatever the manifest says', async t => {
  const root = t.testdir({ to: { link: t.fixture('symlink', '../outside') }, outside: {} })
  const to = join(root, 'to')
  const entries: Entry[] = [
    { kind: 'folder', path: 'link' },
    file('link/evil', 'evil'),
    { kind: 'folder', path: '.f.part' },
    file('.f.part/journal', 'evil'),
    file('fine', 'fine'),
  ]
  const source = contentOf(entries, ['evil', 'fine', 'evil'])
  const plan = await get(source, to, { policy: { taken: 'skip', anyNames: true } })
  t.strictSame(plan.skipped, [
    { path: '.f.part', why: 'taken' },
    { path: 'link', why: 'taken' },
  ])
  t.strictSame(readTree(root), {
    outside: 'folder',
    to: 'folder',
    'to/fine': `file ${Buffer.from('fine').toString('base64')}`,
    'to/link': 'link to ../outside',
  })
})

t.test('folders that are swapped for links all the time never lead the files out', async t => {
  const tree = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`f/d${i % 7}/${i}`, `${i}`]))
  const { from, to, fresh } = folders(t, tree)
  const outside = fresh()
  const bundle = await offer([join(from, 'f')])
  let swaps = 0
  const swapper = setInterval(() => {
    for (let i = 0; i < 7; i++) {
      const path = join(to, `f/d${i}`)
      if (!existsSync(path) || existsSync(`${path}.moved`)) continue
      renameSync(path, `${path}.moved`)
      symlinkSync(outside, path)
      swaps++
    }
  }, 0)
  const end = await get(bundle, to).then(
    () => 'finished',
    (error: Error) => error.message,
  )
  clearInterval(swapper)
  t.match(end, /^finished$|symbolic link|another folder|no such file|came there meanwhile/)
  t.ok(swaps > 0, `${swaps} swaps`)
  t.strictSame(readTree(outside), {})
  await bundle.close()
})

t.test('something that comes to a place after the plan is not replaced', async t => {
  const { from, to } = folders(t, { 'f/a': 'new', 'f/b': 'new' })
  const bundle = await offer([join(from, 'f')])
  const late = () => {
    mkdirSync(join(to, 'f'))
    writeFileSync(join(to, 'f/b'), 'mine')
  }
  await t.rejects(get(bundle, to, { beforeFinish: late }), fault('f/b: something came there meanwhile'))
  t.equal(readFileSync(join(to, 'f/b'), 'utf8'), 'mine')
  t.ok(existsSync(join(to, '.f.part/image')), 'what came is kept')
  const again = await get(bundle, to, { policy: { taken: 'overwrite', anyNames: false } })
  t.match(
    again.entries.find(({ path }) => path === 'f/a'),
    { state: 'there' },
  )
  t.strictSame(readTree(to), { ...readTree(from) })
  await bundle.close()
})

t.test('what was staged and journalled is found by the next run, whatever it picks', async t => {
  const { from, to } = folders(t, PHOTOS)
  const bundle = await offer([join(from, 'photos')])
  const { manifest, tree } = bundle
  const targetFor = async (pick: (path: string) => boolean) => {
    const base = await Folder.open(to)
    const policy = { taken: 'refuse', anyNames: false } as const
    const plan = await planInto(base, { manifest, isWanted: pick, policy, digests })
    return new BundleTarget({ base, stagingName: '.f.part', manifest, plan })
  }
  const blocks = await Promise.all(
    Array.from({ length: Math.ceil(manifest.size / BLOCK_BYTES) }, (_, i) => blockOf(bundle, blockIndex(i))),
  )
  const first = await targetFor(path => path.endsWith('.jpg'))
  t.equal(await first.find(), undefined, 'nothing yet')
  await first.prepare(manifest.size, false)
  for (const [i, data] of blocks.entries()) await first.writeBlocks(blockIndex(i), [data as Uint8Array])
  await Promise.all([first.flush(Buffer.from('one'), 0), first.flush(Buffer.from('two'), 3)])
  await first.abandon()
  t.strictSame(Object.keys(readTree(to)), [
    '.f.part',
    `.f.part/${largeOf(manifest)}`,
    '.f.part/image',
    '.f.part/journal',
  ])

  const second = await targetFor(() => true)
  const found = await second.find()
  t.match(found, { bytes: manifest.size, journal: Buffer.from('onetwo'), changedAfter: Number })
  t.ok(found!.changedAfter <= 0, `${found!.changedAfter}`)
  await second.prepare(manifest.size, true)
  for (const [i, data] of blocks.entries()) {
    const read = await second.readBlock(blockIndex(i), tree.leaf(blockIndex(i))!, digests)
    t.equal(Buffer.compare(read as Uint8Array, data as Uint8Array), 0)
  }
  t.equal(await second.readBlock(blockIndex(0), tree.leaf(blockIndex(1))!, digests), 'changed')
  await second.finish()
  await second.abandon()
  t.strictSame(readTree(to), readTree(from))

  const third = await targetFor(() => true)
  await third.prepare(manifest.size, false)
  await third.flush(Buffer.from('journal'), 0)
  await third.prepare(manifest.size, false)
  t.match(await third.find(), { journal: new Uint8Array(0) }, 'a new beginning has no journal')
  await third.finish()
  await third.abandon()
  await bundle.close()
})

t.test('a disk that is too small is said before anything is written', async t => {
  const { to } = folders(t, {})
  const huge = 2 ** 40 - 100
  const source = contentOf(
    [{ kind: 'file', path: 'huge', isExecutable: false, size: huge, root: new Uint8Array(32) }],
    [],
  )
  await t.rejects(get(source, to), fault('the disk is full'))
  t.strictSame(readTree(to), {})
})

/** A folder with the tree, an empty one, and a way to more of them. */
function folders(t: Test, tree: DiskTree) {
  const root = t.testdir({ from: {}, to: {} })
  writeTree(join(root, 'from'), tree)
  const fresh = (content: DiskTree = {}) => {
    const folder = mkdtempSync(join(root, 'more-'))
    writeTree(folder, content)
    return folder
  }
  return { from: join(root, 'from'), to: join(root, 'to'), fresh }
}

async function offer(paths: readonly string[], options?: OfferingOptions): Promise<SharedBundle> {
  const { content } = await openOffering(paths, digests, options)
  if (content instanceof SharedBundle) return content
  throw new Error('no bundle')
}

async function idOf(paths: readonly string[]): Promise<string> {
  const bundle = await offer(paths)
  await bundle.close()
  return Buffer.from(bundle.offer.root).toString('hex')
}

/** What a collector needs to know of a bundle. */
type Source = Pick<SharedBundle, 'manifest' | 'readBlocks'>

interface GetOptions {
  readonly pick?: (path: string) => boolean
  readonly policy?: Policy
  readonly beforeFinish?: () => void
}

/** Plans, and with no problem left fetches exactly the blocks of what is to be written. */
async function get(source: Source, to: string, options: GetOptions = {}): Promise<Plan> {
  const { pick = () => true, policy = { taken: 'refuse', anyNames: false } as const, beforeFinish } = options
  const { manifest } = source
  const base = await Folder.open(to)
  const plan = await planInto(base, { manifest, isWanted: pick, policy, digests, reserved: '.f.part' })
  if (plan.problems.length > 0) {
    await base.close()
    return plan
  }
  const target = new BundleTarget({ base, stagingName: '.f.part', manifest, plan })
  try {
    await target.prepare(manifest.size, false)
    const files = plan.entries.flatMap(entry => (entry.kind === 'file' && entry.state !== 'there' ? [entry.file] : []))
    const blocks: number[] = []
    const wanted = blocksOf(manifest, files)
    wanted.forEachSet(0, wanted.size, block => blocks.push(block))
    for (const block of blocks.toReversed()) {
      const data = await blockOf(source, blockIndex(block))
      if (typeof data === 'string') throw new Error(data)
      await target.writeBlocks(blockIndex(block), [data])
    }
    beforeFinish?.()
    await target.finish()
  } finally {
    await target.abandon()
  }
  return plan
}

async function blockOf(source: Source, block: BlockIndex): Promise<Uint8Array | string> {
  const [data = 'nothing'] = await source.readBlocks(block, [new Uint8Array(BLOCK_BYTES)])
  return data
}

function largeOf({ files }: Manifest): number {
  return files.findIndex(({ size }) => size >= LARGE_BYTES)
}

function file(path: string, text: string): Entry {
  return { kind: 'file', path, isExecutable: false, size: Buffer.byteLength(text), root: new Uint8Array(32) }
}

/** A bundle that nobody has on a disk. @param texts of its files, in the order of the manifest */
function contentOf(entries: readonly Entry[], texts: readonly string[]): Source {
  const head = encodeManifest(entries)
  if (!(head instanceof Uint8Array)) throw new Error(head.reason)
  const size = entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.size : 0), head.length)
  const octets = Buffer.concat([head, Buffer.from(texts.join(''))])
  return {
    manifest: decodeManifest(head, size) as Manifest,
    readBlocks: async first => [octets.subarray(first * BLOCK_BYTES, (first + 1) * BLOCK_BYTES)],
  }
}

function fault(words: string) {
  return { name: 'FileError', message: new RegExp(`^[^\\n]*${words}`) }
}
