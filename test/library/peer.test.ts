// The library as a program uses it: real peers of this process on loopback, real files.
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import {
  createManager,
  createPeer,
  DeclinedError,
  type GetEvent,
  type GetOptions,
  type Got,
  type HostEvent,
  type Peer,
  PlanError,
  StoppedError,
  TransferError,
  UsageError,
} from '../../src/index.js'
import { LARGE_BYTES } from '../../src/shell/staging.js'
import { type DiskTree, readTree, someOctets, writeTree } from '../shell/disk-tree.js'

const PHOTOS: DiskTree = {
  'photos/a.jpg': someOctets(10),
  'photos/empty': undefined,
  'photos/2024/b.jpg': someOctets(150_000, 1),
  'photos/2024/large.raw': someOctets(LARGE_BYTES + 5, 3),
  'photos/run.sh': 'x:#!/bin/sh\n',
}

t.test('a tree that two peers share is got by name and by id, with word of who gave what', async t => {
  const { from, fresh, peers } = await swarm(t, 3, PHOTOS)
  const [a, b, c] = peers as [Peer, Peer, Peer]
  const shared = await a.share(join(from, 'photos'))
  t.strictSame(await b.share([join(from, 'photos')]), shared, 'the same id')
  t.strictSame(shared.paths, [
    'photos',
    'photos/2024',
    'photos/2024/b.jpg',
    'photos/2024/large.raw',
    'photos/a.jpg',
    'photos/empty',
    'photos/run.sh',
  ])
  const into = join(fresh(), 'made', 'on the way')
  const got = await c.get('photos', { into })
  t.strictSame(readTree(into), readTree(from))
  t.match(got, { id: shared.id, name: 'photos', into, local: 0, present: 0, skipped: [] })
  const given = got.givers.reduce((sum, { bytes }) => sum + bytes, 0)
  t.equal(given, shared.bytes, 'each octet has one giver')
  t.match(c.held, [{ id: shared.id, names: ['photos'], bytes: shared.bytes, peers: [{}, {}] }])

  const again = await c.get(shared.id, { into })
  t.equal(again.present, got.bytes, 'the second time all is there')
  const elsewhere = fresh()
  await c.get(shared.id.slice(0, 16).toUpperCase(), { into: elsewhere, pick: ['*.sh', '2024/*.jpg'] })
  t.strictSame(Object.keys(readTree(elsewhere)), ['photos', 'photos/2024', 'photos/2024/b.jpg', 'photos/run.sh'])
})

t.test('a plain file, an empty one, and a peer that was started with its files', async t => {
  const { from, fresh, manager } = await swarm(t, 0, { 'plain.txt': 'hello', empty: '' })
  const a = await started(t, createPeer({ manager, share: [join(from, 'plain.txt')] }))
  const b = await started(t, createPeer({ manager }))
  await a.share(join(from, 'empty'), { name: 'nothing' })
  const into = fresh()
  await b.get('plain.txt', { into })
  await b.get('nothing', { into })
  t.strictSame(readTree(into), {
    nothing: 'file ',
    'plain.txt': `file ${Buffer.from('hello').toString('base64')}`,
  })
})

t.test('what came whole is served on: to who comes when those who had it are gone', async t => {
  const { from, fresh, manager, peers } = await swarm(t, 2, { ...PHOTOS, tiny: 'hello', empty: '' })
  const [a, b] = peers as [Peer, Peer]
  for (const path of ['photos', 'tiny', 'empty']) await a.share(join(from, path))
  const names = ['photos', 'tiny', 'empty']
  const [into, taken] = [fresh(), { 'photos/a.jpg': 'mine' }]
  const folders = [fresh(taken), into, into]
  const gots = await Promise.all(names.map((name, i) => b.get(name, { into: folders[i]!, taken: 'rename' })))
  for (const { seeding } of gots) t.ok(seeding)
  await a.stop()
  const c = await started(t, createPeer({ manager }))
  const copy = fresh()
  for (const name of names) {
    const got = await c.get(name, { into: copy, seed: 0 })
    t.equal(got.seeding, undefined)
    t.ok(got.bytes === 0 || got.givers.every(({ peer }) => peer.port === b.local.port))
  }
  t.strictSame(readTree(copy), readTree(from))
  await b.stop()
  t.strictSame(await Promise.all(gots.map(({ seeding }) => seeding)), ['stopped', 'stopped', 'stopped'])
})

t.test('serving on ends with its time, with its files, and where a newer one needs the place', async t => {
  const { from, fresh, manager, peers } = await swarm(t, 2, { ...PHOTOS, gone: someOctets(LARGE_BYTES) })
  const [a, b] = peers as [Peer, Peer]
  for (const path of ['photos', 'gone']) await a.share(join(from, path))
  const short = await b.get('photos', { into: fresh(), seed: 0.2 })
  t.equal(await short.seeding, 'over')
  const into = fresh()
  const lost = await b.get('gone', { into })
  await a.stop()
  writeFileSync(join(into, 'gone'), 'other octets')
  const c = await started(t, createPeer({ manager }))
  await t.rejects(c.get('gone', { into: fresh() }), { name: 'TransferError' })
  t.equal(await lost.seeding, 'lost')

  const some = Array.from({ length: 17 }, (_, i) => `n${i}`)
  const gots: Got[] = []
  for (const name of some) {
    const d = await createPeer({ manager })
    writeFileSync(join(from, name), name)
    await d.share(join(from, name))
    gots.push(await b.get(name, { into }))
    await d.stop()
  }
  t.equal(await gots[0]!.seeding, 'room')
  await c.get('n16', { into: fresh() })
})

t.test('what did not come whole is not served on', async t => {
  const { from, fresh, peers } = await swarm(t, 2, PHOTOS)
  const [a, b] = peers as [Peer, Peer]
  await a.share(join(from, 'photos'))
  const into = fresh()
  t.equal((await b.get('photos', { into, pick: ['2024'] })).seeding, undefined)
  t.equal((await b.get('photos', { into })).seeding, undefined, 'some of it was there before')
  t.equal((await b.get('photos', { into })).seeding, undefined, 'all of it was')
  t.equal((await b.get('photos', { to: new PassThrough().resume() })).seeding, undefined)
})

t.test('a survey tells how much of a content each of those has who offer it', async t => {
  const { from, fresh, manager } = await swarm(t, 0, { 'large.bin': someOctets(4 * LARGE_BYTES), tiny: 'x' })
  const a = await started(t, createPeer({ manager, limit: 16_000_000 }))
  const [b, c] = await Promise.all([started(t, createPeer({ manager })), started(t, createPeer({ manager }))])
  await a.share(join(from, 'large.bin'))
  let verified = 0
  const get = b.get('large.bin', { into: fresh() })
  for await (const event of get) {
    if (event.kind !== 'progress') continue
    verified = event.progress.verifiedBytes
    if (verified > LARGE_BYTES) break
  }
  const partialOf = () => c.held[0]?.partial.length
  while (partialOf() !== 1) await new Promise(resolve => setTimeout(resolve, 5))
  const holders = await c.survey(c.held[0]!)
  const has = (port: number) => holders.find(({ peer }) => peer.port === port)?.has
  t.equal(has(a.local.port), 1)
  t.ok(has(b.local.port)! > verified / (4 * LARGE_BYTES), `${has(b.local.port)} of ${verified}`)
  t.ok(has(b.local.port)! < 1)
  await get
  while (partialOf() !== 0) await new Promise(resolve => setTimeout(resolve, 5))
  t.strictSame(
    (await c.survey(c.held[0]!)).map(holder => holder.has),
    [1, 1],
  )
  const given = AbortSignal.abort(new Error('enough'))
  const partial = c.held[0]!.peers
  await t.rejects(c.survey({ ...c.held[0]!, partial }, { signal: given }), { message: 'enough' })
})

t.test('octets go to a stream in their order, of the picked files one after the other', async t => {
  const { from, peers } = await swarm(t, 3, PHOTOS)
  const [a, b, c] = peers as [Peer, Peer, Peer]
  await a.share(join(from, 'photos'))
  await b.share(join(from, 'photos'))
  const to = new PassThrough()
  const sum = createHash('sha256')
  const reading = (async () => {
    for await (const part of to) sum.update(part)
  })()
  const got = await c.get('photos', { to, pick: ['2024'] })
  t.strictSame(
    got.entries.map(({ path }) => path),
    ['photos/2024/b.jpg', 'photos/2024/large.raw'],
  )
  t.notOk(to.writableEnded, 'the stream stays open')
  to.end()
  await reading
  const expected = createHash('sha256').update(PHOTOS['photos/2024/b.jpg']!).update(PHOTOS['photos/2024/large.raw']!)
  t.equal(sum.digest('hex'), expected.digest('hex'))
})

t.test('a stream whose reader goes away ends the get', async t => {
  const { from, peers } = await swarm(t, 2, PHOTOS)
  const [a, b] = peers as [Peer, Peer]
  await a.share(join(from, 'photos'))
  const to = new Writable({
    write(_, __, done) {
      done(new Error('gone'))
    },
  })
  await t.rejects(b.get('photos', { to }), { name: 'TransferError', failure: { kind: 'disk', detail: /stream/ } })
  t.equal(b.local.port > 0, true)
})

t.test('events tell a get from its beginning, and the swarm as it changes', async t => {
  const { from, fresh, peers } = await swarm(t, 2, PHOTOS)
  const [a, b] = peers as [Peer, Peer]
  const seen: HostEvent['kind'][] = []
  const watching = (async () => {
    for await (const { kind } of a.events()) seen.push(kind)
  })()
  await a.share(join(from, 'photos'))
  const told: GetEvent['kind'][] = []
  const get = b.get('photos', { into: fresh() })
  for await (const { kind } of get) told.push(kind)
  t.strictSame([...new Set(told)].slice(0, 3), ['found', 'planned', 'chosen'])
  t.ok((await get).bytes > LARGE_BYTES)
  const failing = b.get('nobody has it', { patience: 50 })
  const late = b.get('nor this', { signal: AbortSignal.timeout(100) })
  // Nobody holds the signal any more, and yet it ends the get.
  const collectGarbage = setInterval(garbageCollector(), 20)
  t.teardown(() => clearInterval(collectGarbage))
  await t.rejects(
    (async () => {
      for await (const _ of failing);
    })(),
    TransferError,
  )
  await t.rejects(late, { name: 'TimeoutError' })
  clearInterval(collectGarbage)
  const changes = b.events()
  void a.stop()
  for await (const event of changes) if (event.kind === 'list' && event.left.length > 0) break
  await watching
  t.ok(seen.includes('list'))
})

t.test('nothing is written before the plan is agreed to; what is in the way is a decision', async t => {
  const { from, fresh, peers } = await swarm(t, 2, PHOTOS)
  const [a, b] = peers as [Peer, Peer]
  await a.share(join(from, 'photos'))
  const into = join(fresh(), 'new')
  const asked: string[] = []
  const confirm: GetOptions['confirm'] = ({ entries }) => {
    asked.push(...entries.map(({ path, state }) => `${path} ${state}`))
    return false
  }
  await t.rejects(b.get('photos', { into, confirm }), DeclinedError)
  t.notOk(existsSync(into))
  t.ok(asked.includes('photos/2024/large.raw new'), asked.join())

  const taken = fresh({ 'photos/a.jpg': 'mine' })
  await t.rejects(b.get('photos', { into: taken, confirm }), {
    name: 'PlanError',
    problems: [{ path: 'photos/a.jpg', why: 'taken' }],
  })
  t.strictSame(Object.keys(readTree(taken)), ['photos', 'photos/a.jpg'])
  await b.get('photos', { into: taken, taken: 'rename' })
  t.equal(readFileSync(join(taken, 'photos/a.jpg'), 'utf8'), 'mine')
  t.strictSame(readFileSync(join(taken, 'photos/a (2).jpg')), Buffer.from(someOctets(10)))
})

t.test('a get that is given up says why, leaves the others alone, and is gone on with', async t => {
  const { from, fresh, manager } = await swarm(t, 0, { 'large.bin': someOctets(4 * LARGE_BYTES) })
  const a = await started(t, createPeer({ manager, limit: 40_000_000 }))
  const b = await started(t, createPeer({ manager }))
  await a.share(join(from, 'large.bin'))
  const into = fresh()
  const controller = new AbortController()
  const get = b.get('large.bin', { into, signal: controller.signal })
  for await (const event of get) {
    if (event.kind !== 'progress' || event.progress.verifiedBytes < LARGE_BYTES) continue
    controller.abort(new Error('enough'))
    break
  }
  await t.rejects(get, { message: 'enough' })
  t.strictSame(Object.keys(readTree(into)), [
    '.large.bin.part',
    '.large.bin.part/0',
    '.large.bin.part/image',
    '.large.bin.part/journal',
  ])
  const again = b.get('large.bin', { into })
  const resumed: number[] = []
  for await (const event of again) if (event.kind === 'resumed') resumed.push(event.bytes)
  t.ok(resumed[0]! > 0.5 * LARGE_BYTES, `${resumed}`)
  const { local, givers } = await again
  t.ok(local > 0 && givers[0]!.bytes < 4 * LARGE_BYTES, `${local} were there`)
  t.strictSame(readFileSync(join(into, 'large.bin')), readFileSync(join(from, 'large.bin')))
  await t.rejects(b.get('large.bin', { into, signal: AbortSignal.abort(new Error('before')) }), { message: 'before' })
})

t.test('more gets than run at once wait for each other', async t => {
  const files = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`f${i}`, someOctets(1_000, i)]))
  const { from, fresh, peers } = await swarm(t, 2, files)
  const [a, b] = peers as [Peer, Peer]
  for (const name of Object.keys(files)) await a.share(join(from, name))
  const into = fresh()
  await Promise.all(Object.keys(files).map(async name => b.get(name, { into })))
  t.strictSame(readTree(into), readTree(from))
})

t.test('one name for two contents is a decision too', async t => {
  const { from, fresh, peers } = await swarm(t, 3, { 'a/x': 'one', 'b/x': 'two' })
  const [a, b, c] = peers as [Peer, Peer, Peer]
  const one = await a.share(join(from, 'a/x'))
  const two = await b.share(join(from, 'b/x'))
  while (c.held.length < 2) await new Promise(resolve => setTimeout(resolve, 20))
  await t.rejects(c.get('x', { into: fresh() }), {
    name: 'UsageError',
    message: new RegExp(`2 different contents.*${[one.id, two.id].sort()[0]!.slice(0, 16)} \\(1\\)`),
  })
  const into = fresh()
  await c.get(two.id, { into })
  t.equal(readFileSync(join(into, 'x'), 'utf8'), 'two')
})

t.test('what a peer cannot do is told at once', async t => {
  const { from, fresh, peers } = await swarm(t, 2, { ...PHOTOS, 'big name': 'x' })
  const [a, b] = peers as [Peer, Peer]
  await t.rejects(a.share([]), UsageError)
  await t.rejects(a.share(join(from, 'none')), { name: 'FileError' })
  await t.rejects(a.share(join(from, 'photos'), { include: ['['] }), UsageError)
  await a.share(join(from, 'photos'))
  await t.rejects(b.get('photos', { into: fresh(), pick: ['*.gif'] }), {
    message: /nothing in "photos" matches \*\.gif/,
  })
  await t.rejects(b.get('photos', { into: join(from, 'big name') }), { message: /it is not a folder/ })
  for (let i = 0; i < 15; i++) {
    writeFileSync(join(from, `n${i}`), `${i}`)
    await a.share(join(from, `n${i}`))
  }
  await t.rejects(a.share(join(from, 'big name')), { name: 'UsageError', message: /as many as one peer can offer/ })
  await b.stop()
  await t.rejects(b.get('photos'), StoppedError)
  await t.rejects(b.share(join(from, 'photos')), StoppedError)
  await t.rejects(b.listed(), StoppedError)
})

t.test('a content that changes while it is served is served no more', async t => {
  const { from, fresh, manager } = await swarm(t, 0, { 'large.bin': someOctets(2 * LARGE_BYTES) })
  const a = await started(t, createPeer({ manager, limit: 8_000_000 }))
  const b = await started(t, createPeer({ manager }))
  await a.share(join(from, 'large.bin'))
  const get = b.get('large.bin', { into: fresh() })
  for await (const event of get) {
    if (event.kind !== 'progress') continue
    writeFileSync(join(from, 'large.bin'), 'other')
    break
  }
  await t.rejects(get, { name: 'TransferError', failure: { kind: 'incomplete' } })
})

t.test('`await using` stops a node at the end of its block', async t => {
  let port = 0
  {
    await using manager = await createManager({ port: 0 })
    await using peer = await createPeer({ manager: `127.0.0.1:${manager.local.port}` })
    await peer.listed()
    port = manager.local.port
  }
  // The port is free again.
  const again = await createManager({ port })
  t.equal(again.local.port, port)
  await again.stop()
})

t.test('a plan that was refused says the first path and how many more', async t => {
  const error = new PlanError([
    { path: 'a', why: 'taken' },
    { path: 'b', why: 'device' },
  ])
  t.match(error, { message: 'can\'t write "a" and 1 more: taken', exitCode: 2 })
})

/** A manager and some peers, which stop with the test. */
async function swarm(t: Test, count: number, tree: DiskTree) {
  const root = t.testdir({ from: {} })
  writeTree(join(root, 'from'), tree)
  const node = await createManager({ port: 0 })
  t.teardown(() => node.stop().then(() => {}))
  const manager = `127.0.0.1:${node.local.port}`
  const peers = await Promise.all(Array.from({ length: count }, () => started(t, createPeer({ manager }))))
  const fresh = (content: DiskTree = {}) => {
    const folder = mkdtempSync(join(root, 'more-'))
    writeTree(folder, content)
    return folder
  }
  return { from: join(root, 'from'), fresh, manager, peers }
}

async function started(t: Test, starting: Promise<Peer>): Promise<Peer> {
  const peer = await starting
  t.teardown(() => peer.stop().then(() => {}))
  return peer
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
}
