import t from 'tap'
import { PathMtu } from '../../src/transfer/path-mtu.js'
import { instant } from '../../src/units.js'
import { Swarm } from './swarm.js'

const USUAL = 1_472
const LOOPBACK = 65_507

t.test('an interface that carries no more than usual is not searched beyond', async t => {
  t.equal(new PathMtu(USUAL, USUAL).probe(1, 0, 1, 0, LOOPBACK, instant(0)), 0)
  t.equal(new PathMtu(USUAL, 0).probe(1, 0, 1, 0, LOOPBACK, instant(0)), 0)
})

t.test('longer and longer datagrams are tried, one at a time, and used when one came', async t => {
  const mtu = new PathMtu(USUAL, LOOPBACK)
  t.equal(mtu.probe(1, 0, 10, 0, LOOPBACK, instant(0)), 8_972)
  t.equal(mtu.probe(2, 1, 10, 0, LOOPBACK, instant(5)), 0, 'one is under way')
  t.equal(mtu.onProbe(8_972, 2), false, 'nobody asked for that one')
  t.equal(mtu.onProbe(8_971, 1), false)
  t.equal(mtu.onProbe(8_972, 1), true)
  t.equal(mtu.onProbe(8_972, 1), false, 'doubled by the network')
  t.equal(mtu.datagram, 8_972)
  t.equal(mtu.probe(3, 2, 10, 0, LOOPBACK, instant(12)), LOOPBACK)
  t.equal(mtu.onProbe(LOOPBACK, 3), true)
  t.equal(mtu.probe(4, 3, 10, 0, LOOPBACK, instant(20)), 0)
  t.equal(mtu.datagram, LOOPBACK)
})

t.test('a length that the rate is not worth is not tried', async t => {
  const mtu = new PathMtu(USUAL, LOOPBACK)
  t.equal(mtu.probe(1, 0, 10, 0, 8_971, instant(0)), 0)
  t.equal(mtu.probe(2, 1, 10, 0, 8_972, instant(5)), 8_972)
  t.equal(mtu.onProbe(8_972, 2), true)
  t.equal(mtu.probe(3, 2, 10, 0, 65_506, instant(30)), 0)
  t.equal(mtu.probe(4, 3, 10, 0, 65_507, instant(35)), LOOPBACK)
})

t.test('a length is given up after as many tries as the loss of the path asks for; lost PULLs are none', async t => {
  for (const [loss, tries] of [
    [0, 3],
    [0.05, 4],
    [0.2, 6],
  ] as const) {
    const mtu = new PathMtu(USUAL, 8_972)
    let asked = 0
    let now = 0
    for (let pull = 1; pull < 100; pull++, now += 30) {
      // Every second PULL gets lost: its like is asked for again, and does not count.
      const isLost = pull % 2 === 0
      if (mtu.probe(pull, isLost ? pull - 2 : pull - 1, 10, loss, LOOPBACK, instant(now)) > 0) asked++
    }
    t.ok(asked >= tries && asked <= 2 * tries, `${asked} probes at ${loss}`)
    t.equal(mtu.probe(100, 99, 10, loss, LOOPBACK, instant(590_000)), 0)
    t.equal(mtu.probe(101, 99, 10, loss, LOOPBACK, instant(605_000)), 8_972, 'tried again after ten minutes')
  }
})

t.test('a black hole is left at once, and looked into again after 5 s, then 10', async t => {
  const mtu = new PathMtu(USUAL, 8_972)
  t.equal(mtu.onBlackHole(instant(0)), false, 'it was not the long ones')
  const other = new PathMtu(USUAL, 8_972)
  for (const wait of [5_000, 10_000]) {
    const start = wait * 100
    other.probe(1, 0, 10, 0, LOOPBACK, instant(start))
    other.onProbe(8_972, 1)
    t.equal(other.onBlackHole(instant(start)), true)
    t.equal(other.datagram, USUAL)
    t.equal(other.probe(2, 1, 10, 0, LOOPBACK, instant(start + wait - 1)), 0)
    t.equal(other.probe(3, 1, 10, 0, LOOPBACK, instant(start + wait)), 8_972)
    other.onProbe(1, 3)
    t.equal(other.onProbe(8_972, 3), true)
  }
  t.equal(PathMtu.blackHoleSigns(0), 12)
  t.equal(PathMtu.blackHoleSigns(0.05), 12)
  t.ok(PathMtu.blackHoleSigns(0.4) > 12, 'more where much is lost anyway')
})

t.test('a transfer goes over to long datagrams that the path carries, and its file is whole', async t => {
  const lengths = new Map<number, number>()
  const swarm = new Swarm({
    size: 5_000_000,
    peers: 2,
    rates: [20_000, 20_000],
    datagramMax: LOOPBACK,
    filter: datagram => {
      lengths.set(datagram.length, (lengths.get(datagram.length) ?? 0) + 1)
      return true
    },
  })
  swarm.run(20_000)
  t.ok(swarm.isWhole)
  t.ok(Math.max(...lengths.keys()) > 60_000)
})

t.test('datagrams longer than a link of the path carries are never used', async t => {
  let longest = 0
  const swarm = new Swarm({
    size: 3_000_000,
    datagramMax: LOOPBACK,
    filter: datagram => {
      if (datagram.length > USUAL) return false
      longest = Math.max(longest, datagram.length)
      return true
    },
  })
  swarm.run(20_000)
  t.ok(swarm.isWhole)
  t.equal(longest, USUAL)
})

t.test('a path that carries long datagrams no more in mid-transfer is noticed, and the file is whole', async t => {
  let [carried, narrowAt, lastAt] = [0, Number.NaN, Number.NaN]
  const swarm = new Swarm({
    size: 8_000_000,
    peers: 1,
    datagramMax: LOOPBACK,
    filter: (datagram, _peer, now) => {
      if (datagram.length <= USUAL) return true
      lastAt = now
      if (++carried <= 20) return true
      if (Number.isNaN(narrowAt)) narrowAt = now
      return false
    },
  })
  swarm.run(60_000)
  t.ok(lastAt - narrowAt < 1_000, `${lastAt - narrowAt} ms, at a round trip of 10`)
  t.ok(swarm.isWhole)
})
