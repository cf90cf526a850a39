import t from 'tap'
import { ReceiveBatch } from '../../src/wire/batch.js'
import * as bulk from '../../src/wire/bulk.js'
import { BLOCK_BYTES, CHUNK_HEADER_BYTES, FLAG, TAG } from '../../src/wire/layout.js'
import { runLength } from '../../src/wire/run.js'
import { Swarm, type SwarmOptions } from './swarm.js'

const FROM = { address: '10.0.0.1', port: 4_000 }

/** CHUNKs of a block, one after the other. @param change what is different about one of them */
function batchOf(count: number, change: (d: Uint8Array, i: number) => void = () => {}): ReceiveBatch {
  const batch = new ReceiveBatch(64)
  for (let i = 0; i < count; i++) {
    const d = new Uint8Array(CHUNK_HEADER_BYTES + 1_444)
    bulk.writeBulkHeader(d, TAG.CHUNK, 0, 7, 8, 100 + i, 5_000, 3, 2)
    bulk.writeChunkPlace(d, 9, i * 1_444)
    change(d, i)
    batch.push(d, { ...FROM })
  }
  return batch
}

t.test('a run ends with the first datagram that does not continue it', async t => {
  t.equal(runLength(batchOf(45), 0), 45)
  t.equal(runLength(batchOf(45), 44), 1)
  t.equal(runLength(batchOf(45), 40), 5)
  const changes: Readonly<Record<string, (d: Uint8Array) => void>> = {
    'a gap': d => bulk.writeBulkHeader(d, TAG.CHUNK, 0, 7, 8, 120, 5_000, 3, 2),
    'another time': d => bulk.writeBulkHeader(d, TAG.CHUNK, 0, 7, 8, 105, 5_001, 3, 2),
    'another PULL': d => bulk.writeBulkHeader(d, TAG.CHUNK, 0, 7, 8, 105, 5_000, 4, 2),
    'another session': d => bulk.writeBulkHeader(d, TAG.CHUNK, 0, 6, 8, 105, 5_000, 3, 2),
    'a flag': d => bulk.writeBulkHeader(d, TAG.CHUNK, FLAG.RETRANSMITTED, 7, 8, 105, 5_000, 3, 2),
    'a tag': d => bulk.writeBulkHeader(d, TAG.TREE, 0, 7, 8, 105, 5_000, 3, 2),
    'another block': d => bulk.writeChunkPlace(d, 10, 5 * 1_444),
    'another place': d => bulk.writeChunkPlace(d, 9, 6 * 1_444),
  }
  for (const [name, change] of Object.entries(changes)) {
    const batch = batchOf(20, (d, i) => {
      if (i === 5) change(d)
    })
    t.equal(runLength(batch, 0), 5, name)
  }
})

t.test('a run comes from one source, in datagrams of one length, and stays within its block', async t => {
  const batch = batchOf(20)
  batch.from[7] = { ...FROM, port: 4_001 }
  t.equal(runLength(batch, 0), 7)
  batch.data[3] = batch.data[3]!.subarray(0, 700)
  t.equal(runLength(batch, 0), 3)
  const late = batchOf(10, (d, i) => bulk.writeChunkPlace(d, 9, BLOCK_BYTES - 3 * 1_444 + i * 1_444))
  t.ok(bulk.isBulk(late.data[2]!))
  t.equal(runLength(late, 0), 3)
})

/** All that a transfer did, which must not depend on how many datagrams its collector saw at once. */
function historyOf(options: SwarmOptions) {
  const swarm = new Swarm(options)
  const { events } = swarm.run()
  const { counters } = swarm.collector
  const whole = Buffer.compare(swarm.target, swarm.file.content) === 0
  return { runs: swarm.runs, history: { events, counters, whole, now: swarm.now } }
}

const ROADS: Readonly<Record<string, SwarmOptions>> = {
  'a clean path': { size: 3_000_000, wakes: 2, rates: [80, 80] },
  losses: { size: 3_000_000, wakes: 2, loss: 0.03, rates: [80, 80] },
  'losses and reordering': { size: 9_000_000, wakes: 3, loss: 0.01, jitter: 4, peers: 3, rates: [80, 40, 20] },
  'long datagrams': { size: 3_000_000, wakes: 2, loss: 0.01, rates: [200], peers: 1, datagramMax: 8_972 },
}

for (const [name, options] of Object.entries(ROADS)) {
  t.test(`datagrams taken by runs do what they do one by one: ${name}`, async t => {
    const [byRuns, oneByOne] = [historyOf(options), historyOf({ ...options, oneByOne: true })]
    t.ok(byRuns.runs > 10, `${byRuns.runs} runs`)
    t.equal(oneByOne.runs, 0)
    t.strictSame(byRuns.history, oneByOne.history)
    t.ok(byRuns.history.whole)
  })
}
