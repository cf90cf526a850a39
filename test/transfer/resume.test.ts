// How a transfer goes on with what an earlier run left, and when it writes down what it has: earlier-run.ts, resumption.ts and
// journal-keeper.ts.
import t from 'tap'
import { Bitmap } from '../../src/content/bitmap.js'
import { PartialTree } from '../../src/content/tree.js'
import { DIGESTS } from '../../src/sim/digests.js'
import { judgeEarlierRun, PartCheck } from '../../src/transfer/earlier-run.js'
import type { FoundPart, TransferEffect } from '../../src/transfer/effect.js'
import { after, blockIndex, NEVER } from '../../src/units.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'
import { FILE, journalOf, Keeping, SIZE, START } from './journaling.js'
import { fileOf } from './serving.js'
import { Swarm } from './swarm.js'

t.test('a flush comes 250 ms after the first block, and one at a time', async t => {
  const keeper = new Keeping()
  t.equal(keeper.deadline, NEVER, 'nothing to write down')
  keeper.write([3, 1, 2])
  t.equal(keeper.deadline, START + 250)
  t.strictSame(keeper.proceed(249), undefined)
  t.strictSame(keeper.proceed(250), [1, 2, 3])
  keeper.write([7])
  t.equal(keeper.deadline, NEVER, 'one is under way')
  t.strictSame(keeper.proceed(600), undefined)
  keeper.flushed(602)
  t.equal(keeper.deadline, after(START, 602 + 4 * 352), 'a slow disk rests')
  t.strictSame(keeper.proceed(2_010), [1, 2, 3, 7])
  keeper.flushed(2_011)
  t.equal(keeper.deadline, NEVER)
})

t.test('what is not flushed at the end is, whether or not another flush is under way', async t => {
  const keeper = new Keeping()
  keeper.write([0])
  keeper.proceed(250)
  keeper.write([1])
  t.strictSame(keeper.close(), [0, 1])
  t.strictSame(keeper.close(), undefined, 'there is nothing more')
})

t.test('each page stands in the journal once, before the first block that it leads to', async t => {
  const keeper = new Keeping()
  keeper.write([0])
  keeper.proceed(250)
  keeper.flushed(251)
  const before = keeper.journal.length
  keeper.write([1])
  keeper.proceed(600)
  t.equal(keeper.journal.length - before, 19, 'one run and no page')
  keeper.flushed(601)
  keeper.write([39])
  keeper.proceed(1_000)
  t.equal(keeper.journal.length - before, 19 + 16 + 8 * 32 + 19, 'the second page too')
})

t.test('where nothing is left, or without a journal, there is nothing to go on with', async t => {
  for (const found of [undefined, { bytes: SIZE, journal: undefined, changedAfter: 0 }]) {
    t.strictSame(judge(found), { kind: 'none', dropped: undefined })
  }
})

t.test('what a journal counts is there, without a look at the part', async t => {
  const tree = new PartialTree(DIGESTS, SIZE, FILE.tree.root)
  const found = { bytes: SIZE, journal: journalOf([0, 5, 39]), changedAfter: 59_000 }
  t.match(judgeEarlierRun(found, tree, DIGESTS, false), {
    kind: 'kept',
    mustCheck: false,
    journal: { done: { count: 3 } },
  })
  t.ok(tree.leaf(blockIndex(5)), 'its pages are known')
  t.match(judge({ ...found, changedAfter: 61_000 }), { kind: 'kept', mustCheck: true })
})

t.test('a part of another size, and a journal that is none, are dropped with the reason', async t => {
  t.strictSame(judge({ bytes: SIZE - 1, journal: journalOf([1]), changedAfter: 0 }), {
    kind: 'none',
    dropped: `has ${SIZE - 1} octets instead of ${SIZE}`,
  })
  t.strictSame(judge({ bytes: SIZE, journal: journalOf([1]).subarray(0, 64), changedAfter: 0 }), {
    kind: 'none',
    dropped: 'has a journal that is damaged',
  })
})

t.test('what is of another content is said so; an order to start over drops it', async t => {
  const other = { bytes: 5, journal: journalOf([0], fileOf(5)), changedAfter: 0 }
  t.match(judge(other), { kind: 'other', detail: /^an earlier run left .* \(5 octets, root [\da-f]{8}\)/ })
  for (const found of [other, { bytes: SIZE, journal: journalOf([1, 2]), changedAfter: 0 }]) {
    t.strictSame(judge(found, true), { kind: 'none', dropped: undefined })
  }
})

t.test('a part is checked block by block, few at once', async t => {
  const claimed = new Bitmap(40)
  claimed.setRange(3, 23)
  const check = new PartCheck(claimed, PartialTree.fromFull(DIGESTS, FILE.tree))
  const reads: TransferEffect[] = []
  t.equal(check.isDone, false)
  check.proceed(reads)
  for (let i = 0; i < reads.length; i++) {
    t.ok(reads.length - i <= 8 && !check.isDone)
    const read = reads[i]!
    if (read.kind !== 'read-target') throw new Error(read.kind)
    t.equal(read.block, 3 + i)
    t.strictSame(read.leaf, FILE.tree.leaf(read.block))
    check.onRead(read.block, i !== 4)
    check.proceed(reads)
  }
  t.equal(reads.length, 20)
  t.ok(check.isDone)
  t.equal(check.good.count, 19)
  t.notOk(check.good.has(7))
})

t.test('a transfer goes on with what is there, and asks for nothing of it', async t => {
  const swarm = new Swarm({ size: SIZE, peers: 2, earlier: [0, 1, 2, 20, 39] }).run()
  t.ok(swarm.isWhole)
  t.strictSame(swarm.events[0], { kind: 'resumed', bytes: 5 * BLOCK_BYTES - 77, dropped: undefined })
  const { written } = swarm
  t.equal(written.length, 35)
  t.ok([0, 1, 2, 20, 39].every(block => !written.includes(block)))
  t.match(swarm.orders[0], { kind: 'prepare-target', keep: true })
})

t.test('while what is there is checked the rest is fetched, and then what was wrong', async t => {
  const swarm = new Swarm({ size: SIZE, peers: 2, earlier: [0, 1, 2, 20, 39], changed: [1, 20] }).run()
  t.ok(swarm.isWhole)
  const resumed = swarm.events.findIndex(event => event.kind === 'resumed')
  t.strictSame(swarm.events[resumed], {
    kind: 'resumed',
    bytes: 3 * BLOCK_BYTES - 77,
    dropped: 'was changed by others',
  })
  const { written } = swarm
  t.equal(written.length, 37)
  t.ok([0, 2, 39].every(block => !written.includes(block)))
  const flushes = swarm.orders.filter(order => order.kind === 'flush-target')
  if (flushes[0] !== undefined) t.equal(flushes[0].at, 0, 'the journal begins anew')
})

t.test('a file that is all there is finished at once', async t => {
  const swarm = new Swarm({ size: SIZE, peers: 1, earlier: Array.from({ length: 40 }, (_, i) => i) }).run()
  t.ok(swarm.isWhole)
  t.equal(swarm.finished?.failure, undefined)
  t.equal(swarm.peers[0]!.chunks, 0)
})

function judge(found: FoundPart | undefined, restart = false) {
  return judgeEarlierRun(found, new PartialTree(DIGESTS, SIZE, FILE.tree.root), DIGESTS, restart)
}
