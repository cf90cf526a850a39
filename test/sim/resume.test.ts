// Power cuts and kills in the middle of a transfer, at points that the seed chooses: the next run goes on from what the
// journal counts, fetches that and no more, and the file is the file.
import t from 'tap'
import { DIGESTS } from '../../src/sim/digests.js'
import { outcomeOf } from '../../src/sim/oracle.js'
import { SeededRandom } from '../../src/sim/random.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'
import { RATE, Run, SIZE } from './interrupted-run.js'

const CUTS = 200
/** A run ends so soon at the latest, ms. */
const RUN_MAX = 1_000
t.test(`after ${CUTS} power cuts and kills every file is whole, and nothing that was there was asked for`, async t => {
  const random = new SeededRandom(Number(process.env.PEER_UDP_SEED ?? 1), 'resume')
  const count = { cuts: 0, torn: 0, resumed: 0, files: 0 }
  while (count.cuts < CUTS) {
    const seed = random.u32()
    const run = new Run(seed, random.chance(0.5))
    while (!run.isDone) {
      run.goOn(random.between(0, RUN_MAX))
      if (run.isDone) break
      run.interrupt(random)
      count.cuts++
      const complaint = run.disagreement()
      if (run.askedAgain > 0) return t.fail(`seed ${seed}: ${run.askedAgain} blocks that were there were asked for`)
      if (complaint !== undefined) return t.fail(`seed ${seed}: ${complaint}`)
    }
    const { bytes } = outcomeOf(run.swarm.collector).kind === 'identical' ? run.last : { bytes: -1 }
    if (bytes !== SIZE) return t.fail(`seed ${seed}: ${bytes} octets`)
    if (!run.isIdentical) return t.fail(`seed ${seed}: the octets differ`)
    if (run.fetched !== SIZE - run.resumed)
      return t.fail(`seed ${seed}: ${run.fetched} of ${SIZE - run.resumed} fetched`)
    count.files++
    if (run.resumed > 0) count.resumed++
    count.torn += run.torn
  }
  t.comment(count)
  t.ok(count.resumed > count.files / 2, 'most of them went on with something')
  t.ok(count.torn > 5, 'journals were torn now and then')
})

t.test('what a kill leaves is all there was but for the last moments', async t => {
  const run = new Run(7, false)
  run.goOn(900)
  const verified = run.verified
  t.ok(verified > 0.3 * SIZE, `${verified}`)
  run.swarm.collector.kill()
  run.goOn(RUN_MAX * 10)
  t.ok(run.isIdentical)
  // A quarter of a second, and what the disk held back.
  t.ok(run.resumed > verified - (RATE / 8) * 1_000 * 400, `${run.resumed} of ${verified}`)
})

t.test('a journal that counts what others changed is checked block by block', async t => {
  for (const changed of [0, 3]) {
    const run = new Run(11, false)
    run.goOn(900)
    run.swarm.collector.kill()
    const target = run.swarm.collector.disk.target!
    const { counted } = run
    for (const block of counted.slice(0, changed)) target.content[block * BLOCK_BYTES]! ^= 1
    target.changedAfter = 61_000
    run.goOn(RUN_MAX * 10)
    t.ok(run.isIdentical)
    t.equal(run.resumed, (counted.length - changed) * BLOCK_BYTES)
    const event = run.events('resumed')[0]
    t.equal(event?.dropped, changed > 0 ? 'was changed by others' : undefined)
  }
})

t.test('a part of another content is kept, unless it is dropped by order', async t => {
  const run = new Run(13, false)
  run.goOn(900)
  const { collector } = run.swarm
  collector.kill()
  const target = collector.disk.target!
  const before = { part: target.content.slice(), journal: target.journal!.slice() }
  // The root in the head, with a check that is right.
  const head = before.journal.slice(0, 65)
  head[25]! ^= 1
  head.set(DIGESTS.sha256(head.subarray(0, 57)).subarray(0, 8), 57)
  target.journal = Uint8Array.from([...head, ...before.journal.subarray(65)])
  run.goOn(RUN_MAX * 10)
  const outcome = outcomeOf(collector)
  t.match(outcome, { kind: 'failed', failure: { kind: 'other-part', detail: /another content .*root/ } })
  t.equal(Buffer.compare(target.content, before.part), 0)
  t.strictSame(target.journal!.subarray(65), before.journal.subarray(65))
})

t.test('a journal that is none is dropped with the reason', async t => {
  const cases = [
    { journal: new Uint8Array(0), dropped: 'has a journal that is empty' },
    { journal: new Uint8Array(100).fill(1), dropped: 'has a journal that is no journal' },
  ]
  for (const { journal, dropped } of cases) {
    const run = new Run(17, false)
    run.goOn(900)
    run.swarm.collector.kill()
    run.swarm.collector.disk.target!.journal = journal
    run.goOn(RUN_MAX * 10)
    t.ok(run.isIdentical)
    t.strictSame(run.events('resumed'), [{ kind: 'resumed', bytes: 0, dropped }])
  }
})
