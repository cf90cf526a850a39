import fc from 'fast-check'
import t from 'tap'
import { Bitmap } from '../../src/content/bitmap.js'
import { divideIntoFragments, FileLayout } from '../../src/content/layout.js'
import { Wanted } from '../../src/content/wanted.js'
import { blockIndex } from '../../src/units.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'

t.test('runs, counts and fragments say the same as the blocks one by one', async () => {
  const bits = fc.array(fc.boolean(), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(bits, fc.nat(), fc.nat(), fc.nat(), fc.integer({ min: 1, max: 9 }), (bits, cut, a, b, count) => {
      const layout = new FileLayout((bits.length - 1) * BLOCK_BYTES + 1 + (cut % BLOCK_BYTES))
      const blocks = new Bitmap(bits.length)
      for (const [i, bit] of bits.entries()) if (bit) blocks.set(i)
      const wanted = new Wanted(layout, blocks)
      const [start, end] = [a % (layout.size + 1), b % (layout.size + 1)].sort((x, y) => x - y) as [number, number]
      let expected = 0
      for (let octet = start; octet < end; ) {
        const next = Math.min(end, (Math.floor(octet / BLOCK_BYTES) + 1) * BLOCK_BYTES)
        if (bits[layout.blockAt(octet)]) expected += next - octet
        octet = next
      }
      let bytes = 0
      let behind = -1
      wanted.forEachRun(start, end, (from, to) => {
        if (from < start || to > end || from >= to || from <= behind) throw new Error(`a run from ${from} to ${to}`)
        for (let octet = from; octet < to; octet += BLOCK_BYTES) {
          if (!wanted.has(layout.blockAt(octet))) throw new Error(`block of ${octet} is not wanted`)
        }
        bytes += to - from
        behind = to
      })
      if (bytes !== expected || wanted.bytesIn(start, end) !== expected) throw new Error(`${bytes}, not ${expected}`)
      const fragments = wanted.divide(count, 1_400)
      if (fragments.length !== count) throw new Error(`${fragments.length} fragments`)
      let at = 0
      const sizes = fragments.map(fragment => {
        if (fragment.start !== at) throw new Error('a gap')
        at = fragment.end
        return wanted.bytesIn(fragment.start, fragment.end)
      })
      if (at !== layout.size) throw new Error('the end is missing')
      if (Math.max(...sizes) - Math.min(...sizes) > 2 * BLOCK_BYTES) throw new Error(`uneven: ${sizes}`)
    }),
  )
})

t.test('where all is wanted nothing changes', async t => {
  const layout = new FileLayout(1_000_000)
  const wanted = new Wanted(layout)
  t.equal(wanted.bytes, 1_000_000)
  t.ok(wanted.has(blockIndex(15)))
  t.notOk(wanted.has(blockIndex(16)), 'the content has no such block')
  t.strictSame(wanted.divide(3, 1_400), divideIntoFragments(layout, 3, 1_400))
  const all = new Bitmap(layout.blockCount)
  all.setRange(0, layout.blockCount)
  t.strictSame(new Wanted(layout, all).divide(3, 1_400), divideIntoFragments(layout, 3, 1_400))
  t.equal(new Wanted(new FileLayout(0)).bytes, 0)
})
