// A collector that asks for data before it is on the list: from the preview in the manager's first answer.
import t, { type Test } from 'tap'
import { type Endpoint, sameEndpoint } from '../../src/endpoint.js'
import { EarlyPulls } from '../../src/host/early-pulls.js'
import { instant, sequence } from '../../src/units.js'
import { decode } from '../../src/wire/decode.js'
import { CONTROL_BYTES_MAX, HOLD_UNIT_MICROS, TAG, TAG_AT } from '../../src/wire/layout.js'
import type { Message, Pull } from '../../src/wire/message.js'
import { type Computer, type Datagram, DELAY_MS, MANAGER_AT, Network, sharedFile } from './network.js'

const FILE = sharedFile(700_000)
const COLLECTOR_PORT = 5_001
/** A delay, and the disk of the collector. */
const SOON_MS = 0.5

interface Said {
  readonly at: number
  readonly from: Endpoint
  readonly to: Endpoint
  readonly message: Message
}

t.test('a collector sends its first PULLs with its REGISTER, and peers serve them when the list names it', async t => {
  const { network, said, peers, collector } = swarm(2)
  // Nothing but the first PULL arrives at each peer.
  network.loses = ({ to, octets }) =>
    isTag(octets, TAG.PULL) && ofKind('pull').filter(pull => sameEndpoint(pull.to, to)).length > 1
  const ofKind = (kind: Message['kind']) => said.filter(({ message }) => message.kind === kind)
  const start = network.now
  network.run(7 * DELAY_MS)
  const at = (kind: Message['kind'], from?: Endpoint) =>
    ofKind(kind).find(entry => from === undefined || sameEndpoint(entry.from, from))!.at - start
  t.match(ofKind('hello')[0]?.message, { padding: CONTROL_BYTES_MAX - 14 })
  t.ok(at('register') - 2 * DELAY_MS < SOON_MS)
  t.ok(at('pull') - at('register') < SOON_MS, `${at('pull')} after HELLO`)
  for (const { endpoint } of peers) {
    const listed = ofKind('list').find(({ to, at }) => sameEndpoint(to, endpoint) && at > start)!.at - start + DELAY_MS
    t.ok(at('chunk', endpoint) - listed < SOON_MS, 'served when the list came')
    const { message } = ofKind('chunk').find(({ from }) => sameEndpoint(from, endpoint))!
    const held = at('chunk', endpoint) - at('pull') - DELAY_MS
    t.ok(Math.abs((message as { hold: number }).hold * HOLD_UNIT_MICROS - held * 1_000) < 500, 'held since it came')
  }
  network.loses = () => false
  network.run(5_000)
  expectFile(t, collector)
  t.equal(ofKind('hello').length, 1)
})

t.test('where the list is larger than the preview a collector waits for the list', async t => {
  const { network, said, collector } = swarm(15)
  network.run(5_000)
  const first = (kind: Message['kind']) => said.findIndex(({ message }) => message.kind === kind)
  t.match(said[first('cookie')]!.message, { version: 0, entries: [] })
  t.ok(first('pull') > first('list'))
  expectFile(t, collector)
})

t.test('where others may begin at the same time, it asks for a share of what it would begin with alone', async t => {
  const firstRate = (others: number) => {
    const { network, said } = swarm(1, { others })
    network.run(7 * DELAY_MS)
    return (said.find(({ message }) => message.kind === 'pull')!.message as Pull).rate
  }
  const alone = firstRate(0)
  t.equal(firstRate(1), Math.round(alone / 2))
  t.equal(firstRate(7), Math.round(alone / 8))
  t.equal(firstRate(12), firstRate(7), 'four datagrams a round trip are for anyone')
})

t.test('who left since the preview is dropped, who came takes part', async t => {
  const { network, said, peers, collector } = swarm(3)
  const start = network.now
  // It takes a while until the manager hears of the collector.
  network.loses = ({ octets }) => isTag(octets, TAG.REGISTER) && network.now < start + 300
  network.run(50)
  network.step(peers[0]!, { kind: 'stop' })
  network.run(50)
  const late = network.addPeer(4_000, { files: [FILE] })
  network.run(5_000)
  expectFile(t, collector)
  t.match(
    collector.reports('trace').filter(event => event.kind === 'trace' && event.name === 'path:lost'),
    [{ fields: { peer: /:3000$/, why: 'left the list' } }],
  )
  const { fragments } = collector.result!
  t.equal(fragments.length, 3, 'divided among those of the preview')
  t.ok(said.some(({ message, to }) => message.kind === 'pull' && sameEndpoint(to, late.endpoint)))
})

t.test('a registration that takes long costs neither peers nor many PULLs', async t => {
  for (const own of [true, false]) {
    const { network, said, peers, collector } = swarm(2, { own })
    const start = network.now
    network.loses = ({ octets }) => isTag(octets, TAG.REGISTER) && network.now < start + 3_000
    network.run(2_900)
    const pulls = said.filter(({ message }) => message.kind === 'pull')
    t.ok(pulls.length > 20 && pulls.length < 150, `${pulls.length} PULLs to two peers in three seconds`)
    t.equal(said.filter(({ message }) => message.kind === 'chunk').length, 0)
    network.run(8_000)
    expectFile(t, collector)
    const sources = collector.result!.fragments.flatMap(({ sources }) => sources.map(({ endpoint }) => endpoint.port))
    t.strictSame([...new Set(sources)].sort(), peers.map(({ endpoint }) => endpoint.port).sort(), 'both gave')
  }
})

t.test('refused, a collector ends without data, or goes on when there is room', async t => {
  for (const wait of [false, true]) {
    const { network, said, peers, collector } = swarm(2, { wait, peersMax: 2 })
    network.run(1_000)
    t.equal(said.filter(({ message }) => message.kind === 'chunk').length, 0)
    if (!wait) {
      t.equal(collector.stopped, 'refused')
      t.match(collector.result?.failure, { kind: 'interrupted', detail: /refused/ })
      const dismissed = said.filter(({ message, from }) => message.kind === 'goodbye' && from.port === COLLECTOR_PORT)
      t.equal(new Set(dismissed.map(({ to }) => to.port)).size, 2, 'peers need not keep its PULLs')
      continue
    }
    network.step(peers[0]!, { kind: 'stop' })
    network.run(8_000)
    expectFile(t, collector)
  }
})

t.test('a manager that is gone after its first answer ends it; one that listed the collector does not', async t => {
  for (const listed of [false, true]) {
    const { network, collector, manager } = swarm(2, { limit: 2_000 })
    network.loses = ({ from, to, octets }) =>
      listed
        ? sameEndpoint(from, MANAGER_AT) && to.port === COLLECTOR_PORT && !isTag(octets, TAG.COOKIE)
        : isTag(octets, TAG.REGISTER)
    network.run(50)
    manager.isDead = true
    network.run(10_000)
    t.equal(collector.stopped, 'no-manager')
    if (listed) expectFile(t, collector)
    else t.match(collector.result?.failure, { kind: 'interrupted', detail: 'no manager answered' })
  }
})

t.test('the newest PULL of an early collector is kept for a second, and of no more than 128', async t => {
  const from = (n: number): Endpoint => ({ address: `10.1.${n >> 8}.${n & 255}`, port: 1 })
  const pull = (number: number, session = 1n) => ({ sequence: sequence(number), session, member: 9n }) as Pull
  const all = () => true
  const kept = new EarlyPulls()
  for (const number of [2, 3, 1]) kept.keep(from(0), pull(number), instant(0))
  t.strictSame(
    kept.takeListed(() => false, instant(10)),
    [],
  )
  t.match(kept.takeListed(all, instant(900)), [{ from: from(0), pull: { sequence: 3 }, at: 0 }])
  t.strictSame(kept.takeListed(all, instant(900)), [], 'taken once')

  kept.keep(from(0), pull(5), instant(0))
  kept.keep(from(0), pull(1, 2n), instant(1))
  t.match(kept.takeListed(all, instant(1_001)), [{ pull: { session: 2n } }], 'another transfer takes its place')
  kept.keep(from(0), pull(5), instant(0))
  t.strictSame(kept.takeListed(all, instant(1_001)), [], 'too old')

  kept.keep(from(0), pull(5), instant(0))
  kept.forget(from(0), 8n)
  kept.forget(from(1), 1n)
  t.equal(kept.takeListed(all, instant(1)).length, 1)
  kept.keep(from(0), pull(5), instant(0))
  kept.forget(from(0), 1n)
  t.strictSame(kept.takeListed(all, instant(1)), [])

  for (let n = 0; n < 1_000; n++) kept.keep(from(n), pull(1), instant(0))
  const left = kept.takeListed(all, instant(1))
  t.equal(left.length, 128)
  t.strictSame(left[0]!.from, from(1_000 - 128), 'the first made room')
})

interface SwarmOptions {
  /** Peers that offer nothing. */
  readonly others?: number
  /** The collector holds the file too. */
  readonly own?: boolean
  readonly wait?: boolean
  readonly peersMax?: number
  /** kbit/s of each peer. */
  readonly limit?: number
}

/** A manager, peers with the file that are listed, and a collector that starts now. */
function swarm(count: number, { own = false, wait = false, others = 0, peersMax, limit }: SwarmOptions = {}) {
  const network = new Network()
  const said: Said[] = []
  const manager = network.addManager(peersMax === undefined ? {} : { peersMax })
  const peers = Array.from({ length: count }, (_, i) =>
    network.addPeer(3_000 + i, { files: [FILE], uploadLimit: limit }),
  )
  for (let i = 0; i < others; i++) network.addPeer(3_500 + i)
  network.run(500)
  network.watch = datagram => said.push(sayingOf(datagram, network.now))
  const files = own ? [FILE] : []
  const collect = { name: FILE.offer.name, once: false, ownFile: own ? 0 : undefined }
  const collector = network.addPeer(COLLECTOR_PORT, { files, collect, wait })
  return { network, said, manager, peers, collector }
}

function sayingOf({ from, to, octets }: Datagram, at: number): Said {
  const message = decode(octets)
  if (message.kind === 'malformed') throw new Error(message.reason)
  return { at, from, to, message }
}

function isTag(octets: Uint8Array, tag: number): boolean {
  return octets[TAG_AT] === tag
}

function expectFile(t: Test, { result, target }: Computer): void {
  t.equal(result?.failure, undefined)
  t.ok(target !== undefined && Buffer.compare(target, FILE.content) === 0, 'the file is identical')
}
