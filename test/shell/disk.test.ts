// What the driver's disk does with blocks: shell/disk.ts.
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { leafHash } from '../../src/content/tree.js'
import type { Input } from '../../src/host/contract.js'
import { type BlockTarget, Disk } from '../../src/shell/disk.js'
import { systemDigests as digests } from '../../src/shell/entropy.js'
import { blockIndex } from '../../src/units.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'

/** So large that blocks are hashed in a thread. */
const SIZE = 16 * 1024 * 1024
const FETCH = 3

class FakeTarget implements BlockTarget {
  written = 0
  /** Written when it was closed. */
  late = 0
  isAbandoned = false

  async find() {
    return undefined
  }

  async prepare() {}

  async readBlock() {
    return 'changed'
  }

  async writeBlocks(_: unknown, blocks: readonly Uint8Array[]) {
    await setTimeout(1)
    this.written += blocks.length
    if (this.isAbandoned) this.late += blocks.length
  }

  async flush() {}

  async finish() {}

  async abandon() {
    this.isAbandoned = true
  }
}

t.test('what the thread has hashed is written to a target that writes itself', async t => {
  const { disk, target, outcomes } = await prepared()
  store(disk, 0, 40)
  store(disk, 40, 1, new Uint8Array(32))
  disk.flush()
  while (outcomes.length < 41) await setTimeout(1)
  t.equal(target.written, 40)
  t.strictSame(
    outcomes.filter(outcome => outcome !== 'stored'),
    ['bad'],
  )
  await disk.close()
})

t.test('a target that is dropped while blocks are hashed gets none of them any more', async t => {
  const { disk, target } = await prepared()
  store(disk, 0, 40)
  disk.flush()
  await disk.dropTarget(FETCH)
  t.equal(target.isAbandoned, true)
  const { written } = target
  await setTimeout(50)
  t.equal(target.written, written)
  t.equal(target.late, 0)
  await disk.close()
})

async function prepared() {
  const target = new FakeTarget()
  const outcomes: unknown[] = []
  let onReady: (() => void) | undefined
  const ready = new Promise<void>(resolve => {
    onReady = resolve
  })
  const disk: Disk = new Disk({ digests }, (inputs: readonly Input[]) => {
    for (const input of inputs) {
      if (input.kind === 'target-ready') onReady?.()
      if (input.kind === 'block-stored') outcomes.push(input.outcome)
    }
    disk.flush()
  })
  disk.addTarget(FETCH, target)
  disk.perform({ kind: 'prepare-target', fetch: FETCH, size: SIZE, keep: false })
  await ready
  return { disk, target, outcomes }
}

/** Orders blocks of zeros. @param leaf what they should hash to; theirs by default */
function store(disk: Disk, first: number, count: number, leaf?: Uint8Array): void {
  for (let block = first; block < first + count; block++) {
    const data = new Uint8Array(new SharedArrayBuffer(BLOCK_BYTES))
    const own = leaf ?? leafHash(digests, new Uint8Array(BLOCK_BYTES))
    disk.perform({ kind: 'store-block', fetch: FETCH, block: blockIndex(block), data, leaf: own })
  }
}
