// A peer's process: membership, uploads and a transfer behind one contract.
import t, { type Test } from 'tap'
import type { Endpoint } from '../../src/endpoint.js'
import { sequence } from '../../src/units.js'
import { decode } from '../../src/wire/decode.js'
import { encode, encodedSize } from '../../src/wire/encode.js'
import { ERROR_BYTES, ERROR_CODE, REASON, TAG } from '../../src/wire/layout.js'
import type { Message, Pull } from '../../src/wire/message.js'
import { type Computer, type Datagram, Network, sharedFile } from './network.js'

const FILE = sharedFile(700_000)
const NAME = FILE.offer.name
const STRANGER: Endpoint = { address: '10.9.9.9', port: 99 }

t.test('a collector fetches the file from all who have it and stays an active peer', async t => {
  const { network, manager, collector } = swarm()
  network.run(5_000)
  expectFile(t, collector)
  t.match(collector.reports('chosen'), [
    { why: 'only offer', otherRoots: 0, sources: [{ port: 3_000 }, { port: 4_000 }] },
  ])
  t.equal(collector.stopped, undefined)
  t.equal(manager.reports('list').length > 0, true)
  t.equal(lastList(manager).length, 3)
  t.equal(collector.host.counters().uploads, 0)
})

t.test('with its own copy a collector is one of the sources, and takes the root of that copy', async t => {
  const other = sharedFile(700_001, 2)
  const network = new Network()
  network.addManager()
  network.addPeer(3_000, { files: [other] })
  network.addPeer(3_001, { files: [other] })
  network.addPeer(4_000, { files: [FILE] })
  network.run(100)
  const collect = { name: NAME, once: false, ownFile: 0 }
  const collector = network.addPeer(5_001, { files: [FILE], collect })
  network.run(5_000)
  expectFile(t, collector)
  t.match(collector.reports('chosen'), [{ why: 'own file', otherRoots: 1 }])
  const local = collector.result!.fragments.filter(fragment => fragment.owner === undefined)
  t.equal(local.length, 1)
  t.equal(local[0]!.localBytes, local[0]!.bytes)
})

t.test('without an own copy the root counts that most peers offer', async t => {
  const network = new Network()
  network.addManager()
  network.addPeer(3_000, { files: [sharedFile(700_001, 2)] })
  network.addPeer(3_001, { files: [FILE] })
  network.addPeer(4_000, { files: [FILE] })
  network.run(100)
  const collector = network.addPeer(5_001, { collect: { name: NAME, once: false, ownFile: undefined } })
  network.run(5_000)
  expectFile(t, collector)
  t.match(collector.reports('chosen'), [{ why: 'most peers', otherRoots: 1 }])
})

t.test('an offer that comes while a collector waits is taken; after ten seconds without one it gives up', async t => {
  for (const comes of [true, false]) {
    const network = new Network()
    network.addManager()
    const collector = network.addPeer(5_001, { collect: { name: NAME, once: false, ownFile: undefined } })
    network.run(5_000)
    t.strictSame(collector.reports('waiting'), [{ kind: 'waiting', name: NAME }])
    if (comes) network.addPeer(4_000, { files: [FILE] })
    network.run(8_000)
    if (comes) expectFile(t, collector)
    else t.equal(collector.result?.failure?.kind, 'no-offer')
    t.equal(collector.stopped, undefined)
  }
})

t.test('with once, a collector leaves when it has its result, and says so to the manager', async t => {
  const { network, manager, collector } = swarm({ once: true })
  network.run(6_000)
  expectFile(t, collector)
  t.equal(collector.stopped, 'collected')
  t.equal(lastList(manager).length, 2)
  t.match(leavers(manager), [REASON.GOODBYE])
})

t.test('a PULL from who is not on the list is refused in sixteen octets and keeps nothing', async t => {
  const { network, peers } = swarm({ collects: false })
  network.run(500)
  const [peer] = peers as [Computer]
  const sent = network.put(peer, [pullFrom(STRANGER, peer, {})])
  t.equal(sent.length, 1)
  t.equal(sent[0]!.octets.length, ERROR_BYTES)
  t.match(decode(sent[0]!.octets), { kind: 'error', code: ERROR_CODE.NOT_LISTED, tag: TAG.PULL, session: 77n })
  t.strictSame(sent[0]!.to, STRANGER)
  t.equal(peer.host.counters().uploads, 0)
  // Nor is one from a listed endpoint that does not know its session.
  const listed = network.put(peer, [pullFrom(peers[1]!.endpoint, peer, { member: 12_345n })])
  t.match(decode(listed[0]!.octets), { kind: 'error', code: ERROR_CODE.NOT_LISTED })
  t.equal(peer.host.counters()['dropped.not-listed'], 2)
})

t.test('a listed peer is served by its session, and answered by what hinders that', async t => {
  const { network, manager, peers } = swarm({ collects: false })
  network.run(500)
  const [peer, other] = peers as [Computer, Computer]
  const member = lastList(manager).find(row => row.endpoint.port === other.endpoint.port)!.session
  const served = network.put(peer, [pullFrom(other.endpoint, peer, { member })])
  t.match(
    served.map(({ octets }) => decode(octets).kind),
    ['echo'],
  )
  t.equal(peer.host.counters().uploads, 1)
  const root = new Uint8Array(32).fill(3)
  const refused = network.put(peer, [pullFrom(other.endpoint, peer, { member, root, session: 78n })])
  t.match(
    refused.map(({ octets }) => decode(octets)),
    [{ kind: 'error', code: ERROR_CODE.NO_SUCH_ROOT, session: 78n }],
  )
  const proof = { largest: sequence(900), proof: 5 }
  t.strictSame(network.put(peer, [pullFrom(other.endpoint, peer, { member, sequence: sequence(9), ...proof })]), [])
  t.equal(peer.host.counters()['dropped.bad-proof'], 1)
})

t.test('a goodbye of a transfer ends it and is confirmed, one of nobody is not', async t => {
  const { network, manager, peers } = swarm({ collects: false })
  network.run(500)
  const [peer, other] = peers as [Computer, Computer]
  const member = lastList(manager).find(row => row.endpoint.port === other.endpoint.port)!.session
  network.put(peer, [pullFrom(other.endpoint, peer, { member })])
  const goodbye = { kind: 'goodbye', ack: false, reason: REASON.DONE, session: 77n, sequence: sequence(2) } as const
  t.strictSame(network.put(peer, [datagram(STRANGER, peer, goodbye)]), [])
  t.strictSame(network.put(peer, [datagram(other.endpoint, peer, { ...goodbye, ack: true })]), [])
  t.equal(peer.host.counters().uploads, 1)
  const sent = network.put(peer, [datagram(other.endpoint, peer, goodbye)])
  t.match(
    sent.map(({ octets }) => decode(octets)),
    [{ kind: 'goodbye', ack: true, session: 77n, reason: REASON.DONE }],
  )
  t.equal(peer.host.counters().uploads, 0)
})

t.test('a peer that stops says goodbye to the manager and to those it serves', async t => {
  const { network, manager, peers, collector } = swarm({ limit: 4_000 })
  network.run(1_000, () => collector.reports('progress').length > 2)
  const said: Message[] = []
  network.watch = ({ octets, from }) => {
    const message = decode(octets)
    if (from.port === 4_000 && message.kind === 'goodbye' && !message.ack) said.push(message)
  }
  network.step(peers[1]!, { kind: 'stop' })
  network.run(20)
  t.equal(said.length, 2)
  t.ok(said.every(message => message.kind === 'goodbye' && message.reason === REASON.GOODBYE))
  t.equal(peers[1]!.stopped, 'asked')
  network.run(10_000)
  t.equal(lastList(manager).length, 2)
  expectFile(t, collector)
  t.match(
    collector.reports('trace').filter(event => event.kind === 'trace' && event.name === 'path:lost'),
    [{ fields: { peer: /:4000$/, why: /goodbye|list/ } }],
  )
})

t.test('a collector that is stopped reports that it was interrupted', async t => {
  const { network, collector } = swarm({ limit: 1_000 })
  network.run(1_000, () => collector.reports('progress').length > 2)
  network.step(collector, { kind: 'stop' })
  network.step(collector, { kind: 'stop' })
  network.run(2_000)
  t.match(collector.result?.failure, { kind: 'interrupted', detail: 'stopped by the operator' })
  t.equal(collector.stopped, 'asked')
  t.equal(collector.reports('result').length, 1)
})

t.test('a TTL that ends stops a peer and its transfer, and the others hear of it', async t => {
  const { network, manager, collector } = swarm({ limit: 200, ttl: 3 })
  network.run(2_500)
  t.equal(collector.stopped, undefined)
  network.run(1_500)
  t.equal(collector.stopped, 'ttl-ended')
  t.match(collector.result?.failure, { kind: 'interrupted' })
  t.match(leavers(manager), [REASON.TTL_ENDED])
})

t.test('a manager that closes stops an idle peer at once, and a busy one when its transfer is done', async t => {
  for (const how of ['closes', 'dies'] as const) {
    const { network, manager, peers, collector } = swarm({ limit: 500 })
    const idle = network.addPeer(3_999)
    network.run(1_000, () => collector.reports('progress').length > 2)
    if (how === 'closes') network.step(manager, { kind: 'stop' })
    else manager.isDead = true
    const why = how === 'closes' ? 'manager-closed' : 'manager-silent'
    network.run(how === 'closes' ? 100 : 5_000)
    t.equal(idle.stopped, why)
    t.equal(collector.stopped, undefined)
    t.equal(collector.result, undefined)
    network.run(20_000)
    expectFile(t, collector)
    t.equal(collector.stopped, why)
    t.ok(
      peers.every(peer => peer.stopped === why),
      'and those that served it',
    )
  }
})

t.test(
  'whoever falls silent for some seconds in the middle goes on where it was, the collector or its only source',
  async t => {
    for (const port of [5_001, 4_000]) {
      const network = new Network()
      const manager = network.addManager()
      network.addPeer(4_000, { files: [FILE], uploadLimit: 1_000 })
      network.run(100)
      const collector = network.addPeer(5_001, { collect: { name: NAME, once: false, ownFile: undefined } })
      network.run(2_000, () => collector.reports('progress').length > 4)
      const before = network.now
      network.loses = ({ from, to }) => network.now < before + 6_000 && (from.port === port || to.port === port)
      network.run(30_000, () => collector.result !== undefined)
      expectFile(t, collector)
      t.match(leavers(manager), [REASON.SILENT], 'the manager had removed it')
      t.ok(network.now - before > 6_000, 'the file was not there before')
      network.run(10_000)
      t.equal(collector.stopped, undefined)
      t.equal(lastList(manager).length, 2)
    }
  },
)

t.test('without a manager a peer stops after a while, or waits if it was told to', async t => {
  const network = new Network()
  const [hasty, patient] = [network.addPeer(4_000), network.addPeer(4_001, { wait: true })]
  network.run(7_000)
  t.equal(hasty.stopped, 'no-manager')
  t.equal(patient.stopped, undefined)
  network.addManager()
  network.run(3_000)
  t.equal(patient.reports('registered').length, 1)
})

t.test('a file that can not be read any more is told to the owner and to those who want it', async t => {
  const { network, peers, collector } = swarm({ limit: 2_000 })
  peers[0]!.isDiskBroken = true
  network.run(20_000)
  expectFile(t, collector)
  t.match(peers[0]!.reports('offer-lost'), [{ kind: 'offer-lost', why: 'has changed' }])
  t.match(
    collector.reports('trace').filter(event => event.kind === 'trace' && event.name === 'path:lost'),
    [{ fields: { peer: /:3000$/, why: 'can not read the file any more' } }],
  )
})

t.test('a limit holds for all that a peer uploads', async t => {
  const { network, collector } = swarm({ limit: 1_000 })
  const start = network.now
  network.run(30_000, () => collector.result !== undefined)
  // Two peers with 1000 kbit/s each.
  const least = (FILE.content.length * 8) / 2_000
  t.ok(network.now - start > 0.95 * least, `${network.now - start} ms, not below ${least}`)
  t.ok(network.now - start < 1.5 * least, `${network.now - start} ms, not far above ${least}`)
})

t.test('bulk of no transfer and malformed datagrams are counted and answered by nothing', async t => {
  const { network, peers } = swarm({ collects: false })
  network.run(500)
  const [peer] = peers as [Computer]
  const echo = {
    kind: 'echo',
    session: 5n,
    sequence: sequence(1),
    sentAt: 0,
    echo: 0,
    hold: 0,
    appLimited: false,
  } as const
  const junk = [new Uint8Array(0), new Uint8Array(1), new Uint8Array(1_472).fill(0xff), Uint8Array.of(0x10, TAG.CHUNK)]
  const datagrams = junk.map(octets => ({ from: STRANGER, to: peer.endpoint, octets }))
  t.strictSame(network.put(peer, [datagram(STRANGER, peer, echo), ...datagrams]), [])
  const counters = peer.host.counters()
  t.equal(counters['dropped.stray-bulk'], 1)
  t.equal(
    Object.entries(counters).reduce((sum, [name, count]) => sum + (name.startsWith('malformed.') ? count : 0), 0),
    junk.length,
  )
})

t.test('a host that stopped does nothing more', async t => {
  const { network, peers } = swarm({ collects: false })
  network.run(500)
  const [peer, other] = peers as [Computer, Computer]
  network.step(peer, { kind: 'stop' })
  network.run(1_500)
  t.equal(peer.stopped, 'asked')
  t.equal(peer.host.deadline(), Infinity)
  t.strictSame(network.put(peer, [pullFrom(other.endpoint, peer, {})]), [])
  network.step(peer, { kind: 'tick' })
  network.step(peer, { kind: 'stop' })
  t.equal(peer.host.deadline(), Infinity)
})

interface SwarmOptions {
  readonly once?: boolean
  readonly collects?: boolean
  /** kbit/s of each peer. */
  readonly limit?: number
  /** Of the collector. */
  readonly ttl?: number
}

/** A manager, two peers with the file, and a collector without. */
function swarm({ once = false, collects = true, limit, ttl = 0 }: SwarmOptions = {}) {
  const network = new Network()
  const manager = network.addManager()
  const peers = [3_000, 4_000].map(port => network.addPeer(port, { files: [FILE], uploadLimit: limit }))
  network.run(50)
  const collect = collects ? { name: NAME, once, ownFile: undefined } : undefined
  const collector = network.addPeer(5_001, { collect, ttl })
  return { network, manager, peers, collector }
}

function expectFile(t: Test, { result, target }: Computer): void {
  t.equal(result?.failure, undefined)
  t.ok(target !== undefined && Buffer.compare(target, FILE.content) === 0, 'the file is identical')
}

/** The list as it was told last. */
function lastList(computer: Computer) {
  const last = computer.events.findLast(event => event.kind === 'list')
  return last?.kind === 'list' ? last.peers : []
}

function leavers(computer: Computer) {
  return computer.events.flatMap(event => (event.kind === 'list' ? event.left.map(({ reason }) => reason) : []))
}

function pullFrom(from: Endpoint, to: Computer, changes: Partial<Pull>): Datagram {
  return datagram(from, to, {
    kind: 'pull',
    session: 77n,
    sequence: sequence(1),
    member: 1n,
    root: FILE.tree.root,
    statement: 1,
    credit: sequence(0),
    rate: 1_000,
    horizon: sequence(0),
    largest: sequence(0),
    proof: 0,
    chunkSize: 1_444,
    datagram: 1_472,
    probe: 0,
    pages: [],
    ranges: [],
    blocks: [],
    ...changes,
  })
}

function datagram(from: Endpoint, to: Computer, message: Message): Datagram {
  const octets = new Uint8Array(encodedSize(message))
  encode(message, octets)
  return { from, to: to.endpoint, octets }
}
