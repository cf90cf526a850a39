// kill -9 at random points of a get, again and again: what its journal counts is there, right and gone on with, and in the end
// every octet is. Ten kills here; PEER_UDP_KILLS=200 for more.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Bitmap } from '../../src/content/bitmap.js'
import { recoverJournal } from '../../src/content/recovery.js'
import { PartialTree } from '../../src/content/tree.js'
import { systemDigests } from '../../src/shell/entropy.js'
import { Folder } from '../../src/shell/folder.js'
import { openOffering } from '../../src/shell/offering.js'
import type { SharedBundle } from '../../src/shell/shared-bundle.js'
import { LARGE_BYTES, Staging } from '../../src/shell/staging.js'
import { type BlockIndex, blockIndex } from '../../src/units.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'
import { type DiskTree, readTree, someOctets, writeTree } from '../shell/disk-tree.js'
import { built } from './process.js'
import { Swarm } from './swarm.js'

const KILLS = Number(process.env.PEER_UDP_KILLS ?? 10)
const LARGE = 'tree/large.bin'
const TREE: DiskTree = {
  [LARGE]: someOctets(2 * LARGE_BYTES + 77),
  ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`tree/small/${i}`, someOctets(20_000, i + 1)])),
}
/** 3.3 MB take about 0.8 s. */
const LIMIT = ['--limit', '32mbit']
const LIFETIME_MS = 60_000 + 10_000 * KILLS
/** A kill comes so long after the get knows its files, at most. */
const SPAN_MS = 1_000

await built()

t.test(
  `a get that is killed ${KILLS} times loses no block that its journal counts`,
  { timeout: LIFETIME_MS },
  async t => {
    const swarm = await Swarm.open(t, { file: Buffer.alloc(0), json: false, lifetime: LIFETIME_MS })
    writeTree(swarm.folder, TREE)
    const original = (await openOffering([join(swarm.folder, 'tree')], systemDigests)).content as SharedBundle
    t.teardown(() => original.close())
    await swarm.verb(['share', 'tree', ...LIMIT], { lifetime: LIFETIME_MS }).said(/registered with/)
    const out = join(swarm.folder, 'out')
    const get = ['get', 'tree', '-o', 'out', '-y', '--json']
    const kills = { early: 0, collecting: 0, finishing: 0, late: 0 }
    let counted: Bitmap | undefined
    for (let kill = 1; kill <= KILLS; kill++) {
      const getting = swarm.verb(get)
      await getting.saw('planned')
      await sleep(Math.random() * SPAN_MS)
      getting.kill('SIGKILL')
      const ended = await getting.ended
      if (ended === 0) {
        identical(t, out, swarm)
        rmSync(out, { recursive: true })
        counted = undefined
        kills.late++
        continue
      }
      t.equal(ended, 'SIGKILL', `run ${kill} was killed`)
      const resumed = getting.lines.find(line => line.t === 'resumed')
      if (counted !== undefined && resumed !== undefined) {
        t.strictSame(resumed.dropped, null)
        t.equal(resumed.bytes, bytesOf(counted, original), `run ${kill} goes on with what was counted`)
      }
      if (existsSync(join(out, LARGE))) {
        // What it was about to put in its place is left to the next run.
        counted = undefined
        kills.finishing++
        continue
      }
      const before = counted
      counted = await countedBlocks(out, original)
      kills[counted === undefined ? 'early' : 'collecting']++
      before?.forEachSet(0, before.size, block => {
        if (counted?.has(block) !== true) t.fail(`run ${kill} lost block ${block}`)
      })
    }
    const last = await swarm.run(get)
    t.equal(last.code, 0, last.stderr)
    identical(t, out, swarm)
    t.comment(`kills: ${JSON.stringify(kills)}`)
    t.ok(kills.collecting > 0)
  },
)

/** The blocks that the journal counts, each compared with what it should be; undefined where there is no journal yet. */
async function countedBlocks(out: string, original: SharedBundle): Promise<Bitmap | undefined> {
  const path = join(out, '.tree.part')
  if (!existsSync(join(path, 'journal'))) return undefined
  const { size, root } = original.tree
  const journal = readFileSync(join(path, 'journal'))
  if (journal.length === 0) return undefined
  const recovery = recoverJournal(systemDigests, journal, new PartialTree(systemDigests, size, root))
  if (recovery.kind !== 'usable') throw new Error(`the journal is ${JSON.stringify(recovery)}`)
  const folder = await Folder.open(path)
  const staging = new Staging(folder, original.manifest)
  const blocks: BlockIndex[] = []
  recovery.done.forEachSet(0, recovery.done.size, block => blocks.push(blockIndex(block)))
  for (const block of blocks) {
    const [should] = await original.readBlocks(block, [new Uint8Array(BLOCK_BYTES)])
    const is = new Uint8Array((should as Uint8Array).length)
    await staging.read(block * BLOCK_BYTES, is)
    if (Buffer.compare(is, should as Uint8Array) !== 0) throw new Error(`block ${block} is counted and wrong`)
  }
  await staging.close()
  await folder.close()
  return recovery.done
}

function bytesOf(blocks: Bitmap, { tree }: SharedBundle): number {
  let bytes = 0
  blocks.forEachSet(0, blocks.size, block => {
    bytes += Math.min(BLOCK_BYTES, tree.size - block * BLOCK_BYTES)
  })
  return bytes
}

function identical(t: Test, out: string, swarm: Swarm): void {
  const { tree, ...got } = readTree(out)
  t.equal(tree, 'folder')
  for (const [path, content] of Object.entries(readTree(join(swarm.folder, 'tree')))) {
    if (got[`tree/${path}`] !== content) t.fail(`${path} differs`)
  }
  t.notOk(
    Object.keys(got).some(path => path.includes('.part')),
    'nothing lies about',
  )
}
