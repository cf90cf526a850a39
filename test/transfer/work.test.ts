// Who is asked for what, and where it came from: schedule.ts, owed.ts, assembly.ts, ledger.ts, work.ts, local-source.ts
// and pull.ts.
import fc from 'fast-check'
import t from 'tap'
import { divideIntoFragments, FileLayout } from '../../src/content/layout.js'
import { Wanted } from '../../src/content/wanted.js'
import { SeededRandom } from '../../src/sim/random.js'
import { Assembly, OPEN_BLOCKS_MAX, type OpenBlock } from '../../src/transfer/assembly.js'
import { Availability } from '../../src/transfer/availability.js'
import { Competition } from '../../src/transfer/competition.js'
import type { TransferEffect } from '../../src/transfer/effect.js'
import { Ledger, LOCAL_SOURCES, PATH_SOURCES_FROM } from '../../src/transfer/ledger.js'
import { LocalSource } from '../../src/transfer/local-source.js'
import { Owed } from '../../src/transfer/owed.js'
import { Path } from '../../src/transfer/path.js'
import { type Interval, Pool } from '../../src/transfer/pool.js'
import { composePulls } from '../../src/transfer/pull.js'
import { Schedule, type WorkerView } from '../../src/transfer/schedule.js'
import { Work } from '../../src/transfer/work.js'
import { type BlockIndex, blockIndex, type Instant, instant } from '../../src/units.js'
import { decode } from '../../src/wire/decode.js'
import { encode, encodedSize } from '../../src/wire/encode.js'
import { BLOCK_BYTES, CHUNK_HEADER_BYTES, CONTROL_BYTES_MAX } from '../../src/wire/layout.js'
import { holds } from './holds.js'

const CHUNK = 1_444
const START = instant(1_000)

t.test('a schedule never loses or doubles an octet, whatever is taken, stolen, inherited and given back', async t => {
  const worker = fc.integer({ min: 1, max: 4 })
  const rate = fc.constantFrom(1, 8, 1_000, 100_000)
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('take' as const), worker }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('steal' as const),
        worker,
        rates: fc.array(rate, { minLength: 4, maxLength: 4 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('abandon' as const), worker }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('inherit' as const),
        worker,
        from: fc.option(worker, { nil: undefined }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('give back' as const), worker }) },
  )
  const size = fc.integer({ min: 1, max: 40 * BLOCK_BYTES })
  holds(
    t,
    fc.property(size, fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 120 }), (size, count, steps) => {
      const schedule = scheduleOf(size)
      for (const { index, start, end } of divideIntoFragments(new FileLayout(size), count, CHUNK)) {
        schedule.assign(index + 1, start, end)
      }
      const taken: Interval[] = []
      const take = (worker: number, view?: (worker: number) => WorkerView): boolean => {
        const interval = schedule.take(worker, view)
        if (interval === undefined) return false
        if (Math.floor(interval.start / BLOCK_BYTES) !== Math.floor((interval.end - 1) / BLOCK_BYTES)) {
          throw new Error(`${interval.start} to ${interval.end} is not of one block`)
        }
        taken.push(interval)
        return true
      }
      for (const step of steps) {
        if (step.do === 'take') take(step.worker)
        else if (step.do === 'steal') {
          take(step.worker, worker => ({ rate: step.rates[worker - 1]!, outstanding: 1_000 * worker, stealable: true }))
        } else if (step.do === 'abandon') schedule.abandon(step.worker)
        else if (step.do === 'inherit') {
          if (step.from !== step.worker) schedule.inherit(step.worker, step.from)
        } else {
          const back = taken.shift()
          if (back !== undefined) schedule.orphan(back.start, back.end)
        }
        if (sumOf(taken) + schedule.untaken !== size) throw new Error(`${sumOf(taken)} and ${schedule.untaken}`)
      }
      const view = () => ({ rate: 1, outstanding: 0, stealable: false })
      for (let worker = 1; worker <= 4; worker++) while (take(worker, view));
      if (schedule.untaken !== 0 || schedule.orphaned !== 0) throw new Error('something is left')
      assertPartition(taken, size)
    }),
  )
})

t.test('work is stolen from who would finish last, from its far end, in proportion to both rates', async t => {
  const schedule = scheduleOf(50 * BLOCK_BYTES)
  schedule.assign(1, 0, 40 * BLOCK_BYTES)
  schedule.assign(2, 40 * BLOCK_BYTES, 50 * BLOCK_BYTES)
  const rates = [0, 1_000, 1_000, 3_000]
  const view = (worker: number) => ({ rate: rates[worker]!, outstanding: 0, stealable: true })
  t.strictSame(schedule.take(3, view), { start: 10 * BLOCK_BYTES, end: 11 * BLOCK_BYTES })
  t.equal(schedule.remaining(1), 10 * BLOCK_BYTES)
  t.equal(schedule.remaining(2), 10 * BLOCK_BYTES)
  t.equal(schedule.remaining(3), 29 * BLOCK_BYTES)
})

t.test(
  'a thief that would make the end later steals nothing, and nothing is stolen from who does not allow it',
  async t => {
    const schedule = scheduleOf(50 * BLOCK_BYTES)
    schedule.assign(1, 0, 2 * BLOCK_BYTES)
    const slow = (worker: number) => ({ rate: worker === 1 ? 10_000 : 8, outstanding: 0, stealable: true })
    t.equal(schedule.take(2, slow), undefined)
    t.equal(
      schedule.take(2, () => ({ rate: 10_000, outstanding: 0, stealable: false })),
      undefined,
    )
    t.equal(schedule.untaken, 2 * BLOCK_BYTES)
  },
)

t.test('what a source owes is counted octet by octet', async t => {
  const size = 3 * BLOCK_BYTES - 777
  const place = { block: fc.integer({ min: 0, max: 2 }), chunk: fc.integer({ min: 0, max: 44 }) }
  const kind = fc.constantFrom('want' as const, 'settle' as const, 'range' as const, 'release' as const)
  holds(
    t,
    fc.property(fc.array(fc.record({ kind, ...place }), { maxLength: 150 }), steps => {
      const assembly = new Assembly(new FileLayout(size))
      const blocks = [0, 1, 2].map(index => assembly.ensure(blockIndex(index), CHUNK))
      const owed = new Owed()
      const model = new Map<string, number>()
      const lengthOf = (open: OpenBlock, chunk: number) => Math.min(CHUNK, open.bytes - chunk * CHUNK)
      for (const { kind, block, chunk } of steps) {
        const open = blocks[block]!
        const key = `${block}/${chunk}`
        if (kind === 'want') {
          owed.want(open, chunk)
          model.set(key, lengthOf(open, chunk))
        } else if (kind === 'settle') {
          if (owed.settle(open, chunk) !== model.delete(key)) throw new Error('settle said otherwise')
        } else if (kind === 'range') {
          owed.wantRange(open, chunk, open.chunks)
          for (let c = chunk; c < open.chunks; c++) model.set(`${block}/${c}`, lengthOf(open, c))
        } else {
          owed.release(open)
          for (const key of [...model.keys()]) if (key.startsWith(`${block}/`)) model.delete(key)
        }
        const octets = [...model.values()].reduce((sum, length) => sum + length, 0)
        if (owed.octets !== octets || owed.isEmpty !== (model.size === 0)) throw new Error(`${owed.octets}, ${octets}`)
        for (const { open, chunks } of owed.entries()) {
          chunks.forEachSet(0, open.chunks, c => {
            if (!model.has(`${open.index}/${c}`)) throw new Error(`${c} is not owed`)
          })
        }
      }
    }),
  )
})

t.test('a chunk goes to its place if it is exactly one missing chunk', async t => {
  const size = BLOCK_BYTES + 2_000
  const content = new SeededRandom(1).octets(size)
  const assembly = new Assembly(new FileLayout(size))
  const open = assembly.ensure(blockIndex(1), CHUNK)
  t.equal(open.chunks, 2)
  const chunkAt = (offset: number, length: number) =>
    content.subarray(BLOCK_BYTES + offset, BLOCK_BYTES + offset + length)
  t.equal(assembly.place(open, 1, chunkAt(1, CHUNK), 9, false), undefined)
  t.equal(assembly.place(open, 0, chunkAt(0, CHUNK - 1), 9, false), undefined)
  t.equal(assembly.place(open, CHUNK, chunkAt(CHUNK, 555), 9, false), undefined)
  t.equal(assembly.place(open, 2 * CHUNK, chunkAt(0, 1), 9, false), undefined)
  t.ok(open.have.isEmpty)
  t.equal(assembly.place(open, CHUNK, chunkAt(CHUNK, 556), 9, true), 'placed')
  t.equal(assembly.place(open, CHUNK, chunkAt(CHUNK, 556), 7, false), 'duplicate')
  t.equal(assembly.place(open, 0, chunkAt(0, CHUNK), 8, false), 'placed')
  t.strictSame([...open.sources], [8, 9])
  t.strictSame([open.resent.has(0), open.resent.has(1)], [false, true])
  t.strictSame(open.data, content.slice(BLOCK_BYTES))
  open.state = 'storing'
  t.equal(assembly.place(open, 0, chunkAt(0, CHUNK), 9, false), 'duplicate')
  assembly.reset(open)
  t.strictSame([open.state, open.have.count, open.resent.count, open.sources[0]], ['receiving', 0, 0, 0])
})

t.test('a block from the disk gives what is wanted of it and still missing', async t => {
  const assembly = new Assembly(new FileLayout(BLOCK_BYTES))
  const open = assembly.ensure(blockIndex(0), 16_384)
  const received = new Uint8Array(16_384).fill(1)
  assembly.place(open, 16_384, received, 5, false)
  const owed = new Owed()
  owed.want(open, 0)
  owed.wantRange(open, 1, 3)
  const wanted = owed.release(open)!
  wanted.set(1)
  t.equal(assembly.fillFrom(open, new Uint8Array(BLOCK_BYTES).fill(2), wanted, 1), 2 * 16_384)
  t.strictSame([...open.sources], [1, 5, 1, 0])
  t.strictSame([open.data[0], open.data[16_384], open.data[32_768]], [2, 1, 2])
})

t.test('buffers of blocks are used again, and there are no more than stated', async t => {
  const assembly = new Assembly(new FileLayout((OPEN_BLOCKS_MAX + 1) * BLOCK_BYTES))
  const first = assembly.ensure(blockIndex(0), CHUNK)
  first.have.set(3)
  assembly.close(first)
  t.equal(assembly.find(blockIndex(0)), undefined)
  const second = assembly.ensure(blockIndex(1), CHUNK)
  t.equal(second.data.buffer, first.data.buffer)
  t.equal(second.have.count, 0)
  for (let i = 2; i <= OPEN_BLOCKS_MAX; i++) assembly.ensure(blockIndex(i), CHUNK)
  t.equal(assembly.open, OPEN_BLOCKS_MAX)
  t.ok(assembly.isFull)
  t.throws(() => assembly.ensure(blockIndex(0), CHUNK), { name: 'InvariantError' })
})

t.test('the sums of a ledger are the file', async t => {
  const size = fc.integer({ min: 1, max: 6 * BLOCK_BYTES })
  holds(
    t,
    fc.property(
      size,
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(1_024, CHUNK, 9_000),
      fc.nat(),
      (size, count, chunkSize, seed) => {
        const layout = new FileLayout(size)
        const assembly = new Assembly(layout)
        const random = new SeededRandom(seed)
        const fragments = divideIntoFragments(layout, count, chunkSize)
        const ledger = new Ledger(fragments, new Wanted(layout), fragments.map(endpointOf))
        let [chunks, resent] = [0, 0]
        for (let block = 0; block < layout.blockCount; block++) {
          const open = assembly.ensure(blockIndex(block), chunkSize)
          for (let c = 0; c < open.chunks; c++) {
            open.sources[c] = 1 + random.below(6)
            if (open.sources[c]! < PATH_SOURCES_FROM) continue
            chunks++
            if (random.chance(0.3) && open.resent.set(c)) resent++
          }
          ledger.onBlock(open)
          ledger.onDuplicate(layout.blockStart(open.index))
        }
        const report = ledger.report(source => (source < PATH_SOURCES_FROM ? undefined : endpointOf(source)))
        for (const [i, fragment] of report.entries()) {
          const came = fragment.localBytes + fragment.sources.reduce((sum, source) => sum + source.bytes, 0)
          if (came !== fragment.bytes || fragment.bytes !== fragments[i]!.end - fragments[i]!.start) return false
          if (fragment.localBytes > 0 !== fragment.localWhy.length > 0) return false
        }
        const sources = report.flatMap(fragment => fragment.sources)
        const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)
        return (
          sum(report.map(fragment => fragment.bytes)) === size &&
          sum(sources.map(source => source.chunks)) === chunks &&
          sum(sources.map(source => source.retransmitted)) === resent &&
          sum(report.map(fragment => fragment.duplicates)) === layout.blockCount
        )
      },
    ),
  )
})

t.test('every missing chunk is untaken or owed by someone, and every block comes once, whatever happens', async t => {
  const path = fc.integer({ min: 0, max: 2 })
  const pick = fc.nat({ max: 1 << 20 })
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('refill' as const), path }) },
    {
      weight: 12,
      arbitrary: fc.record({ do: fc.constant('arrive' as const), path, pick, count: fc.integer({ min: 1, max: 90 }) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('suspend' as const, 'revive' as const, 'die' as const), path }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom('bad block' as const, 'shrink' as const, 'break disk' as const),
        path,
      }),
    },
  )
  holds(
    t,
    fc.property(
      fc.integer({ min: 1, max: 30 * BLOCK_BYTES }),
      fc.boolean(),
      fc.array(step, { maxLength: 150 }),
      (size, hasLocal, steps) => {
        const bench = new Bench(size, hasLocal)
        for (const step of steps) {
          switch (step.do) {
            case 'refill':
              bench.work.refill(bench.paths[step.path]!, bench.now)
              break
            case 'arrive':
              bench.arrive(bench.paths[step.path]!, step.pick, step.count)
              break
            case 'read':
              bench.read()
              break
            case 'wait':
              bench.now = instant(bench.now + 500)
              break
            case 'suspend':
            case 'revive':
            case 'die':
              bench.change(bench.paths[step.path]!, step.do)
              break
            case 'bad block':
              bench.onBadBlock()
              break
            case 'shrink':
              if (bench.work.chunkSize > 1_172) bench.work.shrinkChunks(1_172)
              break
            case 'break disk':
              bench.breakDisk()
          }
          bench.settle()
        }
        bench.finish()
      },
    ),
    300,
  )
})

t.test('exactly what a peer that left still owed is wanted from the local file', async t => {
  const bench = new Bench(20 * BLOCK_BYTES, true, 2)
  const [leaver, other] = [bench.paths[0]!, bench.paths[1]!]
  bench.work.refill(leaver, bench.now)
  bench.work.refill(other, bench.now)
  bench.arrive(leaver, 0, 30)
  const owed = leaver.owed.octets + bench.work.schedule.remaining(leaver.number)
  leaver.state = 'dead'
  bench.work.strip(leaver, true)
  const source = LOCAL_SOURCES['peer left']
  t.ok(leaver.owed.isEmpty)
  t.equal(bench.work.local!.of(source).octets + bench.work.schedule.remaining(source), owed)
  t.equal(bench.work.schedule.remaining(leaver.number), 0)
})

t.test('nothing that another peer owes too is wanted from the local file when a peer leaves', async t => {
  const bench = new Bench(2 * BLOCK_BYTES, true, 2)
  const [leaver, other] = [bench.paths[0]!, bench.paths[1]!]
  bench.work.refill(leaver, bench.now)
  const { open } = [...leaver.owed.entries()][0]!
  other.owed.want(open, 0)
  leaver.state = 'dead'
  bench.work.strip(leaver, true)
  t.notOk(bench.work.local!.owes(open.index, 0))
  t.ok(bench.work.local!.owes(open.index, 1))
})

t.test('the local file is read a few blocks at a time, and what came meanwhile stays what it was', async t => {
  const layout = new FileLayout(30 * BLOCK_BYTES)
  const assembly = new Assembly(layout)
  const local = new LocalSource(3)
  const effects: TransferEffect[] = []
  for (let i = 0; i < 30; i++) local.of(1).wantRange(assembly.ensure(blockIndex(i), 16_384), 0, 4)
  local.read(effects)
  local.read(effects)
  t.match(
    effects,
    Array.from({ length: 8 }, (_, block) => ({ kind: 'read-block', file: 3, block, check: 'hash' })),
  )
  const open = assembly.find(blockIndex(0))!
  assembly.place(open, 0, new Uint8Array(16_384).fill(7), 5, false)
  local.settle(open, 0)
  t.equal(local.onRead(blockIndex(0), new Uint8Array(BLOCK_BYTES), assembly), true)
  t.strictSame([...open.sources], [5, 1, 1, 1])
  t.equal(local.onRead(blockIndex(0), new Uint8Array(BLOCK_BYTES), assembly), false)
  t.ok(local.isBusy)
  local.onBroken('changed')
  t.strictSame([local.isBusy, local.usable, local.hasRoom, local.broken], [false, false, false, 'changed'])
})

t.test('a block that is no longer open when it was read does no harm', async t => {
  const assembly = new Assembly(new FileLayout(BLOCK_BYTES))
  const local = new LocalSource(0)
  const open = assembly.ensure(blockIndex(0), CHUNK)
  local.of(2).wantRange(open, 0, open.chunks)
  local.read({ push: () => 0 })
  local.release(open)
  assembly.close(open)
  t.equal(local.onRead(blockIndex(0), new Uint8Array(BLOCK_BYTES), assembly), true)
  t.equal(assembly.open, 0)
})

t.test('the parts of a statement fit their datagrams and state everything owed exactly once', async t => {
  const want = fc.record({ block: fc.integer({ min: 0, max: 699 }), chunk: fc.option(fc.integer({ min: 0, max: 44 })) })
  holds(
    t,
    fc.property(fc.array(want, { maxLength: 500 }), fc.integer({ min: 0, max: 60 }), (wants, pages) => {
      const path = pathOf(0)
      const assembly = new Assembly(new FileLayout(700 * BLOCK_BYTES))
      const expected = new Set<string>()
      for (const { block, chunk } of wants) {
        const open = assembly.ensure(blockIndex(block), CHUNK)
        if (chunk !== null) path.owed.want(open, chunk)
        else path.owed.wantRange(open, 0, open.chunks)
      }
      for (const { open, chunks } of path.owed.entries()) {
        chunks.forEachSet(0, open.chunks, c => expected.add(`${open.index}/${c}`))
      }
      for (let i = 0; i < pages; i++) path.pages.set(`5/${i}`, { height: 5, index: i })
      for (let i = 0; i < pages; i++) expected.add(`page 5/${i}`)
      const stated = stateOf(path)
      if (stated.length !== new Set(stated).size) throw new Error('stated twice')
      return stated.length === expected.size && stated.every(what => expected.has(what))
    }),
    60,
  )
})

t.test('what does not fit sixteen datagrams waits: the oldest is stated first', async t => {
  const path = pathOf(0)
  const assembly = new Assembly(new FileLayout(2 * OPEN_BLOCKS_MAX * 2 * BLOCK_BYTES))
  const wanted: number[] = []
  for (let i = 0; i < OPEN_BLOCKS_MAX; i++) wanted.push((i * 1_237) % (4 * OPEN_BLOCKS_MAX))
  // One chunk each takes a bitmap each, of which 93 fit a datagram.
  for (const block of wanted) path.owed.want(assembly.ensure(blockIndex(block), CHUNK), 5)
  const few = new Set(wanted.slice(0, 600))
  t.equal(stateOf(path).length, OPEN_BLOCKS_MAX)
  for (const [i, what] of stateOf(path).entries()) if (i < 600) t.ok(few.has(Number(what.split('/')[0])))
  for (let i = 0; i < 3_000; i++) path.pages.set(`5/${i}`, { height: 5, index: i })
  const stated = stateOf(path)
  t.ok(stated.length > 3_000 && stated.length < 3_000 + OPEN_BLOCKS_MAX, `${stated.length}`)
  t.ok(stated.slice(0, 3_000).every(what => what.startsWith('page')))
})

t.test('at the end what was overtaken is stated more often where more is lost, and the rest once', async t => {
  const timesStated = (loss: number, spare = 9) => {
    const { path, open } = pathThatLost(loss)
    const times = (chunk: number) => stateOf(path, spare).filter(stated => stated === `${open.index}/${chunk}`).length
    return [times(0), times(20), times(44)]
  }
  t.strictSame(timesStated(0), [1, 1, 1])
  t.strictSame(timesStated(0.01), [1, 1, 1])
  t.strictSame(timesStated(0.05), [2, 2, 1])
  t.strictSame(timesStated(0.2), [3, 3, 1])
  t.strictSame(timesStated(0.9), [3, 3, 1], 'three times at most')
  t.strictSame(timesStated(0.9, 3), [2, 2, 1], 'and what comes twice is little of the file')
  t.strictSame(timesStated(0.9, 1), [1, 1, 1])
  const { path } = pathThatLost(0.9)
  const once = stateOf(path)
  t.equal(new Set(once).size, once.length, 'before the end nothing is stated twice')
})

t.test('a path that owes nothing states that in one datagram', async t => {
  t.equal(pullsOf(pathOf(0)).length, 1)
  t.strictSame(stateOf(pathOf(0)), [])
})

/** A Work with everything around it, and what must hold of it at any time. */
class Bench {
  now: Instant = START
  readonly work: Work
  readonly paths: readonly Path[]
  readonly done = new Map<BlockIndex, number>()
  readonly #layout: FileLayout
  readonly #reads: TransferEffect[] = []

  constructor(size: number, hasLocal: boolean, count = 3) {
    this.#layout = new FileLayout(size)
    this.work = new Work(this.#layout, CHUNK, hasLocal ? new LocalSource(0) : undefined, new SeededRandom(1))
    this.paths = Array.from({ length: count }, (_, i) => pathOf(i))
    this.work.paths.push(...this.paths)
    const fragments = divideIntoFragments(this.#layout, count + (hasLocal ? 1 : 0), CHUNK)
    for (const { index, start, end } of fragments) {
      this.work.schedule.assign(index < count ? this.paths[index]!.number : LOCAL_SOURCES['own fragment'], start, end)
    }
  }

  /** Some chunks come that `path` owes, from the `pick`-th on. */
  arrive(path: Path, pick: number, count: number): void {
    const owed = [...path.owed.entries()].flatMap(({ open, chunks }) => {
      const list: { open: OpenBlock; chunk: number }[] = []
      chunks.forEachSet(0, open.chunks, chunk => list.push({ open, chunk }))
      return list
    })
    for (let i = 0; i < Math.min(count, owed.length); i++) {
      const { open, chunk } = owed[(pick + i) % owed.length]!
      if (!open.have.set(chunk)) continue
      open.sources[chunk] = path.number
      this.work.settle(open, chunk, path)
    }
    this.#closeWhole()
  }

  /** The disk answers all that it was asked. */
  read(): void {
    this.work.refillLocal(this.#reads as { push(effect: TransferEffect): unknown })
    for (const effect of this.#reads.splice(0)) {
      if (effect.kind !== 'read-block' || !this.work.local?.usable) continue
      this.work.local.onRead(effect.block, new Uint8Array(BLOCK_BYTES), this.work.assembly)
    }
    this.#closeWhole()
  }

  change(path: Path, to: 'suspend' | 'revive' | 'die'): void {
    if (path.state === 'dead') return
    if (to === 'revive') path.state = 'active'
    else if (to === 'die') {
      path.state = 'dead'
      this.work.strip(path, true)
    } else if (path.state === 'active' && this.work.active.length > 1) {
      path.state = 'suspended'
      this.work.strip(path, false)
    }
  }

  /** The oldest open block turns out to be bad when it is whole: it comes again from one path. */
  onBadBlock(): void {
    const [open] = this.work.assembly.all()
    const [path] = this.work.active
    if (open === undefined || !open.have.isFull || path === undefined) return
    this.work.restart(open)
    this.work.askAlone(open, path, this.now)
  }

  breakDisk(): void {
    if (!this.work.local?.usable) return
    this.work.local.onBroken('gone')
    this.work.abandonLocal()
  }

  /** What a collector does after every input; then checks what must hold. */
  settle(): void {
    if (this.paths.some(path => path.state !== 'dead')) this.work.adoptHomeless(this.now)
    else this.work.turnToLocal()
    this.#check()
  }

  /** All that is alive brings what it owes. Without anyone alive and without a disk, that is not all. */
  finish(): void {
    for (const path of this.paths) if (path.state === 'suspended') path.state = 'active'
    const { local } = this.work
    if (this.work.active.length === 0 && local?.usable !== true) return
    for (let round = 0; round < 500 && this.done.size < this.#layout.blockCount; round++) {
      this.settle()
      for (const path of this.work.active) {
        this.work.refill(path, this.now)
        this.arrive(path, 0, 1_000)
      }
      this.read()
      this.now = instant(this.now + 100)
    }
    if (this.done.size < this.#layout.blockCount)
      throw new Error(`${this.done.size} blocks of ${this.#layout.blockCount}`)
    if (this.work.schedule.untaken > 0) throw new Error(`${this.work.schedule.untaken} octets still untaken`)
    if (this.work.assembly.open > 0 || this.work.isWanting) throw new Error('blocks still open')
    for (const [block, times] of this.done) if (times !== 1) throw new Error(`block ${block} came ${times} times`)
  }

  #closeWhole(): void {
    for (const open of [...this.work.assembly.all()]) {
      if (!open.have.isFull) continue
      this.work.release(open)
      this.work.assembly.close(open)
      this.done.set(open.index, (this.done.get(open.index) ?? 0) + 1)
    }
  }

  #check(): void {
    const owers = [...this.paths.map(path => path.owed), ...this.#localOwed()]
    const { schedule } = this.work
    const canBeHomeless = this.work.active.length === 0
    for (const open of this.work.assembly.all()) {
      if (this.done.has(open.index)) throw new Error(`block ${open.index} is done and open again`)
      for (let c = 0; c < open.chunks; c++) {
        const count = owers.filter(owed => owed.chunksOf(open.index)?.has(c)).length
        const isUntaken = schedule.holds(this.#layout.blockStart(open.index) + c * open.chunkSize)
        const what = `chunk ${c} of ${open.index}`
        if (open.have.has(c) && (count > 0 || isUntaken)) throw new Error(`${what} is there and wanted`)
        if (count > (isUntaken ? 0 : 2)) throw new Error(`${what} is owed by ${count}`)
        if (!open.have.has(c) && count === 0 && !isUntaken && !canBeHomeless) throw new Error(`${what} is nobody's`)
      }
    }
    for (let i = 0; i < this.#layout.blockCount; i++) {
      const block = blockIndex(i)
      if (this.work.assembly.find(block) !== undefined) continue
      const start = this.#layout.blockStart(block)
      const isUntaken = [start, start + this.#layout.blockBytes(block) - 1].map(octet => schedule.holds(octet))
      if (isUntaken.some(held => held === this.done.has(block))) throw new Error(`block ${i}: ${isUntaken}`)
    }
  }

  #localOwed(): Owed[] {
    const { local } = this.work
    return local === undefined ? [] : Object.values(LOCAL_SOURCES).map(source => local.of(source))
  }
}

function scheduleOf(size: number): Schedule {
  const layout = new FileLayout(size)
  return new Schedule(new Pool(layout, new Availability(layout.blockCount, new SeededRandom(1))))
}

function pathOf(i: number): Path {
  const options = {
    endpoint: endpointOf(i),
    number: PATH_SOURCES_FROM + i,
    session: BigInt(i + 1),
    peer: i + 1,
    roundTrip: [5, 20, 200][i % 3],
    chunkSize: CHUNK,
    datagramMax: 0,
    chance: () => 0.5,
    competition: new Competition(START),
  }
  return new Path(options, START)
}

function endpointOf(i: unknown) {
  return { address: '10.0.0.1', port: 1_000 + Number(i) }
}

/** A path with such a loss ratio, that owes chunks 0 and 20, which its chunk 21 overtook, and 22 to 44. */
function pathThatLost(loss: number) {
  const path = pathOf(0)
  const open = new Assembly(new FileLayout(BLOCK_BYTES)).ensure(blockIndex(0), CHUNK)
  path.owed.wantRange(open, 0, open.chunks)
  for (let chunk = 1; chunk <= 21; chunk++) if (chunk !== 20) path.owed.bring(open, chunk)
  path.loss.received = 1_000 * (1 - loss)
  path.loss.lost = 1_000 * loss
  return { path, open }
}

function pullsOf(path: Path, spare = 0) {
  const statement = {
    member: 1n,
    root: new Uint8Array(32),
    statement: 7,
    credit: 9,
    rate: 1,
    chunkSize: CHUNK,
    datagram: CHUNK_HEADER_BYTES + CHUNK,
    spare,
  }
  let sequence = 0
  return composePulls(path, statement, () => ++sequence)
}

/** All that the PULLs of a path want, as the peer reads it. */
function stateOf(path: Path, spare = 0): string[] {
  const stated: string[] = []
  for (const pull of pullsOf(path, spare)) {
    if (encodedSize(pull) > CONTROL_BYTES_MAX) throw new Error(`${encodedSize(pull)} octets`)
    const octets = new Uint8Array(CONTROL_BYTES_MAX)
    const read = decode(octets.subarray(0, encode(pull, octets)))
    if (read.kind !== 'pull') throw new Error(`${read.kind}`)
    for (const { height, index } of read.pages) stated.push(`page ${height}/${index}`)
    for (const { block, wanted } of read.blocks) {
      for (let c = 0; c < 64; c++) if ((wanted[c >> 3]! & (0x80 >> (c & 7))) !== 0) stated.push(`${block}/${c}`)
    }
    for (const { first, count } of read.ranges) {
      for (let block = first as number; block < first + count; block++) {
        for (let c = 0; c * CHUNK < BLOCK_BYTES; c++) stated.push(`${block}/${c}`)
      }
    }
  }
  return stated
}

function sumOf(intervals: readonly Interval[]): number {
  return intervals.reduce((sum, { start, end }) => sum + end - start, 0)
}

function assertPartition(intervals: readonly Interval[], size: number): void {
  let at = 0
  for (const { start, end } of [...intervals].sort((a, b) => a.start - b.start)) {
    if (start !== at || end <= start) throw new Error(`${start} to ${end} follows ${at}`)
    at = end
  }
  if (at !== size) throw new Error(`${at} of ${size}`)
}
