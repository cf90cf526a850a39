import t from 'tap'
import { chooseOffer } from '../../src/host/wish.js'
import type { ListedPeer } from '../../src/membership/listed-peer.js'
import { NEVER, peerId } from '../../src/units.js'
import type { Offer } from '../../src/wire/message.js'

const OLD = offer('file', 1)
const NEW = offer('file', 2)

t.test('nobody offers the name: there is nothing to choose', async t => {
  t.equal(chooseOffer('file', undefined, []), undefined)
  t.equal(chooseOffer('file', undefined, [peer(1), peer(2, offer('other', 1))]), undefined)
})

t.test('the only offer is taken, from all who have it, in the order of their numbers', async t => {
  const choice = chooseOffer('file', undefined, [peer(7, NEW), peer(2, offer('other', 1), NEW), peer(4)])
  t.match(choice, { offer: NEW, why: 'only offer', otherRoots: 0 })
  t.strictSame(numbersOf(choice?.holders), [2, 7])
})

t.test('of several roots the one that most peers offer is taken', async t => {
  const choice = chooseOffer('file', undefined, [peer(1, OLD), peer(2, NEW), peer(3, NEW), peer(4, offer('file', 3))])
  t.match(choice, { offer: NEW, why: 'most peers', otherRoots: 2 })
  t.strictSame(numbersOf(choice?.holders), [2, 3])
})

t.test('between equals the offer of the peer with the lowest number is taken, in whatever order they come', async t => {
  const peers = [peer(5, NEW), peer(3, OLD), peer(4, NEW), peer(8, OLD)]
  for (const order of [peers, [...peers].reverse()]) {
    t.match(chooseOffer('file', undefined, order), { offer: OLD, why: 'most peers', otherRoots: 1 })
  }
})

t.test('the own file decides, even if all others have another one', async t => {
  const choice = chooseOffer('file', OLD, [peer(1, NEW), peer(2, NEW), peer(3, OLD)])
  t.match(choice, { offer: OLD, why: 'own file', otherRoots: 1 })
  t.strictSame(numbersOf(choice?.holders), [3])
  t.match(chooseOffer('file', OLD, []), { offer: OLD, why: 'own file', otherRoots: 0, holders: [] })
})

t.test('the same root with another size is another file', async t => {
  const choice = chooseOffer('file', undefined, [peer(1, { ...NEW, size: 9 }), peer(2, NEW), peer(3, NEW)])
  t.match(choice, { offer: NEW, otherRoots: 1 })
  t.strictSame(numbersOf(choice?.holders), [2, 3])
})

function offer(name: string, root: number): Offer {
  return { name, size: 10, root: new Uint8Array(32).fill(root) }
}

function peer(number: number, ...offers: readonly Offer[]): ListedPeer {
  const endpoint = { address: '10.0.0.1', port: 4_000 + number }
  return { peer: peerId(number), session: BigInt(number), endpoint, expires: NEVER, offers }
}

function numbersOf(peers: readonly ListedPeer[] | undefined): number[] {
  return (peers ?? []).map(peer => Number(peer.peer))
}
