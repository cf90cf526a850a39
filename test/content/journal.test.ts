// The journal's format and what of one is trusted: journal.ts and recovery.ts, against spec/journal.md and its vectors.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { Bitmap } from '../../src/content/bitmap.js'
import { JournalWriter, journalBytesMax } from '../../src/content/journal.js'
import { type Recovery, recoverJournal } from '../../src/content/recovery.js'
import { type FullTree, PartialTree } from '../../src/content/tree.js'
import { systemDigests as digests } from '../../src/shell/entropy.js'
import { memoryFile } from '../../src/sim/memory-file.js'
import { type BlockIndex, blockIndex } from '../../src/units.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'
import { holds } from '../transfer/holds.js'
import { octetsOf } from '../wire/vectors.js'

interface Vector {
  readonly name: string
  readonly hex: string
  readonly size: number
  readonly root: string
  readonly blocks?: readonly (readonly [number, number])[]
  readonly pages?: readonly (readonly [number, number])[]
  readonly length?: number
  readonly fault?: string
}

const vectors: readonly Vector[] = JSON.parse(readFileSync('spec/vectors/journal.json', 'utf8'))
const BLOCKS = 70
/** Pages at two heights. */
const { tree } = memoryFile(
  'file',
  Uint8Array.from({ length: BLOCKS * BLOCK_BYTES - 5 }, (_, i) => i % 251),
)

t.test('every vector is read as it says', async t => {
  t.ok(vectors.length > 20)
  for (const { name, hex, size, root, blocks, pages, length, fault } of vectors) {
    const recovery = recoverJournal(digests, octetsOf(hex), new PartialTree(digests, size, octetsOf(root)))
    if (fault !== undefined) {
      t.equal(recovery.kind === 'unusable' ? recovery.why : recovery.kind, fault, name)
      continue
    }
    const { done, pages: found, end } = usable(recovery)
    t.strictSame(runsOf(done), blocks, name)
    t.strictSame(
      found.map(page => [page.height, page.index]),
      pages,
      name,
    )
    t.equal(end.length, length, name)
  }
})

t.test('the example of the spec is the first vector', async t => {
  const text = readFileSync('spec/journal.md', 'utf8').split('### Example')[1]!
  const [{ hex }] = vectors as [Vector]
  const rows = [...text.matchAll(/^ +(\d+) {2}((?:[\da-f]{2} {1,2})+)(\.\.\.)?/gm)]
  t.ok(rows.length > 10)
  for (const [, at, digits] of rows) {
    const expected = digits!.replaceAll(' ', '')
    t.equal(hex.slice(2 * Number(at), 2 * Number(at) + expected.length), expected, `at ${at}`)
  }
})

t.test('what was written is read, whatever was written', async t => {
  holds(
    t,
    fc.property(stories, story => {
      const { octets, done } = write(story)
      const recovery = recover(octets)
      if (recovery.end.length !== octets.length) throw new Error(`${recovery.end.length} of ${octets.length}`)
      if (runsOf(recovery.done).join() !== runsOf(done).join()) throw new Error('other blocks')
      if (octets.length > journalBytesMax(tree.size)) throw new Error(`${octets.length} octets`)
    }),
    100,
  )
})

t.test('a torn journal counts exactly the records that are whole', async t => {
  const tears = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), tail: fc.uint8Array({ maxLength: 40 }) })
  holds(
    t,
    fc.property(stories, tears, (story, { at, tail }) => {
      const { octets, ends } = write(story)
      const cut = Math.floor(at * octets.length)
      const torn = Buffer.concat([octets.subarray(0, cut), tail])
      const whole = ends.findLast(({ length }) => length <= cut)
      const recovery = recoverJournal(digests, torn, new PartialTree(digests, tree.size, tree.root))
      if (whole === undefined) {
        if (recovery.kind !== 'unusable') throw new Error('without a head')
        return
      }
      const { end, done } = usable(recovery)
      if (end.length !== whole.length) throw new Error(`${end.length} and not ${whole.length} of ${cut}`)
      if (done.count !== whole.count) throw new Error(`${done.count} and not ${whole.count} blocks`)
    }),
  )
})

t.test('no flipped bit makes a block count that was not written', async t => {
  holds(
    t,
    fc.property(stories, fc.nat(), fc.nat(), (story, at, bit) => {
      const { octets, done } = write(story)
      octets[at % octets.length]! ^= 1 << (bit % 8)
      const recovery = recoverJournal(digests, octets, new PartialTree(digests, tree.size, tree.root))
      if (recovery.kind !== 'usable') return
      recovery.done.forEachSet(0, BLOCKS, block => {
        if (!done.has(block)) throw new Error(`block ${block}`)
      })
      if (recovery.end.length === octets.length) throw new Error('nothing was noticed')
    }),
  )
})

t.test('octets of any kind are read to an end', async t => {
  const { octets } = write([[0, 3], [9]])
  holds(
    t,
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, hasHead) => {
      const read = Buffer.concat([hasHead ? octets.subarray(0, 65) : new Uint8Array(0), noise])
      const recovery = recoverJournal(digests, read, new PartialTree(digests, tree.size, tree.root))
      if (recovery.kind === 'usable' && recovery.done.count > 0) throw new Error('blocks out of nothing')
    }),
  )
})

t.test('a journal that is gone on with is one journal', async t => {
  holds(
    t,
    fc.property(stories, stories, fc.nat(50), (before, after, torn) => {
      const first = write(before)
      const broken = Buffer.concat([first.octets, new Uint8Array(torn).fill(7)])
      const { end, done } = recover(broken)
      const writer = JournalWriter.resume(digests, end)
      for (const blocks of after) {
        writer.blocks(blocks.map(block => ({ first: block as BlockIndex, count: 1 })))
        for (const block of blocks) done.set(block)
      }
      const more = writer.take()
      if (more === undefined) return
      if (more.at !== first.octets.length) throw new Error(`it goes on at ${more.at}`)
      const again = recover(Buffer.concat([broken.subarray(0, more.at), more.octets]))
      if (again.done.count !== done.count) throw new Error(`${again.done.count} and not ${done.count} blocks`)
    }),
    60,
  )
})

/** Records of blocks, each as a list of blocks. */
const stories = fc.array(fc.array(fc.nat(BLOCKS - 1), { minLength: 1, maxLength: 6 }), { maxLength: 6 })

interface Written {
  readonly octets: Uint8Array
  readonly done: Bitmap
  /** After the head, and after each record: octets, and blocks that count. */
  readonly ends: readonly { readonly length: number; readonly count: number }[]
}

/** Pages before the blocks that they lead to, as a collector writes them. */
function write(story: readonly (readonly number[])[]): Written {
  const partial = PartialTree.fromFull(digests, tree as FullTree)
  const writer = JournalWriter.begin(digests, tree)
  const done = new Bitmap(BLOCKS)
  const known = new Set<string>()
  const parts: Uint8Array[] = []
  const ends: { length: number; count: number }[] = []
  let length = 0
  const end = () => {
    const { at, octets } = writer.take()!
    if (at !== length) throw new Error(`at ${at} and not ${length}`)
    parts.push(octets)
    length += octets.length
    ends.push({ length, count: done.count })
  }
  end()
  for (const blocks of story) {
    for (const { height, index } of blocks.flatMap(block => partial.pagesTo(blockIndex(block)))) {
      if (known.has(`${height}/${index}`)) continue
      known.add(`${height}/${index}`)
      writer.page(height, index, partial.page(height, index)!)
      end()
    }
    writer.blocks(blocks.map(block => ({ first: blockIndex(block), count: 1 })))
    for (const block of blocks) done.set(block)
    end()
  }
  return { octets: new Uint8Array(Buffer.concat(parts)), done, ends }
}

function recover(octets: Uint8Array) {
  return usable(recoverJournal(digests, octets, new PartialTree(digests, tree.size, tree.root)))
}

function usable(recovery: Recovery) {
  if (recovery.kind !== 'usable') throw new Error(JSON.stringify(recovery))
  return recovery
}

function runsOf(bitmap: Bitmap): (readonly [number, number])[] {
  const runs: [number, number][] = []
  bitmap.forEachSet(0, bitmap.size, block => {
    const last = runs.at(-1)
    if (last !== undefined && last[0] + last[1] === block) last[1]++
    else runs.push([block, 1])
  })
  return runs
}
