// The bench's network over a virtual clock, and the relay that puts it between real sockets.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import t from 'tap'
import { hostOf, placeOf } from '../../bench/relay/addresses.js'
import { EmulatedNetwork, type NetworkSettings, REFUSED } from '../../bench/relay/emulated-network.js'
import { isData } from '../../bench/relay/ends.js'
import { Histogram } from '../../bench/relay/histogram.js'
import { countDrops } from '../../bench/relay/overruns.js'
import { Relay } from '../../bench/relay/relay.js'
import { IP_UDP_BYTES } from '../../src/sim/link.js'
import { SeededRandom } from '../../src/sim/random.js'
import { instant, ms, NEVER } from '../../src/units.js'

/** One millisecond on a link of 8 Mbit/s. */
const OCTETS = 1_000 - IP_UDP_BYTES
const PERFECT = { up: 0, upQueue: Infinity, down: 0, downQueue: Infinity }
const SETTINGS: Omit<NetworkSettings, 'computers'> = {
  delay: ms(0),
  jitter: ms(0),
  loss: 0,
  burst: 1,
  mtu: 1_500,
  probes: [],
}
/** Version and tag of a CHUNK; the relay looks no further. */
const CHUNK = Buffer.from([0x10, 0x11])

t.test('a datagram pays the uplink, the way and the downlink', async t => {
  const network = networkOf({
    computers: [
      { ...PERFECT, up: 8 },
      { ...PERFECT, down: 8 },
    ],
    delay: ms(20),
  })
  network.enter(instant(0), 0, 1, OCTETS, true)
  network.enter(instant(0), 0, 1, OCTETS, true)
  t.equal(network.next, 21, 'at the hub after a millisecond of uplink')
  t.strictSame(arrivalsOf(network), [22, 23])
  t.equal(network.next, Infinity)
  t.match(network.data, { entered: 2, carried: 2, lost: 0, delivered: 2 })
})

t.test('the rate of a link is what comes out of it', async t => {
  const network = networkOf({ computers: [{ ...PERFECT, up: 100 }, PERFECT] })
  for (let i = 0; i < 10_000; i++) network.enter(instant(i / 100), 0, 1, 1_472, true)
  const arrivals = arrivalsOf(network)
  const rate = (arrivals.length * 1_500 * 8) / ((arrivals.at(-1) ?? 0) * 1_000)
  t.ok(Math.abs(rate - 100) < 0.1, `${rate} Mbit/s`)
})

t.test('a full queue drops, and what waited in it is measured without its own time on the link', async t => {
  const network = networkOf({ computers: [{ ...PERFECT, up: 8, upQueue: 3_000 }, PERFECT] })
  const slots = Array.from({ length: 5 }, () => network.enter(instant(0), 0, 1, OCTETS, true))
  t.strictSame(
    slots.map(slot => slot === REFUSED),
    [false, false, false, true, true],
  )
  arrivalsOf(network)
  t.match(network.data, { entered: 5, carried: 3, queueFull: 2, delivered: 3 })
  t.ok(Math.abs((network.waits.quantile(0.5) ?? 0) - 1) < 0.1, 'waits of 0, 1 and 2 ms')
  t.ok(Math.abs((network.waits.quantile(1) ?? 0) - 2) < 0.1)
})

t.test('a probe waits behind the data, to and fro, and ends with it', async t => {
  const [a, b] = [
    { ...PERFECT, up: 8, upQueue: 10_000 },
    { ...PERFECT, up: 8, upQueue: 10_000 },
  ]
  const network = networkOf({ computers: [a, b], delay: ms(5), probes: [{ from: 0, to: 1 }] })
  // Three milliseconds of queue one way, one the other.
  const toAndFro = [
    [0, 1],
    [0, 1],
    [0, 1],
    [1, 0],
  ] as const
  for (let now = 0; now < 1_000; now += 20) {
    for (const [from, to] of toAndFro) network.enter(instant(now), from, to, OCTETS, true)
    network.advance(instant(now), () => {})
    for (let later = now; later < now + 20; later++) network.advance(instant(later), () => {})
  }
  arrivalsOf(network)
  const median = network.pings.quantile(0.5) ?? 0
  t.ok(Math.abs(median - 3) < 0.1, `${median} ms: the way back is idle when the echo takes it`)
  t.equal(network.next, Infinity)
  t.match(network.data, { entered: 200, delivered: 200 })
})

t.test('counts anew without a change of what is under way', async t => {
  const network = networkOf({ computers: [{ ...PERFECT, up: 8 }, PERFECT], delay: ms(5), probes: [{ from: 0, to: 1 }] })
  network.enter(instant(0), 0, 1, OCTETS, true)
  network.advance(instant(0), () => {})
  network.countAnew()
  network.enter(instant(0), 0, 1, OCTETS, true)
  t.match(network.data, { entered: 1, carried: 1, delivered: 0 })
  t.equal(arrivalsOf(network).length, 2, 'the first comes too')
  t.match(network.data, { entered: 1, delivered: 2 })
  t.ok((network.waits.quantile(1) ?? 0) > 0.9, 'the second waited behind the first')
})

t.test('several uplinks share one downlink, whose queue drops too', async t => {
  const down = { ...PERFECT, down: 8, downQueue: 2_000 }
  const network = networkOf({ computers: [PERFECT, PERFECT, down] })
  for (const from of [0, 1, 0]) network.enter(instant(0), from, 2, OCTETS, true)
  t.strictSame(arrivalsOf(network), [1, 2])
  t.match(network.data, { carried: 3, queueFull: 1, delivered: 2 })
})

t.test('loss comes after the uplink, in the share and in the runs asked for, and in both directions', async t => {
  for (const burst of [1, 6]) {
    const network = networkOf({ computers: [PERFECT, PERFECT], loss: 0.1, burst })
    const lost = [0, 1].map(from =>
      Array.from({ length: 50_000 }, () => network.enter(instant(0), from, 1 - from, 100, true) === REFUSED),
    )
    for (const direction of lost) {
      const losses = direction.filter(Boolean).length
      const runs = direction.filter((isLost, i) => isLost && !direction[i - 1]).length
      t.ok(Math.abs(losses / direction.length - 0.1) < 0.01, `${losses} lost`)
      t.ok(Math.abs(losses / runs - (burst === 1 ? 1 / 0.9 : burst)) < 0.4, `runs of ${losses / runs}`)
    }
    t.equal(network.data.carried, 100_000, 'what is lost was carried')
  }
})

t.test('jitter reorders; without it the order stays', async t => {
  for (const [jitter, isOrdered] of [
    [0, true],
    [5, false],
  ] as const) {
    const network = networkOf({ computers: [PERFECT, PERFECT], delay: ms(10), jitter: ms(jitter) })
    const slots = Array.from({ length: 100 }, (_, i) => network.enter(instant(i / 10), 0, 1, 100, false))
    const order: number[] = []
    network.advance(NEVER, slot => order.push(slot))
    t.equal(
      order.every((slot, i) => slot === slots[i]),
      isOrdered,
    )
    t.strictSame(
      order.toSorted((a, b) => a - b),
      slots,
      'each arrives once',
    )
  }
})

t.test('the same seed loses the same datagrams; what is no data is not counted', async t => {
  const fates = () => {
    const network = networkOf({ computers: [PERFECT, PERFECT], loss: 0.5 })
    const all = Array.from({ length: 100 }, () => network.enter(instant(0), 0, 1, 100, false) === REFUSED)
    t.match(network.data, { entered: 0, carried: 0, lost: 0 })
    return all
  }
  t.strictSame(fates(), fates())
})

t.test('a packet above the MTU vanishes', async t => {
  const network = networkOf({ computers: [PERFECT, PERFECT] })
  t.not(network.enter(instant(0), 0, 1, 1_472, true), REFUSED)
  t.equal(network.enter(instant(0), 0, 1, 1_473, true), REFUSED)
  t.equal(network.data.tooLarge, 1)
})

t.test('a slot is used again when its datagram has arrived', async t => {
  const network = networkOf({ computers: [PERFECT, PERFECT] })
  const first = network.enter(instant(0), 0, 1, 100, false)
  t.not(network.enter(instant(0), 1, 0, 100, false), first)
  arrivalsOf(network)
  t.equal(new Set([0, 1].map(() => network.enter(instant(1), 0, 1, 100, false))).has(first), true)
})

t.test('quantiles are those of a sorted list, to a bin', async t => {
  const histogram = new Histogram()
  t.equal(histogram.quantile(0.5), undefined)
  for (let i = 1; i <= 100; i++) histogram.add(i)
  for (const q of [0.01, 0.5, 0.95, 1]) t.ok(Math.abs((histogram.quantile(q) ?? 0) - 100 * q) < 0.1, `${q}`)
  histogram.add(1e9)
  t.ok((histogram.quantile(1) ?? 0) >= 4_999, 'what is too long counts as the longest')
})

t.test("the relay's own losses are read for its ports alone", async t => {
  const table = [
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops',
    '  101: 0100007F:1388 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 7',
    '  102: 0100007F:1389 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 9',
  ].join('\n')
  t.equal(countDrops(table, [0x1389]), 9)
  t.equal(countDrops(table, [0x1388, 0x1389, 1]), 16)
})

t.test('through the relay each process knows the others by their faces, and answers reach them', async t => {
  const [a, b] = [await socket(t), await socket(t)]
  const relay = await Relay.onLoopback([a.address().port, b.address().port])
  t.teardown(() => relay.close())
  const [faceA = 0, faceB = 0] = relay.ends.ports

  a.send('question', faceB, '127.0.0.1')
  const [question, from] = (await once(b, 'message')) as [Buffer, RemoteInfo]
  t.equal(String(question), 'question')
  t.equal(from.port, faceA)
  b.send('answer', from.port, from.address)
  const [answer, back] = (await once(a, 'message')) as [Buffer, RemoteInfo]
  t.equal(String(answer), 'answer')
  t.equal(back.port, faceB)
})

t.test('the relay holds a datagram for the delay of the link, and counts anew when it is shaped', async t => {
  const [a, b] = [await socket(t), await socket(t)]
  const relay = await Relay.onLoopback([a.address().port, b.address().port])
  t.teardown(() => relay.close())
  await relay.shape({ ...SETTINGS, computers: [PERFECT, PERFECT], delay: ms(30) }, 'chunks', new SeededRandom(1))
  const start = performance.now()
  a.send(CHUNK, relay.ends.ports[1] ?? 0, '127.0.0.1')
  await once(b, 'message')
  t.ok(performance.now() - start >= 30)
  const counts = await relay.counts()
  t.match(counts.data, { entered: 1, delivered: 1 })
  t.match(counts.wait, { median: 0 })
  t.equal(counts.ping, undefined, 'nobody asked for probes')
  t.ok(counts.lateness)
  await relay.shape({ ...SETTINGS, computers: [PERFECT, PERFECT] }, 'chunks', new SeededRandom(1))
  t.match(await relay.counts(), { data: { entered: 0, delivered: 0 }, wait: undefined, lateness: undefined })
})

t.test('data is told by its tag, or by its size where nothing is known of the protocol', async t => {
  const packet = Buffer.concat([Buffer.alloc(IP_UDP_BYTES), CHUNK])
  t.ok(isData('chunks', CHUNK, CHUNK.length, 0))
  t.ok(isData('chunks', packet, CHUNK.length, IP_UDP_BYTES), 'within an IP packet')
  t.notOk(isData('chunks', Buffer.alloc(1_400), 1_400, 0))
  t.ok(isData('large', Buffer.alloc(1_400), 1_400, 0))
  t.notOk(isData('large', CHUNK, CHUNK.length, 0))
})

t.test('an IP packet goes to the place that its address names, and nowhere if it names none', async t => {
  const packetTo = (...address: number[]) => Buffer.from([0x45, ...Array(15).fill(0), ...address])
  t.equal(hostOf(2), '10.77.0.3')
  t.equal(placeOf(packetTo(10, 77, 0, 3)), 2)
  t.equal(placeOf(packetTo(10, 78, 0, 3)), -1)
  t.equal(placeOf(packetTo(10, 77, 0, 0)), -1)
  t.equal(placeOf(packetTo(10, 77, 0, 3).subarray(0, 19)), -1)
  t.equal(placeOf(Buffer.alloc(40, 0x60)), -1, 'IPv6')
})

t.test('what comes from a port that has no place goes nowhere', async t => {
  const [a, b, stranger] = [await socket(t), await socket(t), await socket(t)]
  const relay = await Relay.onLoopback([a.address().port, b.address().port])
  t.teardown(() => relay.close())
  const heard = once(b, 'message')
  stranger.send('stranger', relay.ends.ports[1] ?? 0, '127.0.0.1')
  a.send('member', relay.ends.ports[1] ?? 0, '127.0.0.1')
  t.equal(String((await heard)[0]), 'member')
})

function networkOf(settings: Partial<NetworkSettings> & Pick<NetworkSettings, 'computers'>): EmulatedNetwork {
  return new EmulatedNetwork({ ...SETTINGS, ...settings }, new SeededRandom(1, 'bench'))
}

/** When each datagram under way was due. */
function arrivalsOf(network: EmulatedNetwork): number[] {
  const arrivals: number[] = []
  network.advance(NEVER, (_slot, _from, _to, due) => arrivals.push(due))
  return arrivals
}

async function socket(t: { teardown(end: () => void): void }): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  return socket
}
