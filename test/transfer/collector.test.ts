// The collector: collector.ts, blocks.ts and path.ts, with real uploads at the other end.
import t, { type Test } from 'tap'
import { Bitmap } from '../../src/content/bitmap.js'
import { sequence } from '../../src/units.js'
import * as bulk from '../../src/wire/bulk.js'
import { BLOCK_BYTES, ERROR_CODE, FLAG, TAG } from '../../src/wire/layout.js'
import { faultOf } from '../trace-spec.js'
import { Swarm, type SwarmOptions, sourceOf } from './swarm.js'

const MEGABYTE = 1_000_000

t.test('files of every size arrive whole, with and without an own copy, where datagrams are lost', async t => {
  for (const size of [0, 1, 1_444, 1_445, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 300_000, 3 * MEGABYTE]) {
    for (const hasOwn of [false, true]) {
      for (const peers of [1, 3]) {
        const swarm = new Swarm({ size, hasOwn, peers, loss: 0.05, jitter: 3, seed: size + peers }).run()
        expectWhole(t, swarm, `${size} octets from ${peers}${hasOwn ? ' and itself' : ''}`)
      }
    }
  }
})

t.test('without loss hardly anything comes twice and every peer gives of its fragment', async t => {
  const swarm = new Swarm({ size: 8 * MEGABYTE, peers: 4 }).run()
  const { fragments } = expectWhole(t, swarm)
  t.equal(fragments.length, 4)
  for (const { sources, owner } of fragments) t.ok(sources.some(({ endpoint }) => endpoint.port === owner?.port))
  const { duplicateChunks, ...others } = swarm.collector.counters
  t.ok(duplicateChunks! <= 0.05 * ((8 * MEGABYTE) / 1_444), `${duplicateChunks} duplicates`)
  t.strictSame(others, { strayChunks: 0, badBlocks: 0, badPages: 0, beyondCredit: 0 })
  t.ok(swarm.peers.every(peer => peer.badProofs === 0))
  swarm.runOn(1_000)
  t.ok(
    swarm.peers.every(peer => peer.uploads.active === 0),
    'goodbye was said',
  )
})

t.test('only the blocks that are wanted come, from all peers and where datagrams are lost', async t => {
  for (const every of [1, 2, 7, 100]) {
    for (const hasOwn of [false, true]) {
      const blocks = new Bitmap(100)
      for (let block = 0; block < 99; block += every) blocks.setRange(block, Math.min(block + 1 + (block % 3), 100))
      const swarm = new Swarm({ size: 99 * BLOCK_BYTES + 5, hasOwn, peers: 3, loss: 0.05, seed: every, blocks }).run()
      t.equal(swarm.finished?.failure, undefined)
      const written = new Bitmap(100)
      for (const block of swarm.written) if (!written.set(block)) t.fail(`block ${block} is written twice`)
      t.strictSame(written, blocks, `${blocks.count} blocks`)
      const fragments = swarm.finished?.fragments ?? []
      const bytes = fragments.reduce((sum, fragment) => sum + fragment.bytes, 0)
      const came = fragments.flatMap(({ localBytes, sources }) => [localBytes, ...sources.map(source => source.bytes)])
      t.equal(bytes, blocks.count * BLOCK_BYTES - (blocks.has(99) ? BLOCK_BYTES - 5 : 0))
      t.equal(
        came.reduce((a, b) => a + b, 0),
        bytes,
      )
    }
  }
  t.equal(new Swarm({ size: 5 * BLOCK_BYTES, blocks: new Bitmap(5) }).run().finished?.failure, undefined, 'none')
})

t.test('with other blocks wanted than in an earlier run, only those that it lacks come', async t => {
  const blocks = new Bitmap(100)
  for (const block of [1, 2, 3, 51, 99]) blocks.set(block)
  const options = { size: 99 * BLOCK_BYTES + 5, peers: 3, blocks }
  const swarm = new Swarm({ ...options, earlier: [0, 1, 2, 50, 51] }).run()
  const { failure, fragments } = swarm.finished!
  t.equal(failure, undefined)
  t.strictSame(
    swarm.written.sort((a, b) => a - b),
    [3, 99],
  )
  t.strictSame(
    fragments.map(({ bytes, localBytes, localWhy }) => [bytes, localBytes, ...localWhy]),
    [
      [BLOCK_BYTES, BLOCK_BYTES, 'earlier run'],
      [2 * BLOCK_BYTES, BLOCK_BYTES, 'earlier run'],
      [BLOCK_BYTES + 5, BLOCK_BYTES, 'earlier run'],
    ],
  )
  const nothing = new Swarm({ ...options, earlier: [1, 2, 3, 51, 99] }).run()
  t.equal(nothing.finished?.failure, undefined)
  t.strictSame(nothing.written, [], 'all of it is there')
})

t.test('its own fragment a collector reads from its own file, and nothing else', async t => {
  const swarm = new Swarm({ size: 3 * MEGABYTE, peers: 2, hasOwn: true }).run()
  const { fragments } = expectWhole(t, swarm)
  const own = fragments.find(fragment => fragment.owner === undefined)!
  t.strictSame([own.localBytes, own.localWhy], [own.bytes, ['own fragment']])
  t.ok(fragments.every(fragment => fragment === own || fragment.localBytes === 0))
})

t.test('when a peer leaves exactly the chunks that it owed come from the local file', async t => {
  for (const how of ['goodbye', 'list'] as const) {
    // Its own file is all the collector has besides: nobody can steal.
    const swarm = new Swarm({ size: 4 * MEGABYTE, peers: 1, hasOwn: true, rates: [40] })
    const [peer] = swarm.peers as [Swarm['peers'][0]]
    let came = 0
    swarm.run(250)
    if (how === 'goodbye') swarm.goodbye(peer)
    else {
      peer.isSilent = true
      swarm.tell(turn => swarm.collector.onLeft(peer.endpoint, turn))
    }
    const { fragments } = expectWhole(t, swarm.run(), how)
    const left = fragments.find(fragment => fragment.owner !== undefined)!
    for (const source of left.sources) came += source.bytes
    t.ok(came > 0.1 * left.bytes && came < 0.9 * left.bytes, `${came} of ${left.bytes} came`)
    t.equal(left.localBytes, left.bytes - came)
    t.strictSame(left.localWhy, ['peer left'])
    t.strictSame(swarm.lost, [how === 'goodbye' ? '4001 said goodbye' : '4001 left the list'])
  }
})

t.test('when a peer leaves and there is no local file the others give what it owed', async t => {
  const swarm = new Swarm({ size: 4 * MEGABYTE, peers: 3, rates: [30, 30, 30], loss: 0.02 })
  swarm.at(150, () => swarm.goodbye(swarm.peers[1]!))
  const { fragments } = expectWhole(t, swarm.run())
  const sources = fragments[1]!.sources.map(source => source.endpoint.port)
  t.ok(sources.includes(4_002) && sources.length > 1, `${sources}`)
})

t.test('a peer that falls silent loses its work at once, and is dead after a while', async t => {
  const swarm = new Swarm({ size: 20 * MEGABYTE, peers: 2, rates: [40, 10] })
  swarm.at(300, () => {
    swarm.peers[0]!.isSilent = true
  })
  expectWhole(t, swarm.run())
  t.strictSame(swarm.lost, ['4001 silent'])
})

t.test('a peer that pauses comes back to work', async t => {
  const swarm = new Swarm({ size: 10 * MEGABYTE, peers: 2, rates: [40, 40] })
  const [peer] = swarm.peers as [Swarm['peers'][0]]
  swarm.at(300, () => {
    peer.isSilent = true
  })
  let chunks = 0
  swarm.at(900, () => {
    peer.isSilent = false
    chunks = peer.chunks
  })
  expectWhole(t, swarm.run())
  t.strictSame(swarm.lost, [])
  t.ok(peer.chunks > chunks + 100, `${peer.chunks - chunks} more`)
})

t.test('where nobody is left the transfer fails and says what is missing', async t => {
  const swarm = new Swarm({ size: 4 * MEGABYTE, peers: 1, rates: [20] })
  swarm.at(300, () => swarm.goodbye(swarm.peers[0]!))
  const failure = failureOf(swarm.run())
  t.equal(failure?.kind, 'incomplete')
  if (failure?.kind === 'incomplete') {
    t.ok(failure.missing > 0 && failure.missing < 4 * MEGABYTE, `${failure.missing}`)
    t.equal(failure.missing % BLOCK_BYTES, (4 * MEGABYTE) % BLOCK_BYTES)
  }
})

t.test('a path that carries nothing for five seconds is used again when it does', async t => {
  const swarm = new Swarm({ size: 40 * MEGABYTE, peers: 2, rates: [40, 10] })
  const [peer] = swarm.peers as [Swarm['peers'][0]]
  let chunks = 0
  swarm.at(1_000, () => {
    peer.isSilent = true
  })
  swarm.at(6_000, () => {
    peer.isSilent = false
    chunks = peer.chunks
  })
  const start = swarm.now
  expectWhole(t, swarm.run())
  t.strictSame(swarm.lost, [])
  t.ok(peer.chunks > 3 * chunks, `${peer.chunks - chunks} after ${chunks}`)
  // Both together bring 50 Mbit/s, the other alone 10 for five seconds.
  const least = (40 * MEGABYTE * 8) / 50_000 + 5_000 * 0.8
  t.ok(swarm.now - start < 1.2 * least, `${swarm.now - start} ms, and ${least} at least`)
})

t.test('a silent last peer is waited for longer', async t => {
  const swarm = new Swarm({ size: 2 * MEGABYTE, peers: 1, rates: [20] })
  const [peer] = swarm.peers as [Swarm['peers'][0]]
  swarm.at(200, () => {
    peer.isSilent = true
  })
  swarm.at(6_000, () => {
    peer.isSilent = false
  })
  expectWhole(t, swarm.run())
  t.strictSame(swarm.lost, [])
})

t.test('a peer that joins takes part', async t => {
  const swarm = new Swarm({ size: 10 * MEGABYTE, peers: 1, rates: [40] })
  swarm.at(200, () => {
    const peer = swarm.addPeer(40)
    for (let times = 0; times < 2; times++) swarm.tell(turn => swarm.collector.onJoined(sourceOf(peer), turn))
    swarm.tell(turn => swarm.collector.onJoined({ kind: 'self' }, turn))
  })
  expectWhole(t, swarm.run())
  t.ok(swarm.peers[1]!.chunks > 2_000, `${swarm.peers[1]!.chunks}`)
  t.ok(swarm.now < 5_000 + 1_700, `${swarm.now}`)
})

t.test('the same chunks go to whoever is fast: a slow peer does not hold up the end', async t => {
  const swarm = new Swarm({ size: 4 * MEGABYTE, peers: 2, rates: [1, 80] }).run()
  expectWhole(t, swarm)
  t.ok(swarm.now < 5_000 + 1_000, `${swarm.now}`)
})

t.test('a peer that becomes slow near the end does not keep what a faster time let it send', async t => {
  const swarm = new Swarm({ size: 12 * MEGABYTE, peers: 2, rates: [200, 80], delay: 50 })
  swarm.at(450, () => {
    swarm.peers[0]!.rate = 8
  })
  expectWhole(t, swarm.run())
  t.ok(swarm.now < 5_000 + 3_000, `${swarm.now}`)
})

t.test('a peer that sends bad data is found out, dropped, and what it gave comes from others', async t => {
  const swarm = new Swarm({ size: 4 * MEGABYTE, peers: 3, rates: [100, 100, 100] })
  swarm.peers[0]!.content = swarm.file.content.map(octet => octet ^ 1)
  expectWhole(t, swarm.run())
  t.strictSame(swarm.lost, ['4001 sent bad data'])
  t.ok(swarm.collector.counters.badBlocks! >= 2)
})

t.test('one bad block among good ones is fetched again elsewhere, and the peer stays', async t => {
  const swarm = new Swarm({ size: 2 * MEGABYTE, peers: 2 })
  const content = swarm.file.content.slice()
  content[3 * BLOCK_BYTES + 7]! ^= 0x80
  swarm.peers[0]!.content = content
  expectWhole(t, swarm.run())
  t.strictSame(swarm.lost, [])
  t.equal(swarm.collector.counters.badBlocks, 1)
})

t.test('where every peer lies the transfer fails and nothing false is written', async t => {
  const swarm = new Swarm({ size: MEGABYTE, peers: 2 })
  for (const peer of swarm.peers) peer.content = swarm.file.content.map(octet => octet ^ 0x10)
  t.equal(failureOf(swarm.run())?.kind, 'incomplete')
  t.strictSame(swarm.written, [])
})

t.test('where every peer lies an own copy still gives the file', async t => {
  const swarm = new Swarm({ size: MEGABYTE, peers: 2, hasOwn: true })
  for (const peer of swarm.peers) peer.content = swarm.file.content.map(octet => octet ^ 0x10)
  expectWhole(t, swarm.run())
  t.equal(swarm.lost.length, 2)
})

t.test('false hash pages are counted and asked of another', async t => {
  const swarm = new Swarm({
    size: 8 * MEGABYTE,
    peers: 2,
    filter: (datagram, peer) => {
      if (peer.number === 1 && datagram[1] === TAG.TREE) datagram[40]! ^= 1
      return true
    },
  })
  expectWhole(t, swarm.run())
  t.ok(swarm.collector.counters.badPages! >= 1)
})

t.test('whole blocks wait for their hash pages, and are verified then', async t => {
  const blockCount = Math.ceil((2 * MEGABYTE) / BLOCK_BYTES)
  const swarm = new Swarm({
    size: 2 * MEGABYTE,
    peers: 2,
    filter: (datagram, _, now) => datagram[1] !== TAG.TREE || now > 5_600,
  })
  swarm.run(550)
  t.notOk(swarm.orders.some(order => order.kind === 'store-block'))
  t.equal(swarm.verified, 0)
  t.ok(swarm.peers[0]!.chunks + swarm.peers[1]!.chunks >= blockCount * 45)
  expectWhole(t, swarm.run())
})

t.test('data is asked for before there is a file to write to, and waits for it', async t => {
  const swarm = new Swarm({ size: 3 * MEGABYTE, peers: 2, hasOwn: true, prepareTime: 60 })
  swarm.run(50)
  t.ok(swarm.peers.every(peer => peer.chunks > 0))
  t.equal(swarm.verified, 0)
  t.strictSame(
    swarm.orders.filter(({ kind }) => kind === 'store-block' || kind === 'finish-target'),
    [],
  )
  expectWhole(t, swarm.run())
  expectWhole(t, new Swarm({ size: 0, peers: 1, prepareTime: 60 }).run(), 'an empty file')
})

t.test('a disk that fails ends the transfer with its words', async t => {
  for (const failing of ['prepare', 'write', 'finish'] as const) {
    const swarm = new Swarm({ size: MEGABYTE, failing }).run()
    t.strictSame(failureOf(swarm), { kind: 'disk', detail: `${failing} failed` })
    swarm.runOn(500)
    t.ok(
      swarm.peers.every(peer => peer.uploads.active === 0),
      'goodbye was said',
    )
  }
})

t.test('an own file that can not be read is left alone, and peers give its share', async t => {
  const swarm = new Swarm({ size: 2 * MEGABYTE, peers: 2, hasOwn: true })
  swarm.ownFileIs = 'broken'
  const { fragments } = expectWhole(t, swarm.run())
  t.ok(fragments.every(fragment => fragment.localBytes === 0))
})

t.test('without peers and with a broken file the failure names both', async t => {
  const swarm = new Swarm({ size: MEGABYTE, peers: 0, hasOwn: true })
  swarm.ownFileIs = 'broken'
  const failure = failureOf(swarm.run())
  t.equal(failure?.kind, 'incomplete')
  t.match(failure?.detail, /no peer.*local file has changed/)
})

t.test('a collector alone with its own file copies it', async t => {
  const swarm = new Swarm({ size: MEGABYTE, peers: 0, hasOwn: true }).run()
  const { fragments } = expectWhole(t, swarm)
  t.strictSame(
    fragments.map(({ localBytes, localWhy }) => ({ localBytes, localWhy })),
    [{ localBytes: MEGABYTE, localWhy: ['own fragment'] }],
  )
})

t.test('where large datagrams vanish the transfer goes on with small chunks', async t => {
  for (const hasOwn of [false, true]) {
    const filter = (datagram: Uint8Array) => datagram.length <= 1_200
    const swarm = new Swarm({ size: 3 * MEGABYTE, peers: 2, hasOwn, filter }).run()
    expectWhole(t, swarm)
    t.strictSame(swarm.lost, [])
    t.ok(swarm.now < 5_000 + 3_000, `${swarm.now}`)
  }
})

t.test('where large datagrams of one peer vanish after a while no block comes twice', async t => {
  const filter = (datagram: Uint8Array, peer: { number: number }, now: number) =>
    datagram.length <= 1_200 || peer.number !== 1 || now < 5_100
  const swarm = new Swarm({ size: 6 * MEGABYTE, peers: 3, rates: [50, 50, 50], filter }).run()
  expectWhole(t, swarm)
  t.equal(swarm.written.length, Math.ceil((6 * MEGABYTE) / BLOCK_BYTES))
})

t.test('datagrams beyond the credit are counted and dropped, strange ones are refused', async t => {
  let sample: Uint8Array | undefined
  const swarm = new Swarm({
    size: 4 * MEGABYTE,
    peers: 2,
    filter: datagram => {
      if (datagram[1] === TAG.CHUNK) sample ??= datagram.slice()
      return true
    },
  }).run(60)
  const forge = (change: (datagram: Uint8Array, view: DataView) => void, from = swarm.peers[0]!.endpoint) => {
    const datagram = sample!.slice()
    change(datagram, new DataView(datagram.buffer))
    t.ok(bulk.isBulk(datagram))
    return swarm.giveBulk(datagram, from)
  }
  t.ok(forge((_, view) => view.setUint32(10, 0xffff_ffff)))
  t.ok(forge((_, view) => view.setUint32(10, 90_000)))
  t.equal(swarm.collector.counters.beyondCredit, 2)
  t.notOk(
    forge((_, view) => view.setUint32(2, 0x1234_5678)),
    'another session',
  )
  t.notOk(
    forge((_, view) => view.setUint32(6, 0x1234_5678)),
    'another session',
  )
  t.notOk(
    forge(() => {}, swarm.peers[1]!.endpoint),
    'another source',
  )
  // What was never asked for: a block beyond the file, an offset that is no chunk's.
  t.ok(forge((_, view) => view.setUint32(22, 1_000_000)))
  t.ok(forge((_, view) => view.setUint16(26, 3)))
  t.ok(swarm.collector.counters.strayChunks! >= 1)
  // The same datagram again is no news.
  t.ok(forge(() => {}))
  expectWhole(t, swarm.run())
})

t.test('a peer that sends more than it may is dropped with the reason, and the others bring the file', async t => {
  let sample: Uint8Array | undefined
  const filter = (datagram: Uint8Array) => {
    if (datagram[1] === TAG.CHUNK) sample ??= datagram.slice()
    return true
  }
  const swarm = new Swarm({ size: 8 * MEGABYTE, peers: 3, rates: [40, 40, 40], filter }).run(300)
  // Beside what it was asked for come chunks that no PULL allowed.
  const beyond = (number: number) => {
    const datagram = sample!.slice()
    new DataView(datagram.buffer).setUint32(10, number)
    return swarm.peers.find(({ endpoint }) => swarm.giveBulk(datagram, endpoint))
  }
  const liar = beyond(50_000)!
  for (let number = 1; number < 63; number++) beyond(50_000 + number)
  swarm.tell(turn => swarm.collector.endBatch(turn))
  t.strictSame(swarm.lost, [], 'some may be damage')
  beyond(60_000)
  swarm.tell(turn => swarm.collector.endBatch(turn))
  t.strictSame(swarm.lost, [`${liar.endpoint.port} sends more than it may`])
  t.equal(swarm.collector.counters.beyondCredit, 64)
  expectWhole(t, swarm.run())
})

t.test('a peer that marks its datagrams in every way it may is served as any other', async t => {
  const filter = (datagram: Uint8Array) => {
    if (datagram[1] !== TAG.ECHO) datagram[0]! |= FLAG.APP_LIMITED | FLAG.RETRANSMITTED
    return true
  }
  const { fragments } = expectWhole(t, new Swarm({ size: MEGABYTE, filter }).run())
  t.ok(fragments.every(({ sources }) => sources.every(source => source.retransmitted === source.chunks)))
})

t.test('errors end a path or not, by what they say', async t => {
  const says = {
    [ERROR_CODE.NOT_LISTED]: [],
    [ERROR_CODE.NO_SUCH_ROOT]: ['4001 does not have the file'],
    [ERROR_CODE.TOO_MANY_UPLOADS]: ['4001 serves too many already'],
    [ERROR_CODE.FILE_LOST]: ['4001 can not read the file any more'],
  }
  for (const [code, expected] of Object.entries(says)) {
    const swarm = new Swarm({ size: 2 * MEGABYTE, peers: 2 }).run(30)
    const [peer] = swarm.peers as [Swarm['peers'][0]]
    const [upload] = peer.uploads.stop()
    const error = { kind: 'error', code: Number(code) as never, tag: TAG.PULL, session: upload!.session } as const
    swarm.reply(peer, { ...error, sequence: sequence(1) })
    // One of nobody's session says nothing.
    swarm.reply(peer, { ...error, code: ERROR_CODE.FILE_LOST, session: 77n, sequence: sequence(2) })
    expectWhole(t, swarm.run(), `code ${code}`)
    t.strictSame(swarm.lost, expected)
  }
})

t.test('where the only peer serves too many, a collector asks now and then until it has time', async t => {
  const swarm = new Swarm({ size: 2 * MEGABYTE, peers: 1 }).run(30)
  const [peer] = swarm.peers as [Swarm['peers'][0]]
  const { session } = peer.uploads.stop()[0]!
  const error = { kind: 'error', code: ERROR_CODE.TOO_MANY_UPLOADS, tag: TAG.PULL, session } as const
  swarm.reply(peer, { ...error, sequence: sequence(1) })
  expectWhole(t, swarm.run(), 'it had time at once')
  t.strictSame(swarm.lost, [])
  const own = new Swarm({ size: 2 * MEGABYTE, peers: 1, hasOwn: true }).run(30)
  const [busy] = own.peers as [Swarm['peers'][0]]
  own.reply(busy, { ...error, session: busy.uploads.stop()[0]!.session, sequence: sequence(1) })
  expectWhole(t, own.run(), 'from its own copy')
  t.equal(own.lost.length, 1, 'nobody waits who has it all')
})

t.test('stopped by its owner, a collector says goodbye and reports what it has', async t => {
  for (const at of [0, 100]) {
    const swarm = new Swarm({ size: 4 * MEGABYTE, peers: 2 }).run(at)
    swarm.tell(turn => swarm.collector.stop('enough', turn))
    t.strictSame(failureOf(swarm), { kind: 'interrupted', detail: 'enough' })
    swarm.tell(turn => swarm.collector.stop('again', turn))
    t.equal(swarm.events.filter(event => event.kind === 'finished').length, 1)
    t.equal(swarm.collector.deadline(), Infinity)
  }
})

t.test('progress is told a few times a second and never goes back', async t => {
  const swarm = new Swarm({ size: 10 * MEGABYTE, peers: 2, rates: [20, 20], loss: 0.02 }).run()
  expectWhole(t, swarm)
  const told = swarm.events.flatMap(event => (event.kind === 'progress' ? [event.progress] : []))
  const seconds = (swarm.now - 5_000) / 1_000
  t.ok(told.length >= 4 * seconds - 2 && told.length <= 6 * seconds + 2, `${told.length} in ${seconds} s`)
  for (const [i, { verifiedBytes, bytes, peers, rate }] of told.entries()) {
    t.ok(verifiedBytes >= (told[i - 1]?.verifiedBytes ?? 0) && verifiedBytes <= bytes)
    t.ok(rate >= 0 && peers.every(peer => peer.rate > 0 && peer.loss >= 0 && peer.loss < 0.3 && peer.roundTrip > 0))
  }
})

t.test('heavy loss both ways delays the end and nothing else', async t => {
  const options: SwarmOptions = { size: 2 * MEGABYTE, peers: 3, hasOwn: true, loss: 0.3, jitter: 20, delay: 20 }
  expectWhole(t, new Swarm(options).run())
})

t.test('traced, a transfer notes what the spec lists, and runs as it does untraced', async t => {
  const slow = { size: 4 * MEGABYTE, peers: 2, rates: [1, 80], loss: 0.02 } as const
  const lame = new Swarm({ ...slow, trace: true })
  const paused = new Swarm({ size: 10 * MEGABYTE, peers: 2, rates: [40, 40], trace: true })
  paused.at(300, () => {
    paused.peers[0]!.isSilent = true
  })
  paused.at(900, () => {
    paused.peers[0]!.isSilent = false
  })
  const lied = new Swarm({ size: MEGABYTE, peers: 2, trace: true })
  lied.peers[0]!.content = lied.file.content.map(octet => octet ^ 1)
  const late = new Swarm({ size: MEGABYTE, peers: 2, rates: [40, 40], trace: true })
  late.at(80, () => {
    late.peers[0]!.isSilent = true
  })
  let long = 0
  const narrow = new Swarm({
    size: 8 * MEGABYTE,
    peers: 1,
    datagramMax: 8_972,
    trace: true,
    filter: datagram => datagram.length <= 1_472 || ++long <= 20,
  })
  const lines = [lame, paused, lied, late, narrow].flatMap(swarm => {
    expectWhole(t, swarm.run())
    return swarm.collector.trace!.take()
  })
  t.strictSame(
    lines.flatMap(({ name, fields }) => faultOf({ name, ...fields })),
    [],
  )
  const names = new Set(lines.map(line => line.name))
  const work = ['work:steal', 'work:help', 'work:duplicate', 'block:bad']
  const path = 'start train round state longer shorter timeout suspended resumed'.split(' ').map(what => `path:${what}`)
  t.strictSame([...names].sort(), [...work, ...path].sort())
  t.match(lines.find(line => line.name === 'block:bad')?.fields, { suspects: '10.0.0.1:4001' })

  const untraced = new Swarm(slow).run()
  t.equal(untraced.now, lame.now)
  t.equal(untraced.collector.trace, undefined)
})

t.test('nothing that comes when it is over starts it anew', async t => {
  const swarm = new Swarm({ size: MEGABYTE, peers: 2, hasOwn: true }).run()
  expectWhole(t, swarm)
  const count = swarm.orders.length
  const { collector, peers } = swarm
  swarm.tell(turn => {
    collector.onTick(turn)
    collector.endBatch(turn)
    collector.onJoined(sourceOf(peers[0]!), turn)
    collector.onLeft(peers[0]!.endpoint, turn)
    collector.onBlockRead(0, 0 as never, undefined, 'gone', turn)
    for (const outcome of ['stored', 'bad', { error: 'late' }] as const) {
      collector.onBlockStored(0 as never, outcome, turn)
    }
    collector.onTargetReady('late', turn)
    collector.onTargetRead(0 as never, undefined, turn)
    collector.onTargetFlushed('late', turn)
    collector.onTargetFinished('late', turn)
  })
  t.equal(swarm.orders.length, count)
  t.equal(swarm.events.filter(event => event.kind === 'finished').length, 1)
})

function failureOf(swarm: Swarm) {
  if (swarm.finished === undefined) throw new Error('it is not finished')
  return swarm.finished.failure
}

/** The file is there, octet for octet, and the accounts say where it came from. */
function expectWhole(t: Test, swarm: Swarm, what = '') {
  if (swarm.finished === undefined) throw new Error(`not finished ${what}: ${JSON.stringify(swarm.lost)}`)
  const { failure, fragments } = swarm.finished
  t.equal(failure, undefined, what)
  t.ok(swarm.isWhole, `${what} is identical`)
  t.equal(
    swarm.written.length,
    Math.ceil(swarm.file.content.length / BLOCK_BYTES),
    `${what}: every block is written once`,
  )
  let octets = 0
  for (const { bytes, localBytes, sources } of fragments) {
    const came = sources.reduce((sum, source) => sum + source.bytes, localBytes)
    if (came !== bytes) t.fail(`${what}: ${came} of a fragment of ${bytes}`)
    octets += bytes
  }
  t.equal(octets, swarm.file.content.length, what)
  return swarm.finished
}
