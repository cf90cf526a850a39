import fc from 'fast-check'
import t from 'tap'
import {
  chunkAt,
  chunkBytes,
  chunkCount,
  chunkOffset,
  divideIntoFragments,
  FileLayout,
  fragmentAt,
  placeStart,
} from '../../src/content/layout.js'
import { InvariantError } from '../../src/errors.js'
import { blockIndex, chunkIndex } from '../../src/units.js'
import { BLOCK_BYTES, CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, CHUNKS_MAX, FILE_BYTES_MAX } from '../../src/wire/layout.js'

const chunkSizes = fc.integer({ min: CHUNK_BYTES_MIN, max: CHUNK_BYTES_MAX })
/** Small files, files of a few hundred blocks, and the largest. */
const sizes = fc.oneof(
  fc.integer({ min: 0, max: 3 * BLOCK_BYTES }),
  fc.integer({ min: 0, max: 300 * BLOCK_BYTES }),
  fc.integer({ min: FILE_BYTES_MAX - 2 * BLOCK_BYTES, max: FILE_BYTES_MAX }),
)

t.test('the blocks of a file add up to its size', async t => {
  for (const [size, count] of [
    [0, 0],
    [1, 1],
    [BLOCK_BYTES, 1],
    [BLOCK_BYTES + 1, 2],
    [150_000, 3],
  ] as const) {
    const layout = new FileLayout(size)
    t.equal(layout.blockCount, count)
    let sum = 0
    for (let block = 0; block < count; block++) {
      t.equal(layout.blockStart(blockIndex(block)), sum)
      sum += layout.blockBytes(blockIndex(block))
    }
    t.equal(sum, size)
    t.equal(layout.blockStart(blockIndex(count)), size)
    if (size > 0) t.equal(layout.blockAt(size - 1), count - 1)
  }
})

t.test('a size out of range and a block that is not there break an invariant', async t => {
  for (const size of [-1, 0.5, FILE_BYTES_MAX + 1, Number.NaN]) t.throws(() => new FileLayout(size), InvariantError)
  t.throws(() => new FileLayout(BLOCK_BYTES).blockBytes(blockIndex(1)), InvariantError)
  t.throws(() => new FileLayout(BLOCK_BYTES).blockAt(BLOCK_BYTES), InvariantError)
})

t.test('the chunks of a block add up to the block, and each is found by its offset', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: BLOCK_BYTES }), chunkSizes, (blockBytes, chunkSize) => {
      const count = chunkCount(blockBytes, chunkSize)
      let sum = 0
      for (let c = 0; c < count; c++) {
        const chunk = chunkIndex(c)
        if (chunkOffset(chunk, chunkSize) !== sum || chunkAt(sum, chunkSize) !== chunk) return false
        if (chunkAt(sum + 1, chunkSize) !== undefined) return false
        sum += chunkBytes(blockBytes, chunkSize, chunk)
      }
      return count <= CHUNKS_MAX && sum === blockBytes && chunkBytes(blockBytes, chunkSize, chunkIndex(count)) === 0
    }),
  )
})

t.test('fragments cover the file in order, at whole chunks, and differ by one unit at most', async () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 200 }), chunkSizes, (size, count, chunkSize) => {
      const layout = new FileLayout(size)
      const fragments = divideIntoFragments(layout, count, chunkSize)
      const byBlocks = layout.blockCount >= 8 * count
      const chunksABlock = chunkCount(BLOCK_BYTES, chunkSize)
      const units: number[] = []
      let end = 0
      fragments.forEach((fragment, i) => {
        if (fragment.index !== i || fragment.start !== end) throw new Error(`gap before fragment ${i}`)
        if (placeStart(layout, fragment.first, chunkSize) !== fragment.start) throw new Error(`place of ${i}`)
        if (byBlocks && fragment.first.chunk !== 0) throw new Error(`fragment ${i} is not of whole blocks`)
        units.push(chunksIn(layout, fragment.start, fragment.end, chunkSize) / (byBlocks ? chunksABlock : 1))
        end = fragment.end
      })
      // The last block may be of fewer chunks: it still counts as one.
      const whole = units.map(Math.ceil)
      return end === size && fragments.length === count && Math.max(...whole) - Math.min(...whole) <= 1
    }),
    { numRuns: 200 },
  )
})

t.test('an octet is found in the fragment that holds it, also among empty fragments', async () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 200 }), fc.double({ min: 0, max: 1, noNaN: true }), (size, n, at) => {
      const fragments = divideIntoFragments(new FileLayout(size), n, 1_472)
      const octet = Math.floor(at * size)
      const found = fragmentAt(fragments, octet)
      if (octet >= size) return found === undefined
      return found !== undefined && found.start <= octet && octet < found.end
    }),
  )
})

t.test('the boundaries of a small file and of a large one', async t => {
  const starts = (size: number, count: number) =>
    divideIntoFragments(new FileLayout(size), count, 1_400).map(fragment => fragment.start)
  t.strictSame(starts(0, 3), [0, 0, 0])
  t.strictSame(starts(1, 3), [0, 0, 0])
  // 47 chunks of 1400 octets fill a block; the second block has one octet.
  t.strictSame(starts(BLOCK_BYTES + 1, 2), [0, 24 * 1_400])
  t.strictSame(starts(24 * BLOCK_BYTES, 3), [0, 8 * BLOCK_BYTES, 16 * BLOCK_BYTES])
  t.strictSame(starts(25 * BLOCK_BYTES, 3), [0, 8 * BLOCK_BYTES, 16 * BLOCK_BYTES])
})

/** Chunks of [start, end), where both are at chunk boundaries. */
function chunksIn(layout: FileLayout, start: number, end: number, chunkSize: number): number {
  return chunksBefore(layout, end, chunkSize) - chunksBefore(layout, start, chunkSize)
}

function chunksBefore(layout: FileLayout, octet: number, chunkSize: number): number {
  const block = Math.floor(octet / BLOCK_BYTES)
  return (
    block * chunkCount(BLOCK_BYTES, chunkSize) + chunkCount(octet - layout.blockStart(blockIndex(block)), chunkSize)
  )
}
