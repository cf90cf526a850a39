// What a collector's memory grows by with the size of the file: spec/transfer.md, "Memory".
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { Bitmap } from '../../src/content/bitmap.js'
import { FileLayout } from '../../src/content/layout.js'
import { FullTree, PartialTree } from '../../src/content/tree.js'
import { DIGESTS } from '../../src/sim/digests.js'
import { SeededRandom } from '../../src/sim/random.js'
import { Collector } from '../../src/transfer/collector.js'
import type { Turn } from '../../src/transfer/effect.js'
import { blockIndex, instant } from '../../src/units.js'
import { HASH_BYTES, TREE_PAGE_HASHES_MAX } from '../../src/wire/layout.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const FILE_BYTES = 100e9
/** The rest is small beside it: objects, tables, one page of memory. */
const SLACK = 4e6

t.test('a transfer of 100 GB takes its bitmaps and its log, and no more', async t => {
  const { blockCount } = new FileLayout(FILE_BYTES)
  const random = new SeededRandom(1, 'memory')
  const tree = new PartialTree(DIGESTS, FILE_BYTES, new Uint8Array(HASH_BYTES).fill(1))
  const done = new Bitmap(blockCount)
  done.setRange(0, blockCount - 1)
  const collector = { it: undefined as Collector | undefined }
  const fresh = allocated(() => {
    collector.it = collectorOf(tree, done, random)
  })
  t.ok(fresh < (4 / 8 + 2) * blockCount + SLACK, `${fresh} octets for ${blockCount} blocks at the start`)
  const turn: Turn = { now: instant(0), effects: [], events: [] }
  const end = allocated(() => collector.it?.start(turn))
  t.equal(collector.it?.have.blocks.count, blockCount - 1)
  t.ok(end < 8 * blockCount + SLACK, `${end} octets more when all but one block are there`)
})

t.test('the hash tree takes 33 octets a block, and a little for its pages', async t => {
  const size = 2e9
  const { blockCount } = new FileLayout(size)
  const whole = new FullTree(DIGESTS, size, new SeededRandom(1, 'leaves').octets(blockCount * HASH_BYTES))
  const tree = new PartialTree(DIGESTS, size, whole.root)
  const used = allocated(() => {
    for (let block = 0; block < blockCount; block += TREE_PAGE_HASHES_MAX) {
      for (const { height, index } of tree.pagesTo(blockIndex(block))) {
        if (tree.isKnownPage(height, index)) continue
        if (!tree.verifyPage(height, index, whole.page(height, index)!)) throw new Error('a true page is not taken')
      }
    }
  })
  const last = blockIndex(blockCount - 1)
  t.strictSame(tree.leaf(last), whole.leaf(last))
  t.ok(used > 33 * blockCount && used < 50 * blockCount + SLACK / 4, `${used / blockCount} octets a block`)
})

function collectorOf(tree: PartialTree, done: Bitmap, random: SeededRandom): Collector {
  const end = { at: 0, octets: 0 } as never
  return new Collector(
    {
      tree,
      earlier: { kind: 'kept', journal: { kind: 'usable', done, end, pages: [] }, mustCheck: false },
      ownFile: undefined,
      member: 1n,
      chunkSize: 1_444,
      datagramMax: 1_472,
      receiveBuffer: 4 << 20,
      roundTrip: undefined,
      isListed: true,
      random,
      digests: DIGESTS,
    },
    [{ kind: 'peer', endpoint: { address: '10.0.0.1', port: 4_000 }, isPartial: false }],
    instant(0),
  )
}

/** Octets that are held longer than `act` takes. */
function allocated(act: () => void): number {
  const before = held()
  act()
  return held() - before
}

/** What one collection finds dead is freed beside the program; the next one waits for that. */
function held(): number {
  for (let i = 0; i < 3; i++) collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
