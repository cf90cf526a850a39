// Offers and fetches that come while a peer runs: src/host/errands.ts and what peer-host.ts does with them.
import t, { type Test } from 'tap'
import { Bitmap } from '../../src/content/bitmap.js'
import { InvariantError } from '../../src/errors.js'
import type { MemoryFile } from '../../src/sim/memory-file.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'
import type { Offer } from '../../src/wire/message.js'
import { type Computer, Network, sharedFile } from './network.js'

const A = sharedFile(700_000, 1, 'a')
const B = sharedFile(300_000, 2, 'b')

t.test('what is offered while a peer runs is listed and fetched like any other', async t => {
  const { network, sharer, getter } = swarm()
  share(network, sharer, A)
  share(network, sharer, B)
  network.run(1_000)
  t.strictSame(offersSeenBy(getter), ['a', 'b'])
  fetch(network, getter, 1, A.offer)
  fetch(network, getter, 2, B.offer)
  network.run(3_000)
  expectContent(t, getter, 1, A)
  expectContent(t, getter, 2, B)
  t.equal(getter.result, getter.events.find(event => event.kind === 'result')?.result)
  t.strictSame(offersSeenBy(getter), ['a', 'b'], 'it stays a member')
  fetch(network, getter, 3, A.offer)
  network.run(3_000)
  expectContent(t, getter, 3, A)
})

t.test('only the wanted blocks are fetched, from all who have the content by whatever name', async t => {
  const { network, sharer, getter } = swarm()
  share(network, sharer, A)
  share(network, network.addPeer(3_001), { ...A, offer: { ...A.offer, name: 'called otherwise' } })
  network.run(1_000)
  const blocks = new Bitmap(11)
  for (const block of [0, 3, 10]) blocks.set(block)
  fetch(network, getter, 1, A.offer, blocks)
  network.run(2_000)
  t.match(resultOf(getter, 1), { failure: undefined, name: 'a' })
  const written = getter.targets.get(1)!
  for (let block = 0; block < 11; block++) {
    const [start, end] = [block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES]
    const expected = blocks.has(block)
      ? A.content.subarray(start, end)
      : new Uint8Array(A.content.subarray(start, end).length)
    t.equal(Buffer.compare(written.subarray(start, end), expected), 0, `block ${block}`)
  }
  t.equal(resultOf(getter, 1)!.fragments.length, 2)
})

t.test('a fetch that is ordered before there is a list waits for it, and for an offer', async t => {
  const network = new Network()
  network.addManager()
  const getter = network.addPeer(5_001)
  fetch(network, getter, 1, A.offer)
  network.run(3_000)
  t.match(getter.reports('waiting'), [{ name: 'a', fetch: 1 }])
  share(network, network.addPeer(3_000), A)
  network.run(3_000)
  expectContent(t, getter, 1, A)
  fetch(network, getter, 2, B.offer)
  network.run(11_000)
  t.match(resultOf(getter, 2), { failure: { kind: 'no-offer' } })
})

t.test('a peer that begins to offer the content in the middle takes part', async t => {
  const { network, sharer, getter } = swarm({ uploadLimit: 8_000 })
  const late = network.addPeer(3_001)
  share(network, sharer, A)
  network.run(1_000)
  fetch(network, getter, 1, A.offer)
  network.run(100)
  share(network, late, A)
  network.run(5_000)
  expectContent(t, getter, 1, A)
  const sources = resultOf(getter, 1)!.fragments.flatMap(fragment =>
    fragment.sources.map(({ endpoint }) => endpoint.port),
  )
  t.ok(sources.includes(3_001), `${sources}`)
})

t.test('what the peer offers itself it takes from its own disk', async t => {
  const { network, sharer, getter } = swarm()
  share(network, sharer, A)
  share(network, getter, A)
  network.run(1_000)
  fetch(network, getter, 1, A.offer)
  network.run(2_000)
  expectContent(t, getter, 1, A)
  t.ok(resultOf(getter, 1)!.fragments.some(({ localWhy }) => localWhy.includes('own fragment')))
})

t.test('a fetch that is given up says so, and leaves the others alone', async t => {
  const { network, sharer, getter } = swarm({ uploadLimit: 8_000 })
  share(network, sharer, A)
  share(network, sharer, B)
  network.run(1_000)
  fetch(network, getter, 1, A.offer)
  fetch(network, getter, 2, B.offer)
  network.run(100)
  network.step(getter, { kind: 'cancel', fetch: 1, detail: 'enough' })
  network.step(getter, { kind: 'cancel', fetch: 9, detail: 'there is no such fetch' })
  t.match(resultOf(getter, 1), { failure: { kind: 'interrupted', detail: 'enough' } })
  network.run(3_000)
  expectContent(t, getter, 2, B)
  t.equal(sharer.host.counters().uploads, 0, 'goodbye was said to both')
})

t.test('a peer that stops reports every fetch first', async t => {
  const { network, sharer, getter } = swarm({ uploadLimit: 8_000 })
  share(network, sharer, A)
  network.run(1_000)
  fetch(network, getter, 1, A.offer)
  fetch(network, getter, 2, B.offer)
  network.run(100)
  network.step(getter, { kind: 'stop' })
  network.run(1_000)
  t.equal(getter.stopped, 'asked')
  for (const key of [1, 2]) t.match(resultOf(getter, key), { failure: { kind: 'interrupted' } })
})

t.test('a lost manager ends a peer only when its fetches are done', async t => {
  const { network, manager, sharer, getter } = swarm({ uploadLimit: 2_000 })
  share(network, sharer, A)
  network.run(1_000)
  fetch(network, getter, 1, A.offer)
  network.run(100)
  network.step(manager, { kind: 'stop' })
  network.run(6_000)
  expectContent(t, getter, 1, A)
  t.equal(getter.stopped, 'manager-closed')
})

t.test('at most four fetches run at once, and no key twice: more is a mistake of our own', async t => {
  const { network, getter } = swarm()
  for (const key of [1, 2, 3, 4]) fetch(network, getter, key, A.offer)
  t.throws(() => fetch(network, getter, 5, A.offer), InvariantError)
  network.step(getter, { kind: 'cancel', fetch: 1, detail: '' })
  t.throws(() => fetch(network, getter, 2, A.offer), InvariantError)
  fetch(network, getter, 5, A.offer)
})

function swarm(options: { readonly uploadLimit?: number } = {}) {
  const network = new Network()
  const manager = network.addManager()
  const sharer = network.addPeer(3_000, options)
  const getter = network.addPeer(5_001)
  network.run(100)
  return { network, manager, sharer, getter }
}

function share(network: Network, computer: Computer, file: MemoryFile): void {
  const { offer, tree } = file
  network.step(computer, { kind: 'offer', file: computer.files.push(file) - 1, offer, tree })
}

function fetch(network: Network, computer: Computer, key: number, offer: Offer, blocks?: Bitmap): void {
  network.step(computer, { kind: 'fetch', fetch: key, offer, blocks, restart: false })
}

function offersSeenBy(computer: Computer): string[] {
  const last = computer.events.findLast(event => event.kind === 'list')
  return last?.peers.flatMap(({ offers }) => offers.map(({ name }) => name)) ?? []
}

function resultOf(computer: Computer, key: number) {
  return computer.events.flatMap(event => (event.kind === 'result' && event.fetch === key ? [event.result] : []))[0]
}

function expectContent(t: Test, computer: Computer, key: number, file: MemoryFile): void {
  t.match(resultOf(computer, key), { failure: undefined, name: file.offer.name })
  t.equal(Buffer.compare(computer.targets.get(key)!, file.content), 0)
}
