import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { FullTree, leafHash } from '../../src/content/tree.js'
import type { Effect } from '../../src/host/contract.js'
import { DIGESTS } from '../../src/sim/digests.js'
import { EventHeap } from '../../src/sim/event-heap.js'
import { IP_UDP_BYTES } from '../../src/sim/link.js'
import { PcapCapture } from '../../src/sim/pcap.js'
import { SeededRandom } from '../../src/sim/random.js'
import type { StationOptions } from '../../src/sim/surroundings.js'
import { SimulationError, World, type WorldOptions } from '../../src/sim/world.js'
import { blockIndex, type Instant, instant, ms } from '../../src/units.js'
import { BLOCK_BYTES, TAG, TAG_AT } from '../../src/wire/layout.js'
import { EchoHost, endpoint, FloodHost, type Flow, making, OrderingHost, QuietHost } from './hosts.js'

const SOON = instant(10_000)

t.test('events come by instant, and at one instant in the order in which they were planned', async t => {
  const heap = new EventHeap()
  const random = new SeededRandom(1)
  const planned = Array.from({ length: 5_000 }, (_, i) => ({ at: random.below(100), subject: i }))
  for (const { at, subject } of planned) heap.push(at, 0, subject)
  const came: { at: number; subject: number }[] = []
  while (heap.pop()) came.push({ at: heap.at, subject: heap.subject })
  t.strictSame(
    came,
    planned.sort((a, b) => a.at - b.at || a.subject - b.subject),
  )
  t.equal(heap.next, Infinity)
})

t.test('a flow above the rate of its link arrives at the rate of the link', async t => {
  const size = 1_000 - IP_UDP_BYTES
  const { sink, world } = flood({ count: 1_000, size, rate: Infinity }, { up: { rate: 8, delay: ms(10) } })
  world.run({ until: SOON })
  t.equal(sink().numbers.length, 1_000)
  const last = sink().batches.at(-1)!.now
  t.ok(Math.abs(last - (1_000 + 10)) < 2, `${last}`)
})

t.test('both links are paid, and the narrower one decides', async t => {
  const size = 1_000 - IP_UDP_BYTES
  const options = { up: { rate: 80 }, down: { rate: 8, delay: ms(5) } }
  const { sink, world } = flood({ count: 100, size, rate: Infinity }, options)
  world.run({ until: SOON })
  t.ok(Math.abs(sink().batches.at(-1)!.now - 106) < 2)
})

t.test('what arrives in one wake-up is one batch, in order', async t => {
  const { sink, world } = flood({ count: 100, size: 100, rate: Infinity }, {})
  world.run({ until: SOON })
  t.strictSame(
    sink().batches.map(batch => batch.numbers.length),
    [64, 36],
  )
  t.strictSame(sink().numbers, upTo(100))
})

t.test('a slow receiver loses what its buffer does not hold', async t => {
  const { sink, world, stations } = flood({ count: 200, size: 1_400, rate: Infinity }, { receiveBuffer: 212_992 })
  world.run({ until: SOON })
  t.equal(sink().numbers.length, Math.floor(212_992 / 2_300))
  t.equal(stations[1].counters.bufferFull, 200 - sink().numbers.length)
  t.equal(world.pool.inUse, 0)
})

t.test('the same seed gives the same datagrams at the same instants, another seed others', async t => {
  const faults = {
    loss: 0.1,
    burst: 3,
    jitter: ms(5),
    duplication: 0.1,
    corruption: 0.1,
    undetected: 0.5,
    truncation: 0.1,
  }
  const hashOf = (seed: number) => {
    const { world } = flood({ count: 500, size: 500, rate: 10 }, { up: faults, down: faults }, { seed })
    world.run({ until: SOON })
    return world.trace.hash
  }
  t.equal(hashOf(1), hashOf(1))
  t.not(hashOf(1), hashOf(2))
})

t.test('mutated datagrams reach the host', async t => {
  const { sink, world } = flood({ count: 500, size: 6, rate: 10 }, { up: { corruption: 1, undetected: 1 } })
  world.run({ until: SOON })
  t.equal(sink().numbers.length, 500)
  t.ok(sink().numbers.some(number => number > 500))
})

t.test('truncated datagrams reach the host shorter', async t => {
  const { sink, world } = flood({ count: 100, size: 6, rate: 10 }, { up: { truncation: 1 } })
  world.run({ until: SOON })
  t.ok(sink().numbers.every(number => number === -1))
})

t.test('a cut stops both ways until it is undone', async t => {
  const { sink, world, stations } = flood({ count: 100, size: 1_000, rate: 8 }, {})
  let heal = () => {}
  world.at(instant(30), () => {
    heal = world.cut([stations[0]], world.stations)
  })
  world.at(instant(70), () => heal())
  world.run({ until: SOON })
  t.ok(Math.abs(sink().numbers.length - 60) <= 2)
  t.match(world.failure('x').message, /replay: npm run sim -- --seed 1/)
})

t.test('settings of a link change at an instant', async t => {
  const { sink, world, stations } = flood({ count: 100, size: 1_000, rate: 8 }, {})
  world.at(instant(50), () => stations[0].up.change({ loss: 1 }))
  world.run({ until: SOON })
  t.ok(Math.abs(sink().numbers.length - 50) <= 2)
})

t.test('a killed host hears nothing more, and starts again with nothing', async t => {
  const { sink, world, stations } = flood({ count: 100, size: 1_000, rate: 8 }, {})
  const first = sink()
  world.at(instant(30), () => stations[1].kill())
  world.at(instant(60), () => stations[1].start())
  world.run({ until: SOON })
  t.ok(Math.abs(first.numbers.length - 30) <= 2)
  t.not(sink(), first)
  t.ok(Math.abs(sink().numbers.length - 40) <= 2)
  t.equal(stations[1].life, 2)
})

t.test('a paused host gets everything when it goes on', async t => {
  const { sink, world, stations } = flood({ count: 100, size: 1_000, rate: 8 }, {})
  world.at(instant(10), () => stations[0].pause())
  world.at(instant(20), () => stations[0].resume())
  world.at(instant(30), () => stations[1].pause())
  world.at(instant(80), () => stations[1].resume())
  world.run({ until: SOON })
  t.strictSame(sink().numbers, upTo(100))
  t.ok(sink().batches.every(({ now }) => now < 30.2 || now >= 80))
})

t.test('inputs of a paused host wait, those of a dead one are gone', async t => {
  const quiet = making(() => new QuietHost())
  const world = new World({ seed: 1 })
  const station = world.addHost('a', quiet.factory, { endpoint: endpoint(1) })
  station.pause()
  station.step({ kind: 'tick' })
  t.equal(quiet.host().inputs.length, 0)
  station.resume()
  t.equal(quiet.host().inputs.length, 1)
  station.kill()
  station.step({ kind: 'tick' })
  t.equal(quiet.host().inputs.length, 1)
})

t.test('a host that stops is stopped after its last datagrams', async t => {
  const quiet = making(() => new QuietHost())
  const world = new World({ seed: 1 })
  const station = world.addHost('a', quiet.factory, { endpoint: endpoint(1) })
  station.step({ kind: 'stop' })
  t.equal(station.state, 'stopped')
  t.equal(station.stopReason, 'asked')
})

t.test('an echo comes back after both delays, twice', async t => {
  const options = { up: { delay: ms(10) }, down: { delay: ms(5) } }
  const { world, source } = flood({ count: 1, size: 100, rate: 1 }, options, {}, () => new EchoHost())
  world.run({ until: SOON })
  const back = source().batches[0]!.now
  t.ok(back >= 30 && back < 31.3, `${back}`)
})

t.test('a tick comes on whole milliseconds of its own, never before the deadline', async t => {
  const waiting = making(now => new WaitingHost(now, 2.5))
  const world = new World({ seed: 1 })
  const clock = { ahead: ms(1e6), drift: 100, late: 0.5 }
  world.addHost('a', waiting.factory, { endpoint: endpoint(1), clock, spuriousTicks: 0.5 })
  world.run({ until: instant(1_000) })
  const lateness = waiting.host().lateness
  t.ok(lateness.length > 100)
  t.ok(lateness.every(late => late >= 0 && late < 22))
  t.ok(lateness.some(late => late > 2))
})

t.test('orders to the disk are carried out and answered', async t => {
  const content = new SeededRandom(1).octets(BLOCK_BYTES + 10)
  const lastBlock = content.subarray(BLOCK_BYTES)
  const orders: Effect[] = [
    { kind: 'read-block', file: 0, block: blockIndex(1), check: 'hash', into: new Uint8Array(BLOCK_BYTES) },
    { kind: 'prepare-target', size: content.length, keep: false },
    { kind: 'store-block', block: blockIndex(1), data: lastBlock, leaf: leafHash(DIGESTS, lastBlock) },
    { kind: 'store-block', block: blockIndex(0), data: lastBlock, leaf: leafHash(DIGESTS, content) },
  ]
  const { host, station, world } = order(orders, { files: [{ content, tree: treeOf(content) }] })
  world.run({ until: SOON })
  t.strictSame(
    host()
      .inputs.map(({ input }) => input)
      .slice(1),
    [
      { kind: 'block-read', file: 0, block: 1, data: lastBlock },
      { kind: 'target-ready', error: undefined },
      { kind: 'block-stored', block: 1, outcome: 'stored' },
      { kind: 'block-stored', block: 0, outcome: 'bad' },
    ],
  )
  t.strictSame(station.disk.target?.content.subarray(BLOCK_BYTES), lastBlock)
  t.equal(station.disk.target?.isFinished, false)
  station.kill()
  station.start(making(() => new OrderingHost([{ kind: 'finish-target' }])).factory)
  world.run({ until: instant(20_000) })
  t.equal(station.disk.target?.isFinished, true)
})

t.test('a block that is no longer what was offered is not handed out, unless nobody checks', async t => {
  const content = new SeededRandom(1).octets(100)
  const tree = treeOf(content)
  const changed = content.slice()
  changed[50]! ^= 1
  const orders: Effect[] = [0, 1].map(file => ({
    kind: 'read-block',
    file,
    block: blockIndex(0),
    check: 'times',
    into: new Uint8Array(BLOCK_BYTES),
  }))
  const files = [
    { content: changed, tree },
    { content: changed, tree: undefined },
  ]
  const { host, world } = order(orders, { files })
  world.run({ until: SOON })
  t.strictSame(
    host()
      .inputs.map(({ input }) => input)
      .slice(1),
    [
      { kind: 'block-read', file: 0, block: 0, data: undefined, why: 'changed' },
      { kind: 'block-read', file: 1, block: 0, data: changed },
    ],
  )
})

t.test('a disk fails where it is told to', async t => {
  const errorAt = (failing: 'prepare' | 'write' | 'finish') => {
    const orders: Effect[] = [
      { kind: 'prepare-target', size: 1, keep: false },
      { kind: 'store-block', block: blockIndex(0), data: Uint8Array.of(1), leaf: undefined },
    ]
    const { host, station, world } = order(failing === 'prepare' ? orders.slice(0, 1) : orders, { disk: { failing } })
    world.run({ until: SOON })
    if (failing === 'finish') return station.disk.finish()
    return host().inputs.at(-1)!.input
  }
  t.match(errorAt('prepare'), { kind: 'target-ready', error: 'EACCES: permission denied' })
  t.match(errorAt('write'), { kind: 'block-stored', outcome: { error: 'ENOSPC: no space left' } })
  t.match(errorAt('finish'), { kind: 'target-finished', error: 'EACCES: permission denied' })
  const files = [{ content: Uint8Array.of(1), tree: undefined }]
  const read: Effect = {
    kind: 'read-block',
    file: 0,
    block: blockIndex(0),
    check: 'hash',
    into: new Uint8Array(BLOCK_BYTES),
  }
  const { host, world } = order([read], { files, disk: { readFailures: 1, delay: ms(5), jitter: ms(5) } })
  world.run({ until: SOON })
  t.match(host().inputs.at(-1)!.input, { kind: 'block-read', data: undefined, why: 'EIO: input/output error' })
  t.ok(host().inputs.at(-1)!.now >= 5)
})

t.test('a host that breaks the contract ends the run, with the seed, the replay and the last datagrams', async t => {
  const tooLarge = flood({ count: 1, size: 1_472, rate: 1 }, {}, { seed: 7, datagramBytesMax: 1_400 })
  t.throws(() => tooLarge.world.run({ until: SOON }), {
    message: /^seed 7, .* sent 1472 octets where 1400.*--seed 7\n[\s\S]*source -> sink/,
  })
  const control = flood({ count: 1, size: 1_300, rate: 1 }, {}, {}, () => new QuietHost(), TAG.PULL)
  t.throws(() => control.world.run({ until: SOON }), { message: /1300 octets where 1200 are allowed/ })
  const strayWrite = order([{ kind: 'finish-target' }], {})
  t.throws(() => strayWrite.world.run({ until: SOON }), SimulationError)
})

t.test('a host that spins, and a world that does not end, are noticed', async t => {
  const spinning = new World({ seed: 1 })
  spinning.addHost('a', making(() => new SpinningHost()).factory, { endpoint: endpoint(1) })
  t.throws(() => spinning.run({ until: SOON }), { message: /a asks for ticks without end/ })
  const { world } = flood({ count: 1e6, size: 100, rate: 1 }, {}, { stepLimit: 1_000 })
  t.throws(() => world.run({ until: SOON }), { message: /1000 steps and no end/ })
})

t.test('a world is quiet when no host did anything for a while', async t => {
  const { world } = flood({ count: 10, size: 1_000, rate: 8 }, {})
  world.run({ until: instant(5) })
  t.equal(world.isQuiet(ms(100)), false)
  world.run({ until: instant(50) })
  t.equal(world.isQuiet(ms(100)), false)
  world.run({ until: instant(200) })
  t.equal(world.isQuiet(ms(100)), true)
  world.addHost('restless', making(now => new WaitingHost(now, 2.5)).factory, { endpoint: endpoint(3) })
  world.run({ until: instant(400) })
  t.equal(world.isQuiet(ms(100)), false, 'one wakes up for nothing, again and again')
})

t.test('a run ends where it is asked to', async t => {
  const { sink, world } = flood({ count: 10, size: 1_000, rate: 8 }, {})
  world.run({ until: SOON, stopWhen: () => sink().numbers.length === 3 })
  t.equal(sink().numbers.length, 3)
  t.ok(world.now < 5)
  world.run({ until: SOON })
  t.equal(world.now, SOON)
})

t.test('100 MB at 100 Mbit/s take a few seconds of CPU', async t => {
  const { sink, world } = flood(
    { count: 70_000, size: 1_444, rate: 100 },
    { up: { rate: 110, delay: ms(20), queue: 1e6 } },
  )
  const start = process.cpuUsage()
  world.run({ until: instant(60_000) })
  const { user } = process.cpuUsage(start)
  t.equal(sink().numbers.length, 70_000)
  t.ok(user < 5e6, `${user} us`)
})

t.test('a capture holds whole datagrams with right checksums, as tshark reads them', async t => {
  const capture = new PcapCapture()
  const { world } = flood({ count: 100, size: 1_001, rate: 8 }, {}, { watchers: [capture] })
  world.run({ until: SOON })
  const octets = Buffer.from(capture.octets())
  t.equal(octets.readUInt32LE(0), 0xa1b23c4d)
  t.equal(octets.length, 24 + 100 * (16 + 28 + 1_001))
  const file = join(t.testdir(), 'run.pcap')
  writeFileSync(file, octets)
  const fields = ['ip.src', 'udp.dstport', 'udp.length', 'ip.checksum.status', 'udp.checksum.status']
  const read = spawnSync(
    'tshark',
    [
      '-r',
      file,
      '-o',
      'ip.check_checksum:TRUE',
      '-o',
      'udp.check_checksum:TRUE',
      '-T',
      'fields',
      ...fields.flatMap(f => ['-e', f]),
    ],
    { encoding: 'utf8' },
  )
  if (read.error !== undefined) return t.comment('no tshark here')
  t.strictSame(new Set(read.stdout.trim().split('\n')), new Set(['10.0.0.1\t4000\t1009\t1\t1']))
})

interface Flooding {
  readonly world: World
  readonly source: () => FloodHost
  readonly sink: () => QuietHost
  readonly stations: ReturnType<typeof addTwo>
}

/** A source that floods a sink; `options` hold for both. */
function flood(
  flow: Omit<Flow, 'to'>,
  options: Omit<StationOptions, 'endpoint'>,
  world: Partial<WorldOptions> = {},
  makeSink: () => QuietHost = () => new QuietHost(),
  tag: number = TAG.CHUNK,
): Flooding {
  const made = new World({ seed: 1, ...world })
  const source = making(now => new TaggedFlood({ ...flow, to: endpoint(2) }, now, tag))
  const sink = making(makeSink)
  const stations = addTwo(made, options, source.factory, sink.factory)
  return { world: made, source: source.host, sink: sink.host, stations }
}

function addTwo(
  world: World,
  options: Omit<StationOptions, 'endpoint'>,
  ...[a, b]: [Parameters<World['addHost']>[1], Parameters<World['addHost']>[1]]
) {
  return [
    world.addHost('source', a, { ...options, endpoint: endpoint(1) }),
    world.addHost('sink', b, { ...options, endpoint: endpoint(2) }),
  ] as const
}

class TaggedFlood extends FloodHost {
  readonly #tag: number
  constructor(flow: Flow, now: Instant, tag: number) {
    super(flow, now)
    this.#tag = tag
  }
  override fill(batch: Parameters<FloodHost['fill']>[0], now: Instant): void {
    super.fill(batch, now)
    for (let i = 0; i < batch.count; i++) batch.heads[i]![TAG_AT] = this.#tag
  }
}

function order(orders: readonly Effect[], options: Omit<StationOptions, 'endpoint'>) {
  const world = new World({ seed: 1 })
  const made = making(() => new OrderingHost(orders))
  const station = world.addHost('a', made.factory, { ...options, endpoint: endpoint(1) })
  return { world, station, host: made.host }
}

/** Notes how late each tick came. */
class WaitingHost extends QuietHost {
  readonly lateness: number[] = []
  readonly #every: number
  #deadline: Instant
  constructor(now: Instant, every: number) {
    super()
    this.#deadline = now
    this.#every = every
  }
  override step(_input: unknown, now: Instant): void {
    if (now < this.#deadline) return
    this.lateness.push(now - this.#deadline)
    this.#deadline = instant(now + this.#every)
  }
  override deadline(): Instant {
    return this.#deadline
  }
}

class SpinningHost extends QuietHost {
  override deadline(): Instant {
    return instant(0)
  }
}

function treeOf(content: Uint8Array): FullTree {
  const hashes = []
  for (let start = 0; start < content.length; start += BLOCK_BYTES) {
    hashes.push(leafHash(DIGESTS, content.subarray(start, start + BLOCK_BYTES)))
  }
  return new FullTree(DIGESTS, content.length, Buffer.concat(hashes))
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1)
}
