// Every machine against datagrams that were changed on their way, said again, or sent by someone else: nothing throws,
// nothing grows, nobody who is not on the list gets more than he sent, and no wrong octet gets into the file.
import t, { type Test } from 'tap'
import { type Endpoint, endpointKey } from '../../src/endpoint.js'
import { SeededRandom } from '../../src/sim/random.js'
import { TAG, TAG_AT } from '../../src/wire/layout.js'
import { type Computer, type Datagram, Network, sharedFile } from './network.js'

const SEED = Number(process.env.PEER_UDP_SEED ?? 20_012)
const INPUTS = 270_000
/** Swarms that the inputs are divided among. */
const LIVES = 6
/** Datagrams put in together. */
const TOGETHER = 30
const FILE = sharedFile(9 * 65_536 + 999)
const OUTSIDERS: readonly Endpoint[] = [
  { address: '10.9.9.9', port: 1 },
  { address: '10.0.0.2', port: 6_666 },
  { address: '10.0.0.1', port: 5_001 },
]
/** What one turn may bring, however wrong its input is: 30 datagrams, each with a few answers or a whole file's chunks. */
const EFFECTS_MAX = 500
const DATAGRAMS_MAX = TOGETHER * 600
const COUNTERS_MAX = 80
const UPLOADS_MAX = 256
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff]

t.test('a swarm left alone says every message, and the file arrives', async t => {
  const tags = new Set(
    record()
      .flat()
      .map(({ octets }) => octets[TAG_AT]),
  )
  for (const [name, tag] of Object.entries(TAG)) if (name !== 'ERROR') t.ok(tags.has(tag), name)
})

t.test('from outside, mutated datagrams do no harm at all: the file arrives', async t => {
  const fuzz = new Fuzz('outside', record())
  for (let life = 0; life < LIVES; life++) {
    const { collector, manager } = fuzz.live(INPUTS / LIVES)
    t.ok(collector.result !== undefined && collector.result.failure === undefined, 'it has the file')
    t.ok(isWhole(collector), 'which is identical')
    const listed = manager.events.flatMap(event => (event.kind === 'list' ? event.peers : []))
    t.notOk(listed.some(({ endpoint }) => isOutsider(endpoint)))
  }
  expectBounds(t, fuzz)
})

t.test('with the addresses of their senders they may end the transfer, but never with a wrong file', async t => {
  const fuzz = new Fuzz('spoofed', record())
  const ends = new Map<string, number>()
  for (let life = 0; life < LIVES; life++) {
    // Without goodbyes a transfer goes on for longer.
    const { collector } = fuzz.live(INPUTS / LIVES, life % 2 === 0)
    const end = collector.result === undefined ? 'none' : (collector.result.failure?.kind ?? 'whole')
    ends.set(end, (ends.get(end) ?? 0) + 1)
    if (end === 'whole') t.ok(isWhole(collector), 'the file is identical')
  }
  // A result is missing only where the host was stopped before it knew of the file.
  t.comment(`ends: ${[...ends].map(([end, count]) => `${end} ${count}`).join(', ')}`)
  expectBounds(t, fuzz)
})

interface Swarm {
  readonly network: Network
  readonly manager: Computer
  readonly collector: Computer
}

/** Datagrams of each tag. */
type Recorded = readonly (readonly Datagram[])[]

type Attack = 'outside' | 'spoofed'

class Fuzz {
  inputs = 0
  /** By tag: how many were put in that bear it. */
  readonly tags = new Map<number, number>()
  /** The most that one turn brought, and that hosts had to show. */
  readonly most = { effects: 0, datagrams: 0, counters: 0, uploads: 0, dropped: 0 }
  readonly #attack: Attack
  readonly #random: SeededRandom
  readonly #recorded: Recorded
  #seeds: Recorded = []
  /** By sender and receiver, where one is an outsider: octets that went that way. */
  readonly #octets = new Map<string, number>()

  constructor(attack: Attack, recorded: Recorded) {
    this.#attack = attack
    this.#random = new SeededRandom(SEED, attack)
    this.#recorded = recorded
  }

  /** Puts datagrams into a new swarm while the transfer runs, when it is done, while hosts leave and when they are gone. */
  live(inputs: number, hasGoodbyes = true): Swarm {
    this.#seeds = hasGoodbyes
      ? this.#recorded
      : this.#recorded.filter(([first]) => first!.octets[TAG_AT] !== TAG.GOODBYE)
    // The same seed: the sessions of what was recorded are those of this swarm.
    const swarm = makeSwarm()
    const { network, collector, manager } = swarm
    const start = this.inputs
    const isBefore = (share: number) => this.inputs - start < share * inputs
    network.watch = datagram => this.#count(datagram)
    for (let turn = 0; isBefore(0.7) && collector.result === undefined; turn++) {
      network.run(8)
      this.#attackAll(network, 1 + (turn % 3))
    }
    network.run(60_000, () => collector.result !== undefined)
    while (isBefore(0.9)) {
      network.run(5)
      this.#attackAll(network, 3)
    }
    network.step(collector, { kind: 'stop' })
    network.step(manager, { kind: 'stop' })
    while (isBefore(1)) {
      network.run(20)
      this.#attackAll(network, 3)
    }
    network.run(5_000)
    this.#note(network)
    return swarm
  }

  #note(network: Network): void {
    const { most } = this
    const note = (name: keyof typeof most, value: number) => {
      most[name] = Math.max(most[name], value)
    }
    note('effects', network.most.effects)
    note('datagrams', network.most.datagrams)
    for (const { host } of network.computers.values()) {
      const counters = host.counters()
      note('counters', Object.keys(counters).length)
      note('uploads', counters.uploads ?? 0)
      note('dropped', counters['dropped.queue-full'] ?? 0)
      if (!Object.values(counters).every(Number.isSafeInteger)) throw new Error('a counter is no number')
    }
  }

  #attackAll(network: Network, times: number): void {
    for (const computer of network.computers.values()) {
      for (let i = 0; i < times; i++) {
        const datagrams = Array.from({ length: TOGETHER }, () => this.#mutated(computer))
        for (const datagram of datagrams) this.#count(datagram)
        this.inputs += TOGETHER
        network.put(computer, datagrams)
      }
    }
  }

  /** An outsider never gets more from a host than he sent to it. */
  #count({ from, to, octets }: Datagram): void {
    const isFromOutside = OUTSIDERS.includes(from)
    if (isFromOutside) this.#add(from, to, octets.length)
    else if (isOutsider(to)) {
      this.#add(to, from, -octets.length)
      const left = this.#octets.get(keyOf(to, from))!
      if (left < 0) throw new Error(`${endpointKey(from)} sent ${-left} octets more to ${endpointKey(to)} than came`)
    }
  }

  #add(outsider: Endpoint, host: Endpoint, octets: number): void {
    const key = keyOf(outsider, host)
    this.#octets.set(key, (this.#octets.get(key) ?? 0) + octets)
  }

  /** One of any tag: rare ones are as worth a try as others. */
  #seed(): Datagram {
    return this.#random.pick(this.#random.pick(this.#seeds))
  }

  #mutated(to: Computer): Datagram {
    const random = this.#random
    let seed = this.#seed()
    // Mostly what was meant for this host.
    for (let i = 0; i < 4 && seed.to.port !== to.endpoint.port; i++) seed = this.#seed()
    let octets: Uint8Array = seed.octets.slice()
    // One in ten is only said again.
    if (!random.chance(0.1)) for (let i = 1 + random.below(3); i > 0; i--) octets = this.#change(octets)
    const isSpoofed = this.#attack === 'spoofed' && random.chance(0.8)
    const from = isSpoofed ? (random.chance(0.8) ? seed.from : this.#seed().from) : random.pick(OUTSIDERS)
    const tag = octets[TAG_AT]
    if (tag !== undefined) this.tags.set(tag, (this.tags.get(tag) ?? 0) + 1)
    return { from, to: to.endpoint, octets }
  }

  #change(octets: Uint8Array): Uint8Array {
    const random = this.#random
    // Half of all changes hit the front, where headers and counts stand.
    const at = random.below(Math.max(1, random.chance(0.5) ? Math.min(octets.length, 90) : octets.length))
    switch (random.below(7)) {
      case 0:
        octets[at]! ^= 1 << random.below(8)
        return octets
      case 1:
        octets[at] = random.pick(EDGES)
        return octets
      case 2:
        // The largest number there is, in a field of any width.
        octets.fill(random.chance(0.7) ? 0xff : 0x00, at, Math.min(octets.length, at + (1 << random.below(4))))
        return octets
      case 3:
        return octets.subarray(0, at)
      case 4:
        return new Uint8Array(Buffer.concat([octets, random.octets(1 + random.below(40))]))
      default: {
        // A field of another datagram, or all that follows.
        const other = this.#seed().octets
        const length = random.chance(0.8) ? 1 << random.below(6) : other.length
        octets.set(other.subarray(at, Math.min(at + length, octets.length)), at)
        return octets
      }
    }
  }
}

/** What a swarm says from its first datagram to its last, some of it. */
function record(): Recorded {
  const swarm = makeSwarm()
  const { network, collector, manager } = swarm
  const byTag = new Map<number, Datagram[]>()
  const random = new SeededRandom(SEED, 'recording')
  network.watch = datagram => {
    const tag = datagram.octets[TAG_AT]!
    const kept = byTag.get(tag) ?? []
    byTag.set(tag, kept)
    if (kept.length < 60) kept.push(datagram)
    else if (random.chance(0.1)) kept[random.below(kept.length)] = datagram
  }
  network.run(60_000, () => collector.result !== undefined)
  if (!isWhole(collector)) throw new Error('the undisturbed swarm fails')
  network.run(200)
  // Some leave of their own accord; of the others the manager takes its leave.
  for (const computer of [...network.computers.values()].slice(-3)) network.step(computer, { kind: 'stop' })
  network.run(300)
  network.step(manager, { kind: 'stop' })
  network.run(2_000)
  return [...byTag.values()]
}

/** A manager, three slow peers and two collectors without the file. */
function makeSwarm(): Swarm {
  const network = new Network(SEED)
  const manager = network.addManager()
  for (const port of [3_000, 3_001, 4_000]) network.addPeer(port, { files: [FILE], uploadLimit: 400 })
  network.run(100)
  const collect = { name: FILE.offer.name, once: false, ownFile: undefined }
  network.addPeer(5_002, { collect })
  const collector = network.addPeer(5_001, { collect })
  return { network, manager, collector }
}

function expectBounds(t: Test, { inputs, tags, most }: Fuzz): void {
  t.ok(inputs >= INPUTS, `${inputs} inputs`)
  for (const [name, tag] of Object.entries(TAG)) {
    if (name !== 'ERROR') t.ok((tags.get(tag) ?? 0) > 1_000, `${name}: ${tags.get(tag)} inputs`)
  }
  t.ok(most.effects <= EFFECTS_MAX, `${most.effects} effects in one turn`)
  t.ok(most.datagrams <= DATAGRAMS_MAX, `${most.datagrams} datagrams in one turn`)
  t.ok(most.counters <= COUNTERS_MAX, `${most.counters} counters`)
  t.ok(most.uploads <= UPLOADS_MAX, `${most.uploads} uploads`)
  t.equal(most.dropped, 0, 'no queue was ever full')
}

function isWhole({ target }: Computer): boolean {
  return target !== undefined && Buffer.compare(target, FILE.content) === 0
}

function isOutsider(endpoint: Endpoint): boolean {
  return OUTSIDERS.some(({ address, port }) => address === endpoint.address && port === endpoint.port)
}

function keyOf(outsider: Endpoint, host: Endpoint): string {
  return `${endpointKey(outsider)} at ${endpointKey(host)}`
}
