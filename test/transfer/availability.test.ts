// What collectors of one file tell one another, and which blocks they ask for: have.ts, availability.ts and pool.ts.
import fc from 'fast-check'
import t from 'tap'
import { Bitmap } from '../../src/content/bitmap.js'
import { FileLayout } from '../../src/content/layout.js'
import { SeededRandom } from '../../src/sim/random.js'
import { Availability } from '../../src/transfer/availability.js'
import { Have } from '../../src/transfer/have.js'
import { Pool } from '../../src/transfer/pool.js'
import { blockIndex } from '../../src/units.js'
import { BLOCK_BYTES, HAVE_RANGES_MAX } from '../../src/wire/layout.js'
import { holds } from './holds.js'

const BLOCKS = 500

t.test('who follows a log knows all that is there, whatever came and however few ranges a message holds', async t => {
  const step = fc.record({ block: fc.nat(BLOCKS - 1), isThere: fc.boolean(), tells: fc.boolean() })
  holds(
    t,
    fc.property(
      fc.array(step, { maxLength: 600 }),
      fc.integer({ min: 1, max: HAVE_RANGES_MAX }),
      (steps, rangesMax) => {
        const have = new Have(BLOCKS)
        const known = new Bitmap(BLOCKS)
        let place = 0
        const tell = () => {
          const { to, ranges } = have.since(place, rangesMax)
          if (to <= place || ranges.length > rangesMax) throw new Error(`${place} to ${to} in ${ranges.length} ranges`)
          for (const { isComing, first, count } of ranges) if (!isComing) known.setRange(first, first + count)
          place = to
        }
        for (const { block, isThere, tells } of steps) {
          if (isThere) have.add(blockIndex(block))
          else have.expect(blockIndex(block))
          if (tells && place < have.places) tell()
        }
        while (place < have.places) tell()
        for (let block = 0; block < BLOCKS; block++) {
          if (known.has(block) !== have.has(blockIndex(block))) throw new Error(`block ${block}`)
        }
      },
    ),
  )
})

t.test('a peer that has everything is asked for what fewest others have, a part for what is there', async t => {
  const availability = new Availability(8, new SeededRandom(1))
  const wanted = new Bitmap(8)
  wanted.setRange(0, 8)
  availability.beginAt(1, 0)
  availability.addPartial(2)
  availability.addPartial(3)
  t.equal(availability.add(2, 0, 4), 4)
  t.equal(availability.add(2, 2, 4), 0, 'that is known')
  availability.expect(3, 2, 7)
  t.equal(availability.pick(1, wanted), 7, 'nobody else has or expects it')
  t.notOk(availability.has(3, blockIndex(2)), 'what is coming is not there')
  t.equal(availability.pick(3, wanted), undefined)
  t.ok([0, 1].includes(availability.pick(2, wanted)!), 'the rarest of what it has')
  availability.forget(3)
  t.strictSame(
    [0, 2, 4].map(block => availability.countOf(blockIndex(block))),
    [1, 1, 0],
  )
})

t.test('what a peer that has all gave to others is not asked of it first', async t => {
  const availability = new Availability(4, new SeededRandom(1))
  availability.addWhole(1)
  availability.addPartial(2)
  availability.expect(1, 0, 3)
  t.equal(availability.add(1, 3, 4), 0, 'what it has is known')
  const wanted = new Bitmap(4)
  wanted.setRange(0, 4)
  t.equal(availability.pick(1, wanted), 3)
  availability.forget(1)
  t.equal(availability.countOf(blockIndex(0)), 0)
})

t.test('ranges beyond the file are passed over', async t => {
  const availability = new Availability(8, new SeededRandom(1))
  availability.addPartial(2)
  t.equal(availability.add(2, 6, 1_000), 2)
  availability.expect(2, 900, 1_000)
  t.equal(availability.add(7, 0, 8), 0, 'of a peer that collects nothing')
})

t.test('a pool gives each octet once, and to a part only blocks that it has', async t => {
  const layout = new FileLayout(6 * BLOCK_BYTES + 10)
  const availability = new Availability(layout.blockCount, new SeededRandom(1))
  const pool = new Pool(layout, availability)
  pool.add(100, layout.size)
  availability.addPartial(2)
  t.equal(pool.take(2), undefined)
  t.notOk(pool.hasFor(2))
  availability.add(2, 0, 2)
  t.strictSame(pool.take(2), { start: 100, end: BLOCK_BYTES })
  t.strictSame(pool.take(2), { start: BLOCK_BYTES, end: 2 * BLOCK_BYTES })
  t.equal(pool.take(2), undefined)
  let octets = 0
  for (let next = pool.take(1); next !== undefined; next = pool.take(1)) octets += next.end - next.start
  t.equal(octets, layout.size - 2 * BLOCK_BYTES)
  t.equal(pool.octets, 0)
})
