// A peer that serves: upload.ts, uploads.ts and block-cache.ts.
import t from 'tap'
import { BlockCache, TARGETS_FROM } from '../../src/transfer/block-cache.js'
import type { TransferEffect } from '../../src/transfer/effect.js'
import { Have } from '../../src/transfer/have.js'
import { CREDIT_UNPROVEN } from '../../src/transfer/upload.js'
import { blockIndex, instant, NEVER, sequence } from '../../src/units.js'
import { BLOCK_BYTES, ERROR_CODE, HASH_BYTES, LOG_HEIGHT } from '../../src/wire/layout.js'
import type { Pull, Tree } from '../../src/wire/message.js'
import { CHUNK, COLLECTOR, FAST, FILE, fileOf, House, Peer, range, type Sent, want } from './serving.js'

const IP_UDP = 28
/** Octets that an upload may send at once when it begins. */
const FIRST_BURST = 24_000
const CHUNKS_A_BLOCK = Math.ceil(BLOCK_BYTES / CHUNK)

t.test('what is wanted is sent once, in order, as it stands in the file', async t => {
  const peer = new Peer()
  peer.pull({ ranges: [range(11, 2), range(3, 1)] })
  const sent = peer.run(50)
  t.strictSame(
    sent.map(message => message.sequence),
    sent.map((_, i) => i + 1),
  )
  t.strictSame(placesOf(sent), [...placesIn(11), ...placesIn(12), ...placesIn(3)])
  t.notOk(sent.some(message => message.kind === 'chunk' && message.retransmitted))
  for (const message of sent) {
    if (message.kind !== 'chunk') continue
    const start = message.block * BLOCK_BYTES + message.offset
    if (!isEqual(message.payload, FILE.content.subarray(start, start + message.payload.length))) t.fail(`at ${start}`)
  }
  t.strictSame(peer.run(900), [])
})

t.test('at a high rate neighbouring blocks go together, their shorter last chunks behind all others', async t => {
  const peer = new Peer()
  const twoBlocksInTwoMilliseconds = (2 * BLOCK_BYTES * 8) / 2
  peer.pull({ ranges: [range(4, 3)], rate: twoBlocksInTwoMilliseconds })
  const full = (block: number) => placesIn(block).slice(0, -1)
  const last = (block: number) => placesIn(block).slice(-1)
  t.strictSame(placesOf(peer.run(50)), [...full(4), ...full(5), ...last(4), ...last(5), ...placesIn(6)])
})

t.test('datagrams are the same whether they are asked for one by one or many at once', async t => {
  const [single, many] = [1, 64].map(most => {
    const peer = new Peer({ most })
    const blocks = [want(0, [0, 1, 2, 5, 44, 45]), want(2, [9, 11, 12])]
    peer.pull({ blocks, ranges: [range(3, 2)], rate: 90_000, credit: sequence(120) })
    const sent = peer.run(30)
    peer.pull({
      blocks: [want(0, [0, 1, 2, 3, 4]), want(12, [0])],
      horizon: sequence(2),
      rate: 200_000,
      credit: sequence(120),
    })
    sent.push(...peer.run(30))
    peer.pull({ ranges: [range(6, 3)], rate: 1_000_000, credit: sequence(156) })
    sent.push(...peer.run(30))
    return { sent, times: sent.map(message => peer.sentAt.get(message)) }
  })
  t.equal(single!.sent.length, 156, 'as far as the credit goes')
  t.strictSame(many, single)
})

t.test('what was sent is sent again only when the horizon has passed it, and says so', async t => {
  const peer = new Peer()
  peer.pull({ ranges: [range(0, 1)] })
  t.equal(peer.run(20).length, CHUNKS_A_BLOCK)
  peer.pull({ ranges: [range(0, 1)] })
  t.strictSame(
    peer.run(20).map(message => message.kind),
    ['echo'],
  )
  peer.pull({ ranges: [range(0, 1)], horizon: sequence(7) })
  const again = peer.run(20)
  t.strictSame(placesOf(again), placesIn(0).slice(0, 7))
  t.ok(again.every(message => message.kind === 'chunk' && message.retransmitted))
  peer.pull({ ranges: [range(0, 1)], horizon: sequence(7) })
  t.strictSame(placesOf(peer.run(20)), [])
})

t.test('only the chunks of a bitmap are sent, and none that the block does not have', async t => {
  const peer = new Peer()
  peer.pull({ blocks: [want(2, [0, 9, 44]), want(12, [0, 1, 63]), want(13, [0]), want(9_999, [1])] })
  t.strictSame(placesOf(peer.run(20)), [place(2, 0), place(2, 9), place(2, 44), place(12, 0)])
  peer.pull({ ranges: [range(13, 60_000)] })
  t.strictSame(placesOf(peer.run(20)), [])
})

t.test('what comes to be there is told while there are PULLs, and wakes nobody after them', async t => {
  const have = new Have(12)
  const peer = new Peer({ have })
  const asks: Partial<Pull> = { pages: [{ height: LOG_HEIGHT, index: 0 }] }
  const kindsIn = (time: number) => peer.run(time).map(({ kind }) => kind as string)
  peer.pull(asks)
  have.add(blockIndex(3))
  t.match(kindsIn(500), ['have'])
  have.add(blockIndex(4))
  t.strictSame(kindsIn(500), ['have'])
  t.strictSame(kindsIn(100), [])
  have.add(blockIndex(5))
  t.strictSame(kindsIn(0), [])
  t.equal(peer.upload.nextAt(), NEVER)
  peer.pull(asks)
  t.match(kindsIn(20), ['have'])
})

t.test('who has all of a file tells those who ask what it was asked for by others', async t => {
  const house = new House()
  const other = { ...COLLECTOR, port: 7 }
  house.pull(COLLECTOR, 1n, { ranges: [range(2, 2)], blocks: [want(7, [0])] })
  while (house.fill(176).length > 0);
  house.pull(other, 2n, { pages: [{ height: LOG_HEIGHT, index: 0 }] })
  const [have] = house.take(176)
  t.match(have, { kind: 'have', from: 0, to: 3 })
  t.match((have as unknown as { ranges: unknown }).ranges, [
    { isComing: true, first: 2, count: 2 },
    { isComing: true, first: 7, count: 1 },
  ])
})

t.test('with two others served nobody is sent trains', async t => {
  const house = new House()
  const slow = { rate: 8 * 1_000, ranges: [range(0, 3)] }
  const octets = () => house.fill(176).reduce((sum, { size }) => sum + size + IP_UDP, 0)
  house.pull(COLLECTOR, 1n, slow)
  t.ok(octets() >= FIRST_BURST)
  house.pull({ ...COLLECTOR, port: 7 }, 2n, slow)
  t.ok(octets() >= FIRST_BURST)
  house.pull({ ...COLLECTOR, port: 8 }, 2n, slow)
  t.ok(octets() <= 2 * CHUNK + 3_000)
  house.uploads.stop()
  house.pull(COLLECTOR, 3n, slow)
  t.ok(octets() >= FIRST_BURST, 'those of before do not count')
  house.pull(COLLECTOR, 4n, slow)
  t.ok(octets() >= FIRST_BURST, 'nor does another of its own')
})

t.test('nothing but ECHO goes beyond the credit', async t => {
  const peer = new Peer()
  peer.pull({ ranges: [range(0, 3)], credit: sequence(10) })
  t.equal(peer.run(20).length, 10)
  t.equal(peer.upload.nextAt(), NEVER)
  peer.pull({ ranges: [range(0, 3)], credit: sequence(10) })
  t.strictSame(
    peer.run(20).map(message => [message.kind, Number(message.sequence)]),
    [['echo', 11]],
  )
  // A smaller credit takes nothing back, and the ECHO used up a number.
  peer.pull({ ranges: [range(0, 3)], credit: sequence(13) })
  t.equal(placesOf(peer.run(20)).length, 2)
  peer.pull({ ranges: [range(0, 3)], credit: sequence(5) })
  t.strictSame(placesOf(peer.run(20)), [])
})

t.test('a PULL is answered by one ECHO at once if it lets nothing be sent, and by none if it does', async t => {
  const peer = new Peer()
  peer.pull({})
  t.strictSame(
    peer.take().map(message => message.kind),
    ['echo'],
  )
  t.strictSame(peer.take(), [])
  peer.pull({ ranges: [range(0, 1)], rate: 250 })
  peer.run(500)
  peer.pull({ ranges: [range(0, 1)], rate: 250 })
  // The pacer makes the next chunks wait, and they will be the answer.
  const sent = peer.run(900)
  t.ok(sent.length > 0 && sent.every(message => message.kind === 'chunk'))
})

t.test('a PULL whose data is still being read is answered by an ECHO meanwhile', async t => {
  const peer = new Peer({ isDiskSlow: true })
  peer.pull({ ranges: [range(4, 1)] })
  t.strictSame(
    peer.take().map(message => message.kind),
    ['echo'],
  )
  t.match(peer.effects, [{ kind: 'read-block', file: 0, block: 4, check: 'times' }])
  t.equal(peer.effects.length, 1)
  peer.answerReads()
  const sent = peer.run(20)
  t.strictSame(placesOf(sent), placesIn(4))
  t.strictSame(
    sent.map(message => message.appLimited),
    sent.map((_, i) => i === 0),
  )
})

t.test('a datagram says that data was lacking before it, but not that credit was', async t => {
  const peer = new Peer()
  peer.pull({ ranges: [range(0, 1)], credit: sequence(5) })
  t.notOk(peer.run(20).some(message => message.appLimited))
  peer.pull({ ranges: [range(0, 1)], credit: sequence(100) })
  t.notOk(peer.run(20).some(message => message.appLimited))
  peer.pull({ ranges: [range(0, 2)], credit: sequence(200) })
  t.strictSame(
    peer.run(20).map(message => message.appLimited),
    placesIn(1).map((_, i) => i === 0),
  )
})

t.test('a datagram names the newest PULL, how long it was held, and when it was sent', async t => {
  const peer = new Peer({ clockZero: 0xffff_0000 })
  peer.pull({ ranges: [range(0, 1)], rate: 8 * (CHUNK + 28 + IP_UDP), sequence: sequence(0x1_0005) })
  const sent = peer.run(10)
  t.ok(sent.length > 5)
  for (const message of sent) {
    t.equal(message.echo, 5)
    const [at] = peer.sentAt.get(message)!
    t.ok(Math.abs(message.hold * 16 - (at - 1_000) * 1_000) <= 16)
    t.equal(message.sentAt, (Math.round(at * 1_000) + 0xffff_0000) >>> 0)
  }
})

t.test('without a proof that datagrams arrive the credit is small, whatever a PULL says', async t => {
  const peer = new Peer()
  peer.pull({ ranges: [range(0, 12)], credit: sequence(5_000) })
  const first = peer.run(100)
  t.equal(first.length, CREDIT_UNPROVEN)
  peer.pull({ ranges: [range(0, 12)], credit: sequence(5_000) })
  t.equal(placesOf(peer.run(100)).length, 0)
  const last = first.at(-1)!
  const proof = { largest: last.sequence, proof: last.sentAt }
  peer.pull({ ranges: [range(0, 12)], credit: sequence(5_000), ...proof })
  t.equal(placesOf(peer.run(100)).length, 12 * CHUNKS_A_BLOCK - CREDIT_UNPROVEN)
})

t.test('a PULL with a wrong proof, or of a datagram that was never sent, counts for nothing', async t => {
  const peer = new Peer()
  peer.pull({ ranges: [range(0, 1)], credit: sequence(3) })
  const [first] = peer.run(20)
  const { sequence: largest, sentAt } = first!
  for (const claim of [
    { largest, proof: sentAt ^ 1 },
    { largest: sequence(4), proof: sentAt },
    { largest: sequence(0xffff_ffff), proof: 0 },
  ]) {
    t.equal(peer.tryPull({ ranges: [range(0, 1)], credit: sequence(100), ...claim }), false)
    t.strictSame(peer.run(20), [])
  }
  t.equal(peer.tryPull({ ranges: [range(0, 1)], credit: sequence(100), largest, proof: sentAt }), true)
  t.equal(placesOf(peer.run(20)).length, CHUNKS_A_BLOCK - 3)
})

t.test('a new statement replaces what was wanted; the parts of one add up in any order', async t => {
  const peer = new Peer()
  peer.pull({ ranges: [range(0, 2)], credit: sequence(0) })
  peer.pull({ ranges: [range(2, 1)], credit: sequence(200), statement: 7, sequence: sequence(21) })
  peer.pull({ ranges: [range(4, 1)], credit: sequence(200), statement: 7, sequence: sequence(23) })
  // It was overtaken.
  peer.pull({ ranges: [range(3, 1)], credit: sequence(200), statement: 7, sequence: sequence(22) })
  t.strictSame(placesOf(peer.run(50)), [...placesIn(2), ...placesIn(4), ...placesIn(3)])
})

t.test('a PULL that comes after a newer statement changes nothing', async t => {
  const peer = new Peer()
  peer.pull({ ranges: [range(0, 1)], rate: 800, credit: sequence(4), sequence: sequence(9), statement: 9 })
  t.equal(
    peer.tryPull({ ranges: [range(5, 1)], rate: FAST, credit: sequence(90), sequence: sequence(8), statement: 8 }),
    true,
  )
  t.equal(
    peer.tryPull({ ranges: [range(6, 1)], rate: FAST, credit: sequence(90), sequence: sequence(9), statement: 10 }),
    true,
  )
  const sent = peer.run(900)
  t.strictSame(placesOf(sent), placesIn(0).slice(0, 4))
  t.ok(sent.every(message => message.echo === 9))
  t.ok(peer.now - 1_000 > 30, 'at the rate of the first')
})

t.test('a smaller chunk size divides the file anew', async t => {
  const peer = new Peer()
  peer.pull({ ranges: [range(0, 1)] })
  peer.run(20)
  peer.pull({ ranges: [range(0, 1)], chunkSize: 1_172 })
  const sent = peer.run(20)
  t.equal(sent.length, Math.ceil(BLOCK_BYTES / 1_172))
  t.ok(sent.every(message => message.kind === 'chunk' && message.payload.length <= 1_172))
})

t.test('what was queued by another chunk size is forgotten, even within one statement', async t => {
  const peer = new Peer()
  peer.pull({ ranges: [range(0, 1)], credit: sequence(0), chunkSize: 1_024, statement: 5 })
  peer.run(20)
  peer.pull({ ranges: [range(1, 1)], chunkSize: 40_000, statement: 5 })
  t.strictSame(
    peer.run(20).map(message => message.kind === 'chunk' && [message.block, message.offset, message.payload.length]),
    [
      [1, 0, 40_000],
      [1, 40_000, BLOCK_BYTES - 40_000],
    ],
  )
})

t.test('octets of IP datagrams are sent at the rate that the PULL asks for', async t => {
  for (const rate of [64, 1_000, 40_000]) {
    const peer = new Peer()
    let octets = 0
    const start = peer.now
    for (let last = 0; last < 2_000; last += 100) {
      const proof = peer.last === undefined ? {} : { largest: peer.last.sequence, proof: peer.last.sentAt }
      // A wide horizon: the same blocks are sent again and again.
      peer.pull({
        ranges: [range(0, 12)],
        rate,
        credit: sequence(1e6),
        horizon: proof.largest ?? sequence(0),
        ...proof,
      })
      for (const message of peer.run(100)) octets += peer.sentAt.get(message)![1] + IP_UDP
    }
    const allowed = (rate / 8) * (peer.now - start)
    t.ok(octets <= allowed + FIRST_BURST + 1_500, `${rate}: ${octets} of ${allowed}`)
    t.ok(octets >= 0.9 * allowed - 1_500, `${rate}: ${octets} of ${allowed}`)
  }
})

t.test('a collector that falls silent is sent nothing after a second, and forgotten after ten', async t => {
  const peer = new Peer()
  peer.pull({ ranges: [range(0, 12)], rate: 64, credit: sequence(200) })
  const start = peer.now
  const sent = peer.run(9_000)
  t.ok(sent.length > 3)
  t.ok(Math.max(...sent.map(message => peer.sentAt.get(message)![0])) <= start + 1_000)
  t.equal(peer.upload.nextAt() <= start + 1_000 || peer.upload.nextAt() === NEVER, true)
  t.equal(peer.upload.forgetAt, start + 10_000)
  peer.pull({ ranges: [range(0, 12)], rate: 64, credit: sequence(200) })
  t.ok(peer.run(500).length > 1)
})

t.test('hash pages go before blocks, once until the horizon passes them, and only those that the tree has', async t => {
  const file = fileOf(40 * BLOCK_BYTES)
  const peer = new Peer({ file })
  const pages = [
    { height: 10, index: 0 },
    { height: 5, index: 1 },
    { height: 5, index: 2 },
    { height: 4, index: 0 },
    { height: 20, index: 0 },
  ]
  peer.pull({ pages, blocks: [want(0, [0])] })
  const sent = peer.run(20)
  t.strictSame(
    sent.map(message => message.kind),
    ['tree', 'tree', 'chunk'],
  )
  const [top, second] = sent as [Tree, Tree]
  t.strictSame([top.height, top.index, top.hashes.length], [10, 0, 2 * HASH_BYTES])
  t.strictSame([second.height, second.index, second.hashes.length], [5, 1, 8 * HASH_BYTES])
  t.ok(isEqual(second.hashes, file.tree.page(5, 1)!))
  peer.pull({ pages, horizon: sequence(1) })
  const again = peer.run(20) as Tree[]
  t.strictSame(
    again.map(message => [message.kind, message.height, message.retransmitted]),
    [['tree', 10, true]],
  )
})

t.test('a queue of any length is sent in the end, by statements that go on', async t => {
  const file = fileOf(300 * BLOCK_BYTES)
  const peer = new Peer({ file })
  const missing = new Set(Array.from({ length: 300 }, (_, block) => block))
  const came = new Map<number, number>()
  for (let turn = 0; missing.size > 0 && turn < 200; turn++) {
    const proof = peer.last === undefined ? {} : { largest: peer.last.sequence, proof: peer.last.sentAt }
    peer.pull({ ranges: [range(0, 300)], credit: sequence(1e6), horizon: sequence(0), ...proof })
    for (const message of peer.run(20)) {
      if (message.kind !== 'chunk') continue
      came.set(message.block, (came.get(message.block) ?? 0) + 1)
      if (came.get(message.block) === CHUNKS_A_BLOCK) missing.delete(message.block)
    }
  }
  t.equal(missing.size, 0)
  t.ok([...came.values()].every(count => count === CHUNKS_A_BLOCK))
})

t.test('blocks are read some at a time, and kept while there is room', async t => {
  const cache = new BlockCache()
  const effects: TransferEffect[] = []
  for (let block = 0; block < 1_000; block++) cache.request(0, block, effects)
  cache.request(0, 3, effects)
  t.equal(effects.length, 32)
  for (let i = 0; i < effects.length; i++) {
    const effect = effects[i]!
    if (effect.kind === 'read-block') cache.onRead(0, effect.block, FILE.content.subarray(0, 1), effects)
  }
  t.equal(effects.length, 32 + 192, 'more must be asked for again')
  const kept = Array.from({ length: 1_000 }, (_, block) => cache.find(0, block)).filter(data => data !== undefined)
  t.equal(kept.length, 224)
  // What is asked for again stays longest.
  cache.request(0, 0, effects)
  for (let block = 0; block < 33; block++) cache.onRead(1, blockIndex(block), new Uint8Array(1), effects)
  t.ok(cache.find(0, 0))
  t.equal(cache.find(0, 1), undefined)
  // What is asked for again stays longest.
  cache.request(2, 7, effects)
  cache.onRead(2, blockIndex(7), undefined, effects)
  t.equal(cache.find(2, 7), undefined)
})

t.test('blocks of a file that is still being collected are read into memory that is used again', async t => {
  const leaf = new Uint8Array(HASH_BYTES)
  const cache = new BlockCache((_, block, into) => ({ kind: 'read-target', block, leaf, into }))
  const memory = new Set<ArrayBufferLike>()
  for (let block = 0; block < 2_000; block++) {
    const [order] = requested(cache, TARGETS_FROM, block)
    if (order?.kind !== 'read-target') throw new Error('not read')
    memory.add(order.into!.buffer)
    cache.onRead(TARGETS_FROM, blockIndex(block), order.into!.subarray(0, 100), [])
  }
  t.ok(memory.size <= 257, `${memory.size} pieces of memory for 256 blocks`)
})

t.test('memory that a reader gave of its own is not written to', async t => {
  const cache = new BlockCache((_, block, into) => ({
    kind: 'read-target',
    block,
    leaf: new Uint8Array(HASH_BYTES),
    into,
  }))
  const theirs = new Set<ArrayBufferLike>()
  for (let block = 0; block < 600; block++) {
    const data = new Uint8Array(BLOCK_BYTES)
    theirs.add(data.buffer)
    const [order] = requested(cache, TARGETS_FROM, block)
    if (order?.kind !== 'read-target') throw new Error('not read')
    if (theirs.has(order.into!.buffer)) t.fail(`block ${block} is read into it`)
    cache.onRead(TARGETS_FROM, blockIndex(block), data, [])
  }
  t.equal(cache.find(TARGETS_FROM, 0), undefined)
  t.ok(cache.find(TARGETS_FROM, 599))
})

t.test('a PULL for a root that is not offered, or that was lost, is refused', async t => {
  const house = new House()
  const root = new Uint8Array(32).fill(1)
  t.equal(house.pull(COLLECTOR, 1n, { root }), ERROR_CODE.NO_SUCH_ROOT)
  t.equal(house.uploads.active, 0)
  t.equal(house.pull(COLLECTOR, 1n, {}), undefined)
  t.equal(house.pull(COLLECTOR, 2n, {}), undefined)
  t.strictSame(house.uploads.onBlockRead(0, blockIndex(3), undefined, house.effects), [
    { to: COLLECTOR, session: 1n },
    { to: COLLECTOR, session: 2n },
  ])
  t.equal(house.uploads.active, 0)
  t.equal(house.pull(COLLECTOR, 3n, {}), ERROR_CODE.FILE_LOST)
  const other = fileOf(5_000)
  t.equal(house.uploads.add(other), 1)
  t.equal(house.pull(COLLECTOR, 4n, { root: other.tree.root }), undefined)
})

t.test('a collector has four uploads at most, of which the oldest ends first', async t => {
  const house = new House()
  for (let session = 1n; session <= 5n; session++) t.equal(house.pull(COLLECTOR, session, {}), undefined)
  t.equal(house.uploads.active, 4)
  t.equal(house.uploads.onGoodbye(COLLECTOR, 1n), false)
  t.equal(house.uploads.onGoodbye({ ...COLLECTOR, port: 1 }, 2n), false)
  t.equal(house.uploads.onGoodbye(COLLECTOR, 2n), true)
  t.equal(house.uploads.active, 3)
})

t.test('a peer serves 256 uploads at most, and forgets those that fell silent', async t => {
  const house = new House()
  for (let i = 0; i < 300; i++) {
    const answer = house.pull({ address: '10.0.1.1', port: 1_000 + i }, 1n, {})
    t.equal(answer, i < 256 ? undefined : ERROR_CODE.TOO_MANY_UPLOADS)
  }
  t.equal(house.uploads.active, 256)
  house.now = instant(house.now + 5_000)
  house.pull({ address: '10.0.1.1', port: 1_000 }, 1n, {})
  house.now = instant(house.now + 5_000)
  t.ok(house.uploads.deadline() <= house.now)
  house.uploads.onTick(house.now)
  t.equal(house.uploads.active, 1)
  t.strictSame(house.uploads.stop(), [{ to: { address: '10.0.1.1', port: 1_000 }, session: 1n }])
  t.equal(house.uploads.active, 0)
  t.equal(house.uploads.deadline(), NEVER)
})

t.test('fifty collectors get equal shares of a limit', async t => {
  // 8 Mbit/s, which each of them would take alone.
  const house = new House(1_000)
  const start = house.now
  const from = Array.from({ length: 50 }, (_, i) => ({ address: '10.0.2.1', port: 1_000 + i }))
  const octets = new Map<number, number>()
  for (; house.now < start + 3_000; house.now = instant(house.now + 1)) {
    if ((house.now - start) % 500 === 0) {
      for (const collector of from) house.pull(collector, 1n, { rate: 8_000, ranges: [range(0, 12)] })
    }
    for (const { to, size } of house.fill(176)) octets.set(to.port, (octets.get(to.port) ?? 0) + size + IP_UDP)
  }
  const shares = [...octets.values()]
  const sum = shares.reduce((a, b) => a + b, 0)
  const jain = sum ** 2 / (50 * shares.reduce((a, b) => a + b ** 2, 0))
  t.ok(jain > 0.99, `Jain's index ${jain.toFixed(4)}`)
  t.ok(sum > 2.9e6 && sum < 3.1e6, `${sum} octets in 3 s`)
})

t.test('a wrong proof is told to the host', async t => {
  const house = new House()
  t.equal(house.pull(COLLECTOR, 1n, {}), undefined)
  t.equal(house.pull(COLLECTOR, 1n, { largest: sequence(1_000), proof: 5 }), 'bad-proof')
})

t.test('a transfer that this peer does not know is told so when it is not a new one', async t => {
  const house = new House()
  t.equal(house.pull(COLLECTOR, 1n, { largest: sequence(1), proof: 5 }), ERROR_CODE.UNKNOWN_SESSION)
  t.equal(house.uploads.active, 0)
})

t.test('a transfer keeps its root', async t => {
  const house = new House()
  t.equal(house.pull(COLLECTOR, 1n, {}), undefined)
  t.equal(house.pull(COLLECTOR, 1n, { root: new Uint8Array(32).fill(0x79) }), ERROR_CODE.NO_SUCH_ROOT)
})

t.test('uploads take turns', async t => {
  const house = new House()
  for (const session of [1n, 2n, 3n]) {
    house.pull({ ...COLLECTOR, port: Number(session) }, session, {
      ranges: [range(0, 12)],
      credit: sequence(250),
      rate: FAST,
    })
  }
  house.now = instant(house.now + 1)
  const counts = new Map<number, number>()
  for (const { to } of house.fill(96)) counts.set(to.port, (counts.get(to.port) ?? 0) + 1)
  t.strictSame([...counts.values()], [32, 32, 32])
})

t.test('one limit holds for all uploads together, and all get their share of it', async t => {
  const limit = 500
  const house = new House(limit)
  const octets = new Map<number, number>()
  const start = house.now
  for (let turn = 0; turn < 10; turn++) {
    for (const session of [1n, 2n, 3n]) {
      const wants = { ranges: [range(0, 12)], credit: sequence(250), rate: FAST }
      house.pull({ ...COLLECTOR, port: Number(session) }, session, wants)
    }
    for (const end = house.now + 50; house.now < end; ) {
      for (const { to, size } of house.fill(64)) octets.set(to.port, (octets.get(to.port) ?? 0) + size + IP_UDP)
      const next = house.uploads.deadline()
      t.ok(next > house.now || house.fill(1).length > 0)
      house.now = instant(Math.min(end, Math.max(next, house.now + 0.01)))
    }
  }
  const all = [...octets.values()].reduce((sum, n) => sum + n, 0)
  const allowed = limit * (house.now - start)
  t.ok(all <= allowed + 4_500 && all >= 0.9 * allowed, `${all} of ${allowed}`)
  t.ok(
    [...octets.values()].every(n => n > 0.2 * all),
    `${[...octets.values()]}`,
  )
})

function place(block: number, chunk: number): string {
  return `${block}/${chunk}`
}

function placesIn(block: number): string[] {
  const chunks = block === 12 ? 1 : CHUNKS_A_BLOCK
  return Array.from({ length: chunks }, (_, chunk) => place(block, chunk))
}

function placesOf(sent: readonly Sent[]): string[] {
  return sent.flatMap(message => (message.kind === 'chunk' ? [place(message.block, message.offset / CHUNK)] : []))
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

function requested(cache: BlockCache, file: number, block: number): TransferEffect[] {
  const effects: TransferEffect[] = []
  cache.request(file, block, effects)
  return effects
}
