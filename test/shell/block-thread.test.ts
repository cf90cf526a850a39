// The thread that hashes and writes blocks.
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { leafHash } from '../../src/content/tree.js'
import { BlockThread } from '../../src/shell/block-thread.js'
import type { JobResult } from '../../src/shell/block-worker.js'
import { systemDigests } from '../../src/shell/entropy.js'

t.test('a block is written if it is what its leaf says, or if nobody asks', async t => {
  const file = join(t.testdir({ out: '..........' }), 'out')
  const thread = new BlockThread(() => {})
  t.teardown(() => thread.close())
  const writable = openSync(file, 'r+')
  const readOnly = openSync(file, 'r')
  t.teardown(() => [writable, readOnly].forEach(closeSync))
  const results: JobResult[] = []
  const add = (text: string, leafOf: string | undefined, descriptor: number | undefined, place: number) => {
    const data = new Uint8Array(new SharedArrayBuffer(text.length))
    data.set(Buffer.from(text))
    const leaf = leafOf === undefined ? undefined : leafHash(systemDigests, Buffer.from(leafOf))
    thread.add({ data, leaf, descriptor, place }, result => results.push(result))
  }
  t.equal(thread.flush(), undefined, 'nothing was added')
  add('abc', 'abc', writable, 1)
  add('xyz', 'xyy', writable, 4)
  add('klm', 'klm', undefined, 4)
  await thread.flush()
  t.strictSame(results.splice(0), ['good', 'bad', 'good'])
  t.equal(readFileSync(file, 'utf8'), '.abc......')
  add('def', undefined, writable, 7)
  add('ghi', 'ghi', readOnly, 0)
  await thread.flush()
  t.match(results, ['good', { code: 'EBADF', message: /EBADF/ }])
  t.equal(readFileSync(file, 'utf8'), '.abc...def')
})

t.test('only shared memory can be seen by it', async t => {
  t.ok(BlockThread.canSee(new Uint8Array(new SharedArrayBuffer(1))))
  t.notOk(BlockThread.canSee(new Uint8Array(1)))
})
