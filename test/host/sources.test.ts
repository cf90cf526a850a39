// Whom a collector pulls from: host/sources.ts.
import t from 'tap'
import { Sources } from '../../src/host/sources.js'
import type { ListedPeer } from '../../src/membership/listed-peer.js'
import { SeededRandom } from '../../src/sim/random.js'
import { SOURCES_MAX } from '../../src/transfer/work.js'
import { NEVER, peerId } from '../../src/units.js'

const MANY = 10 * SOURCES_MAX

t.test('all are taken where they are few, and each once', async t => {
  const sources = new Sources(new SeededRandom(1))
  for (const number of [3, 1, 2]) sources.see(peer(number), number > 1)
  t.strictSame(numbersOf(sources.take()), [1, 2, 3])
  t.strictSame(sources.take(), [])
  t.equal(sources.see(peer(2), true), false, 'it has a part still')
  t.equal(sources.see(peer(2), false), true, 'it has all now')
  t.strictSame(
    [1, 2, 3].map(number => sources.isPartial(peer(number))),
    [false, false, true],
  )
})

t.test('of many some are taken by chance, and those that have all before others', async t => {
  const taken = [1, 2].map(seed => {
    const sources = new Sources(new SeededRandom(seed))
    for (let number = 1; number <= MANY; number++) sources.see(peer(number), number !== MANY)
    const numbers = numbersOf(sources.take())
    t.equal(numbers.length, SOURCES_MAX)
    t.equal(numbers.at(-1), MANY)
    return numbers
  })
  t.notSame(taken[0], taken[1])
})

t.test('everyone who offers all of it is taken, however many they are', async t => {
  const sources = new Sources(new SeededRandom(1))
  for (let number = 1; number <= MANY; number++) sources.see(peer(number), number % 2 === 0)
  const numbers = numbersOf(sources.take())
  t.strictSame(
    numbers,
    Array.from({ length: MANY / 2 }, (_, i) => 2 * i + 1),
  )
  sources.see(peer(2), false)
  t.strictSame(sources.take(), [], 'who has collected it comes only where there is room')
})

t.test('who is lost or leaves is replaced, and not taken again before it has left', async t => {
  const sources = new Sources(new SeededRandom(1))
  for (let number = 1; number <= SOURCES_MAX + 1; number++) sources.see(peer(number), true)
  const taken = sources.take()
  const [first, second] = taken
  sources.lose(first!.endpoint)
  const replacement = sources.take()
  t.equal(replacement.length, 1)
  t.notOk(taken.includes(replacement[0]!))
  sources.forget(second!.peer)
  t.strictSame(sources.take(), [], 'the lost one is not taken again')
  sources.forget(first!.peer)
  sources.see(first!, true)
  t.strictSame(sources.take(), [first], 'it came back')
})

function peer(number: number): ListedPeer {
  const endpoint = { address: '10.0.0.1', port: 4_000 + number }
  return { peer: peerId(number), session: BigInt(number), endpoint, expires: NEVER, offers: [] }
}

function numbersOf(peers: readonly ListedPeer[]): readonly number[] {
  return peers.map(({ peer }) => peer)
}
