// One manager and a crowd: thousands join at once, then some come and go all the time. How long until nearly all know of a
// change, and how many datagrams does that take?
//
// `npm run crowd -- --members 10000 --changes 50` runs it on a virtual clock: links with delay and loss, no limit of rate.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { randomSession } from '../ambient.js'
import type { Endpoint } from '../endpoint.js'
import { UsageError } from '../errors.js'
import type { Effect } from '../host/contract.js'
import { ManagerHost } from '../host/manager-host.js'
import { type Instant, instant } from '../units.js'
import { ReceiveBatch, SendBatch } from '../wire/batch.js'
import type { Offer } from '../wire/message.js'
import { DIGESTS } from './digests.js'
import { EVENT, EventHeap } from './event-heap.js'
import { Follower } from './follower.js'
import { SeededRandom } from './random.js'
import { Reach } from './reach.js'

export interface CrowdOptions {
  readonly seed: number
  readonly members: number
  /** Of them, how many join in the first `FLASH_MS`. */
  readonly flash: number
  /** Joins a second, and as many leaves, when all are there. */
  readonly changes: number
  /** For how long, in seconds. */
  readonly seconds: number
  /** Offers of each member. */
  readonly offers: number
  /** Milliseconds. */
  readonly roundTrip: number
  /** Share of datagrams lost each way. */
  readonly loss: number
}

/** What the manager sent and took in some time. */
export interface Traffic {
  readonly sent: number
  readonly received: number
  readonly octets: number
  /** Most datagrams sent in any one second. */
  readonly most: number
}

export interface CrowdResult {
  /** Of those in the flash crowd: who was registered, the last of them after so many milliseconds. */
  readonly registered: number
  /** Who ended without having left: refused, or taken for silent. */
  readonly lost: number
  readonly lastRegistered: number
  /** Milliseconds from the first HELLO until the whole flash crowd held the same list. */
  readonly settled: number
  /** While some came and went: milliseconds from a change until 99 % knew of it, in ascending order. */
  readonly reach: readonly number[]
  readonly flashTraffic: Traffic
  readonly traffic: Traffic
  /** Seconds of that. */
  readonly seconds: number
  /** Milliseconds of this computer's time that the manager took in it. */
  readonly cpu: number
}

const FLASH_MS = 5_000
const MANAGER: Endpoint = { address: '10.255.0.1', port: 5_000 }
const BATCH = 256
const NEVER_ARMED = Number.POSITIVE_INFINITY
/** Nothing of this takes so long, in virtual milliseconds. */
const PATIENCE_MS = 120_000

interface Peer {
  readonly follower: Follower
  readonly endpoint: Endpoint
  /** When it said HELLO or GOODBYE: when the change happened. */
  changedAt: number
  version: number
  isThere: boolean
  armedAt: number
}

class Crowd {
  now = 0
  registered = 0
  /** Members that ended without having left. */
  lost = 0
  readonly peers: Peer[] = []
  readonly reach = new Reach()
  cpu = 0
  readonly #options: CrowdOptions
  readonly #random: SeededRandom
  readonly #manager: ManagerHost
  readonly #events = new EventHeap()
  readonly #datagrams: (Uint8Array | undefined)[] = []
  readonly #owners: number[] = []
  readonly #free: number[] = []
  readonly #byEndpoint = new Map<Endpoint, number>()
  readonly #bySession = new Map<bigint, Peer>()
  readonly #received = new ReceiveBatch(1)
  readonly #batch = new SendBatch(BATCH)
  readonly #effects: Effect[] = []
  #armedAt = NEVER_ARMED
  /** Datagrams sent by the manager, by second. */
  readonly #sent = new Map<number, number>()
  #counts = { sent: 0, received: 0, octets: 0 }

  constructor(options: CrowdOptions) {
    this.#options = options
    this.#random = new SeededRandom(options.seed, 'crowd')
    this.#manager = new ManagerHost({ random: this.#random.fork('manager'), digests: DIGESTS })
  }

  /** How many are there. */
  get size(): number {
    return this.#manager.manager.list.size
  }

  get isQuiet(): boolean {
    const { version } = this.#manager.manager
    return this.#manager.manager.isQuiet && this.peers.every(peer => !peer.isThere || peer.version === version)
  }

  join(): void {
    const index = this.peers.length
    const endpoint = { address: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, port: 4_000 }
    const random = this.#random.fork(`${index}`)
    const session = randomSession(random)
    const offers = Array.from({ length: this.#options.offers }, (_, i): Offer => {
      return { name: `some file ${i}.bin`, size: 1e6, root: random.octets(32) }
    })
    const send = (datagram: Uint8Array) => this.#carry(datagram, index, EVENT.AT_HUB)
    const follower = new Follower({ manager: MANAGER, session, ttl: 0, offers, random }, send)
    const peer = { follower, endpoint, changedAt: this.now, version: 0, isThere: true, armedAt: NEVER_ARMED }
    this.peers.push(peer)
    this.#byEndpoint.set(endpoint, index)
    this.#bySession.set(session, peer)
    follower.tick(instant(this.now))
    this.#arm(index)
  }

  /** One of those that are there says goodbye. */
  leave(): void {
    for (;;) {
      const index = this.#random.below(this.peers.length)
      const peer = this.peers[index]!
      if (!peer.isThere || peer.version === 0) continue
      peer.isThere = false
      peer.changedAt = this.now
      this.reach.onLeft(peer.version, this.now)
      peer.follower.leave(instant(this.now))
      this.#arm(index)
      return
    }
  }

  /** Does `act` at its time, given in milliseconds from now. */
  runUntil(until: number): void {
    while (this.#events.next <= until) {
      this.#events.pop()
      this.now = this.#events.at
      this.#turn()
    }
    this.now = until
  }

  /** Until nobody lacks anything. */
  settle(): void {
    const start = this.now
    while (!this.isQuiet) {
      if (this.now - start > PATIENCE_MS) throw new Error('the crowd does not settle')
      this.runUntil(this.now + 10)
    }
  }

  /** What the manager did since this was asked last. */
  traffic(): Traffic {
    const counts = this.#counts
    const most = Math.max(0, ...this.#sent.values())
    this.#counts = { sent: 0, received: 0, octets: 0 }
    this.#sent.clear()
    return { ...counts, most }
  }

  #turn(): void {
    const { kind, subject } = this.#events
    if (kind === EVENT.TICK) this.#onPeer(subject, follower => follower.tick(instant(this.now)))
    else if (kind === EVENT.ARRIVED) {
      const [index, datagram] = this.#take(subject)
      this.#onPeer(index, follower => follower.receive(datagram, instant(this.now)))
    } else this.#onManager(kind === EVENT.AT_HUB ? this.#take(subject) : undefined)
  }

  #onPeer(index: number, act: (follower: Follower) => void): void {
    const peer = this.peers[index]!
    const wasMember = peer.follower.member.peer !== undefined
    act(peer.follower)
    const { version } = peer.follower.member
    if (!wasMember && peer.follower.member.peer !== undefined) this.registered++
    if (version > peer.version && peer.isThere) this.reach.onHeld(peer.version, version, this.now)
    peer.version = version
    if (peer.isThere && peer.follower.member.stopped !== undefined) {
      peer.isThere = false
      this.lost++
    }
    this.#arm(index)
  }

  #onManager(arrived: readonly [number, Uint8Array] | undefined): void {
    const began = process.cpuUsage()
    const now = instant(this.now)
    if (arrived === undefined) this.#manager.step({ kind: 'tick' }, now, this.#effects)
    else {
      this.#counts.received++
      this.#received.clear()
      this.#received.push(arrived[1], this.peers[arrived[0]]!.endpoint)
      this.#manager.receive(this.#received, now, this.#effects)
    }
    for (;;) {
      this.#batch.clear()
      this.#manager.fill(this.#batch)
      if (this.#batch.count === 0) break
      this.#sendBatch()
    }
    for (const effect of this.#effects) {
      if (effect.kind !== 'report' || effect.event.kind !== 'list') continue
      const { version, joined, left } = effect.event
      const changed = [...joined, ...left.map(({ peer }) => peer)].map(({ session }) => this.#bySession.get(session)!)
      // Those that joined with it hold nothing yet: to them it comes with their snapshot.
      this.reach.begin(version, Math.min(...changed.map(peer => peer.changedAt)), this.#learners(version), 0, this.now)
    }
    this.#effects.length = 0
    const { user, system } = process.cpuUsage(began)
    this.cpu += (user + system) / 1_000
    const at = this.#manager.deadline()
    if (at < this.#armedAt || this.#armedAt <= this.now) {
      this.#armedAt = at
      if (at !== Number.POSITIVE_INFINITY) this.#events.push(Math.max(at, this.now), EVENT.WAKE, 0)
    }
  }

  /** Who is there and is to learn of `version`. */
  #learners(version: number): number {
    let count = 0
    for (const peer of this.peers) if (peer.isThere && peer.version > 0 && peer.version < version) count++
    return count
  }

  #sendBatch(): void {
    const second = Math.floor(this.now / 1_000)
    for (let i = 0; i < this.#batch.count; i++) {
      const datagram = this.#batch.heads[i]!.slice(0, this.#batch.headLengths[i]!)
      this.#counts.sent++
      this.#counts.octets += datagram.length
      this.#sent.set(second, (this.#sent.get(second) ?? 0) + 1)
      this.#carry(datagram, this.#byEndpoint.get(this.#batch.to[i]!)!, EVENT.ARRIVED)
    }
  }

  /** @param index of the peer that it comes from or goes to */
  #carry(datagram: Uint8Array, index: number, kind: typeof EVENT.AT_HUB | typeof EVENT.ARRIVED): void {
    if (this.#random.chance(this.#options.loss)) return
    const slot = this.#free.pop() ?? this.#datagrams.length
    this.#datagrams[slot] = datagram
    this.#owners[slot] = index
    this.#events.push(this.now + (this.#options.roundTrip / 2) * this.#random.between(0.9, 1.1), kind, slot)
  }

  #take(slot: number): readonly [number, Uint8Array] {
    const datagram = this.#datagrams[slot]!
    this.#datagrams[slot] = undefined
    this.#free.push(slot)
    return [this.#owners[slot]!, datagram]
  }

  #arm(index: number): void {
    const peer = this.peers[index]!
    const at: Instant = peer.follower.member.deadline()
    if (at >= peer.armedAt && peer.armedAt > this.now) return
    peer.armedAt = at
    if (at !== Number.POSITIVE_INFINITY) this.#events.push(Math.max(at, this.now), EVENT.TICK, index)
  }
}

/** @throws Error where the crowd does not settle */
export function runCrowd(options: CrowdOptions): CrowdResult {
  const { members, flash, changes, seconds } = options
  const crowd = new Crowd(options)
  const step = FLASH_MS / flash
  const joinAll = (count: number) => {
    for (let i = 0; i < count; i++) {
      crowd.join()
      crowd.runUntil(crowd.now + step)
    }
  }
  joinAll(flash)
  while (crowd.registered < flash && crowd.now < PATIENCE_MS) crowd.runUntil(crowd.now + 10)
  const [registered, lastRegistered] = [crowd.registered, crowd.now]
  crowd.settle()
  const settled = crowd.now
  const flashTraffic = crowd.traffic()
  joinAll(members - flash)
  crowd.settle()
  crowd.traffic()
  crowd.reach.times.length = 0
  crowd.cpu = 0
  const end = crowd.now + 1_000 * seconds
  while (crowd.now < end) {
    // In this order: a list that is full has room again.
    crowd.leave()
    crowd.runUntil(crowd.now + 500 / changes)
    crowd.join()
    crowd.runUntil(crowd.now + 500 / changes)
  }
  const traffic = crowd.traffic()
  const { cpu } = crowd
  crowd.settle()
  const reach = [...crowd.reach.times].sort((a, b) => a - b)
  const { lost } = crowd
  return { registered, lost, lastRegistered, settled, reach, flashTraffic, traffic, seconds, cpu }
}

const USAGE =
  'usage: npm run crowd -- [--members N] [--flash N] [--changes N] [--seconds N] [--offers N] [--rtt MS] [--loss PERCENT] [--seed N]'

export function showCrowd(argv: readonly string[], print: (line: string) => void): void {
  const options = readArguments(argv)
  const { members, flash, changes, seconds, roundTrip, loss } = options
  print(`${members} members, ${roundTrip} ms, ${100 * loss} % loss; ${flash} of them join in ${FLASH_MS / 1_000} s`)
  const result = runCrowd(options)
  const { registered, lost, lastRegistered, settled, reach, flashTraffic, traffic, cpu } = result
  print(
    `${registered} registered, the last after ${time(lastRegistered)}; all with the same list after ${time(settled)}`,
  )
  print(`  the manager sent ${flashTraffic.sent} datagrams, ${flashTraffic.most} at most in a second`)
  if (lost > 0) print(`${lost} members were lost`)
  print(`then ${changes} joins and ${changes} leaves a second for ${seconds} s`)
  const at = (share: number) => time(reach[Math.ceil(share * reach.length) - 1] ?? Number.NaN)
  print(`a change reached 99 % after ${at(0.5)} (half of the ${reach.length} versions), ${at(1)} (all)`)
  const each = (count: number) => Math.round(count / seconds)
  print(
    `  a second: ${each(traffic.sent)} datagrams sent, ${traffic.most} at most, ${((traffic.octets * 8) / seconds / 1e6).toFixed(1)} ` +
      `Mbit, ${each(traffic.received)} received, ${(cpu / seconds).toFixed()} ms of this computer's time`,
  )
}

function time(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(2)} s`
}

function readArguments(argv: readonly string[]): CrowdOptions {
  const string = { type: 'string' } as const
  const names = { members: string, flash: string, changes: string, seconds: string, offers: string }
  const read = () => {
    try {
      return parseArgs({ args: [...argv], options: { ...names, rtt: string, loss: string, seed: string } }).values
    } catch (error) {
      throw new UsageError(`${(error as Error).message.split('. ')[0]}; ${USAGE}`)
    }
  }
  const values = read()
  const number = (text: string | undefined, usual: number, least = 0) => {
    const value = text === undefined ? usual : Number(text)
    if (value >= least && Number.isFinite(value)) return value
    throw new UsageError(`not a number: '${text}'; ${USAGE}`)
  }
  const members = Math.round(number(values.members, 10_000, 1))
  return {
    members,
    flash: Math.min(members, Math.round(number(values.flash, 5_000, 1))),
    changes: number(values.changes, 50, 1),
    seconds: Math.round(number(values.seconds, 20, 1)),
    offers: Math.min(16, Math.round(number(values.offers, 0))),
    roundTrip: number(values.rtt, 40),
    loss: Math.min(0.5, number(values.loss, 1) / 100),
    seed: Math.round(number(values.seed, 1)),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    showCrowd(process.argv.slice(2), line => console.log(line))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(error.message)
    process.exitCode = error.exitCode
  }
}
