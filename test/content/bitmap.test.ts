import fc from 'fast-check'
import t from 'tap'
import { Bitmap, octetsFor } from '../../src/content/bitmap.js'
import { InvariantError } from '../../src/errors.js'

t.test('a bitmap does what a set of numbers does', async () => {
  const size = 100
  const index = fc.integer({ min: 0, max: size - 1 })
  const range = fc.tuple(fc.integer({ min: 0, max: size }), fc.integer({ min: 0, max: size }))
  const commands = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ do: fc.constant('set' as const), index }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('clear' as const), index }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('range' as const), range }) },
    ),
    { maxLength: 200 },
  )
  fc.assert(
    fc.property(commands, range, (steps, [a, b]) => {
      const bitmap = new Bitmap(size)
      const model = new Set<number>()
      for (const step of steps) {
        if (step.do === 'range') {
          const [from, end] = ordered(step.range)
          bitmap.setRange(from, end)
          for (let i = from; i < end; i++) model.add(i)
        } else if (step.do === 'set') {
          if (bitmap.set(step.index) === model.has(step.index)) throw new Error('set said otherwise')
          model.add(step.index)
        } else if (bitmap.clear(step.index) !== model.delete(step.index)) throw new Error('clear said otherwise')
      }
      compare(bitmap, model, ...ordered([a, b]))
    }),
  )
})

t.test('octets give the bitmap back, and the missing bits are the rest', async () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 130 }), fc.nat(3), (bits, at) => {
      const bitmap = new Bitmap(bits.length)
      for (const [i, bit] of bits.entries()) if (bit) bitmap.set(i)
      const octets = new Uint8Array(at + octetsFor(bits.length))
      const missing = new Uint8Array(octets.length)
      const ends = [bitmap.toOctets(octets, at), bitmap.missingToOctets(missing, at)]
      const model = (wanted: boolean) =>
        bits.every(
          (bit, c) =>
            ((((wanted ? octets : missing)[at + (c >>> 3)]! >>> (7 - (c % 8))) & 1) === 1) === (bit === wanted),
        )
      const back = Bitmap.fromOctets(bits.length, octets, at)
      return (
        ends.every(end => end === octets.length) &&
        model(true) &&
        model(false) &&
        back.count === bitmap.count &&
        bits.every((bit, i) => back.has(i) === bit) &&
        Bitmap.fromOctets(bits.length, missing, at).count === bits.length - bitmap.count
      )
    }),
  )
})

t.test('bits beyond the bitmap are ignored when read and are 0 when written', async t => {
  const bitmap = Bitmap.fromOctets(10, Uint8Array.of(0xff, 0xff))
  t.ok(bitmap.isFull)
  t.equal(bitmap.firstMissing(), undefined)
  t.equal(bitmap.has(10), false)
  const octets = new Uint8Array(2)
  bitmap.toOctets(octets)
  t.strictSame([...octets], [0xff, 0xc0])
  bitmap.clearAll()
  t.ok(bitmap.isEmpty)
  t.equal(bitmap.missingToOctets(octets), 2)
  t.strictSame([...octets], [0xff, 0xc0])
})

t.test('a bitmap of nothing is full and empty', async t => {
  const bitmap = new Bitmap(0)
  t.ok(bitmap.isFull)
  t.ok(bitmap.isEmpty)
  t.equal(bitmap.firstMissing(), undefined)
  t.equal(bitmap.toOctets(new Uint8Array(0)), 0)
})

t.test('an index out of range breaks an invariant when set', async t => {
  const bitmap = new Bitmap(3)
  for (const index of [-1, 3]) {
    t.throws(() => bitmap.set(index), InvariantError)
    t.throws(() => bitmap.clear(index), InvariantError)
    t.equal(bitmap.has(index), false)
  }
  t.throws(() => bitmap.setRange(2, 4), InvariantError)
  t.throws(() => bitmap.toOctets(new Uint8Array(0)), InvariantError)
  t.throws(() => Bitmap.fromOctets(9, new Uint8Array(1)), InvariantError)
})

function compare(bitmap: Bitmap, model: ReadonlySet<number>, from: number, end: number): void {
  const all = Array.from({ length: bitmap.size }, (_, i) => i)
  const within = all.filter(i => i >= from && i < end)
  const missing: number[] = []
  const set: number[] = []
  bitmap.forEachMissing(from, end, i => missing.push(i))
  bitmap.forEachSet(from, end, i => set.push(i))
  const same =
    bitmap.count === model.size &&
    bitmap.isFull === (model.size === bitmap.size) &&
    bitmap.isEmpty === (model.size === 0) &&
    all.every(i => bitmap.has(i) === model.has(i)) &&
    bitmap.countIn(from, end) === within.filter(i => model.has(i)).length &&
    bitmap.firstMissing(from, end) === within.find(i => !model.has(i)) &&
    bitmap.firstSet(from, end) === within.find(i => model.has(i)) &&
    missing.join() === within.filter(i => !model.has(i)).join() &&
    set.join() === within.filter(i => model.has(i)).join()
  if (!same) throw new Error('bitmap and model differ')
}

function ordered([a, b]: readonly [number, number]): [number, number] {
  return a < b ? [a, b] : [b, a]
}
