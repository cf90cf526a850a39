import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { FileLayout } from '../../src/content/layout.js'
import { FullTree, leafHash, PartialTree } from '../../src/content/tree.js'
import { InvariantError } from '../../src/errors.js'
import { systemDigests as digests } from '../../src/shell/entropy.js'
import { blockIndex } from '../../src/units.js'
import { BLOCK_BYTES, BLOCKS_MAX, FILE_BYTES_MAX, HASH_BYTES, TREE_HEIGHT_MAX } from '../../src/wire/layout.js'

/** Block counts around the edges of pages at two heights, and any up to three levels. */
const counts = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 1_023, 1_024, 1_025),
  fc.integer({ min: 0, max: 1_200 }),
)

t.test('the root is that of the recursive definition, for any number of blocks', async () => {
  fc.assert(
    fc.property(counts, count => {
      const { tree, leaves, size } = treeOf(count)
      return hex(tree.root) === hex(naiveRoot(leaves, size))
    }),
    { numRuns: 40 },
  )
})

t.test('every page of a whole tree is taken from the top down, and gives every leaf', async () => {
  fc.assert(
    fc.property(counts, count => {
      const { tree, leaves, size } = treeOf(count)
      const partial = new PartialTree(digests, size, tree.root)
      for (let b = 0; b < count; b++) {
        const block = blockIndex(b)
        for (let due = partial.pageFor(block); due !== undefined; due = partial.pageFor(block)) {
          if (partial.leaf(block) !== undefined) throw new Error('a leaf whose page is still due')
          if (!partial.canVerify(due.height, due.index)) throw new Error('due, but not to be verified')
          if (!partial.verifyPage(due.height, due.index, tree.page(due.height, due.index)!)) return false
          if (!partial.isKnownPage(due.height, due.index)) return false
        }
        if (hex(partial.leaf(block)!) !== hex(leaves[b]!) || hex(tree.leaf(block)!) !== hex(leaves[b]!)) return false
      }
      return true
    }),
    { numRuns: 40 },
  )
})

t.test('a page with any bit changed, a hash more or a hash less is refused', async () => {
  fc.assert(
    fc.property(
      counts.filter(count => count > 0),
      fc.nat(),
      fc.nat(),
      (count, pick, bit) => {
        const { tree, size } = treeOf(count)
        const partial = new PartialTree(digests, size, tree.root)
        const block = blockIndex(pick % count)
        for (let due = partial.pageFor(block); due !== undefined; due = partial.pageFor(block)) {
          const { height, index } = due
          const page = tree.page(height, index)!
          const changed = new Uint8Array(page)
          changed[(bit >>> 3) % page.length]! ^= 1 << (bit & 7)
          const longer = Uint8Array.from([...page, ...page.subarray(0, HASH_BYTES)])
          const refused = [changed, longer, page.subarray(HASH_BYTES), page.subarray(1), page.subarray(0, 0)]
          if (refused.some(hashes => partial.verifyPage(height, index, hashes))) return false
          if (partial.isKnownPage(height, index)) return false
          if (!partial.verifyPage(height, index, page)) return false
          // Known now: the same again is true, another is still false.
          if (!partial.verifyPage(height, index, page) || partial.verifyPage(height, index, changed)) return false
        }
        return true
      },
    ),
    { numRuns: 40 },
  )
})

t.test('a page is copied, also out of a Buffer', async t => {
  const { tree, size } = treeOf(3)
  const partial = new PartialTree(digests, size, tree.root)
  const datagram = Buffer.from(tree.page(5, 0)!)
  t.ok(partial.verifyPage(5, 0, datagram))
  datagram.fill(0)
  t.strictSame(hex(partial.leaf(blockIndex(2))!), hex(tree.leaf(blockIndex(2))!))
})

t.test('a page whose parent is not known is not taken', async t => {
  const { tree, size } = treeOf(40)
  const partial = new PartialTree(digests, size, tree.root)
  t.strictSame(partial.pageFor(blockIndex(39)), { height: 10, index: 0 })
  t.notOk(partial.canVerify(5, 1))
  t.notOk(partial.verifyPage(5, 1, tree.page(5, 1)!))
  t.ok(partial.verifyPage(10, 0, tree.page(10, 0)!))
  t.ok(partial.canVerify(5, 1))
  t.ok(partial.verifyPage(5, 1, tree.page(5, 1)!))
  t.equal(partial.pageFor(blockIndex(39)), undefined)
  t.strictSame(partial.pageFor(blockIndex(0)), { height: 5, index: 0 })
})

t.test('pages that the tree does not have are neither given nor taken', async t => {
  const { tree, size } = treeOf(40)
  const partial = PartialTree.fromFull(digests, tree)
  for (const [height, index] of [
    [0, 0],
    [4, 0],
    [5, 2],
    [5, -1],
    [10, 1],
    [15, 0],
    [255, 0],
  ] as const) {
    t.equal(tree.page(height, index), undefined)
    t.equal(partial.page(height, index), undefined)
    t.notOk(partial.verifyPage(height, index, new Uint8Array(HASH_BYTES)))
    t.notOk(new PartialTree(digests, size, tree.root).canVerify(height, index))
  }
  t.equal(tree.leaf(blockIndex(40)), undefined)
  t.throws(() => partial.pageFor(blockIndex(40)), InvariantError)
})

t.test('another size with the same leaves has another root, and its top page is refused', async t => {
  const { tree, size } = treeOf(3)
  const other = new PartialTree(digests, size - 1, tree.root)
  t.notOk(other.verifyPage(5, 0, tree.page(5, 0)!))
  t.notOk(other.isKnownPage(5, 0))
})

t.test('a partial tree made from a whole one knows everything', async t => {
  const { tree, leaves } = treeOf(1_025)
  const partial = PartialTree.fromFull(digests, tree)
  t.equal(partial.pageFor(blockIndex(1_024)), undefined)
  t.strictSame(hex(partial.leaf(blockIndex(1_024))!), hex(leaves[1_024]!))
  t.strictSame(hex(partial.page(15, 0)!), hex(tree.page(15, 0)!))
  t.ok(partial.verifyPage(15, 0, tree.page(15, 0)!))
})

t.test('the largest size claimed costs nothing before a page holds', async t => {
  const partial = new PartialTree(digests, FILE_BYTES_MAX, new Uint8Array(HASH_BYTES))
  t.strictSame(partial.pageFor(blockIndex(0)), { height: 25, index: 0 })
  t.notOk(partial.verifyPage(25, 0, new Uint8Array(16 * HASH_BYTES)))
})

t.test('the largest file asks for its top page first, at the greatest height that the wire carries', async t => {
  // What lies below the top page need not be there to check it: its 16 hashes give the root.
  const top = Array.from({ length: 16 }, (_, i) => digests.sha256(Buffer.from(`${i}`)))
  const partial = new PartialTree(digests, FILE_BYTES_MAX, naiveRoot(top, FILE_BYTES_MAX))
  const last = blockIndex(BLOCKS_MAX - 1)
  t.strictSame(partial.pageFor(last), { height: TREE_HEIGHT_MAX, index: 0 })
  t.notOk(partial.verifyPage(TREE_HEIGHT_MAX, 0, Buffer.concat(top.slice(1))), 'one hash less')
  t.ok(partial.verifyPage(TREE_HEIGHT_MAX, 0, Buffer.concat(top)))
  t.strictSame(partial.pageFor(last), { height: 20, index: 15 })
})

t.test('spec/content.md: the worked examples are the hashes that its rules give', async t => {
  const spec = readFileSync(new URL('../../spec/content.md', import.meta.url), 'utf8')
  const examples = [...spec.matchAll(/```\nsize +(\d+)\n([\s\S]*?)```/g)]
  t.strictSame(
    examples.map(example => example[1]),
    ['150000', '1', '0'],
  )
  for (const [, size, lines] of examples) {
    const stated = Object.fromEntries([...lines!.matchAll(/^(.*\S) +([0-9a-f]{64})$/gm)].map(m => [m[1], m[2]]))
    t.strictSame(stated, namedHashes(Number(size)))
  }
})

/** The hashes of an example file by their names in spec/content.md: every node that a pair made, by height and index. */
function namedHashes(size: number): Record<string, string> {
  const data = Uint8Array.from({ length: size }, (_, i) => i % 251)
  const leaves: Uint8Array[] = []
  for (let at = 0; at < size; at += BLOCK_BYTES) leaves.push(leafHash(digests, data.subarray(at, at + BLOCK_BYTES)))
  const named: Record<string, string> = {}
  leaves.forEach((leaf, i) => {
    named[`leaf ${i}`] = hex(leaf)
  })
  let level = leaves
  for (let height = 1; level.length > 1; height++) {
    level = above(level)
    for (let i = 0; i < Math.floor(leaves.length / 2 ** height) || (level.length === 1 && i === 0); i++) {
      named[`node ${height} ${i}`] = hex(level[i]!)
    }
  }
  named.root = hex(new FullTree(digests, size, Buffer.concat(leaves)).root)
  return named
}

/** Stand-ins for leaf hashes: the tree doesn't care what was hashed. */
function treeOf(count: number) {
  const size = count === 0 ? 0 : count * BLOCK_BYTES - 7
  const leaves = Array.from({ length: new FileLayout(size).blockCount }, (_, i) => digests.sha256(Buffer.from(`${i}`)))
  return { size, leaves, tree: new FullTree(digests, size, Buffer.concat(leaves)) }
}

function naiveRoot(leaves: readonly Uint8Array[], size: number): Uint8Array {
  const sizeOctets = Buffer.alloc(8)
  sizeOctets.writeBigUInt64BE(BigInt(size))
  const treeRoot = leaves.length === 0 ? Buffer.alloc(32) : naiveNode(leaves)
  return sha256(Buffer.concat([Buffer.of(2), sizeOctets, treeRoot]))
}

/** Promoting an odd last node is the same as splitting at the largest power of two below the count (RFC 6962, 2.1). */
function naiveNode(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return sha256(Buffer.concat([Buffer.of(1), naiveNode(leaves.slice(0, split)), naiveNode(leaves.slice(split))]))
}

function above(level: readonly Uint8Array[]): Uint8Array[] {
  const pairs = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) => level.slice(2 * i, 2 * i + 2))
  return pairs.map(pair => (pair.length === 1 ? pair[0]! : sha256(Buffer.concat([Buffer.of(1), ...pair]))))
}

function sha256(data: Uint8Array): Uint8Array {
  return createHash('sha256').update(data).digest()
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex')
}
