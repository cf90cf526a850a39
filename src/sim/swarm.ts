// Makes the world that a plan describes: computers, their files, and everything that will happen to them.

import type { Endpoint } from '../endpoint.js'
import { unreachable } from '../errors.js'
import { ManagerHost } from '../host/manager-host.js'
import { PeerHost } from '../host/peer-host.js'
import { after, instant } from '../units.js'
import { DATAGRAM_BYTES_MAX } from '../wire/layout.js'
import type { StoredFile } from './disk.js'
import { IP_UDP_BYTES } from './link.js'
import { type MemoryFile, memoryFile } from './memory-file.js'
import { type CollectorPlan, type ComputerPlan, MTU_MAX, type PeerPlan, type Plan } from './plan.js'
import { SeededRandom } from './random.js'
import type { Station } from './station.js'
import type { HostFactory, StationOptions } from './surroundings.js'
import type { Watcher } from './trace.js'
import { World } from './world.js'

export interface Swarm {
  readonly plan: Plan
  readonly world: World
  readonly versions: Versions
  readonly manager: Station
  /** In the order of the plan. */
  readonly peers: readonly Station[]
  readonly collector: Station
  /** In the order of the plan. */
  readonly rivals: readonly Station[]
}

/** The two versions of the file that are in the swarm. */
export interface Versions {
  readonly current: MemoryFile
  readonly stale: MemoryFile
}

const FILE_NAME = 'shared_file.txt'
const RECEIVE_BUFFER = 4 * 1024 * 1024
const MANAGER = { address: '10.0.0.1', port: 5000 }
const collectorEndpoint = (i: number): Endpoint => ({ address: `10.0.2.${i + 1}`, port: 5001 })
const peerEndpoint = (i: number): Endpoint => ({ address: `10.0.1.${i + 1}`, port: 4000 })

export function makeSwarm(plan: Plan, watchers: readonly Watcher[]): Swarm {
  // A mutated PULL may ask for more than the collector did.
  const collectors = [plan.collector, ...plan.rivals]
  const longestOf = (computers: readonly PeerPlan[]) => Math.max(...computers.map(datagramMaxOf))
  const longest = Math.min(longestOf([...plan.peers, ...collectors]), longestOf(collectors))
  const datagramBytesMax = plan.isMutating ? DATAGRAM_BYTES_MAX : longest
  const world = new World({ seed: plan.seed, watchers, datagramBytesMax })
  const versions = versionsOf(plan)
  const makeManager: HostFactory = ({ random, digests }) => new ManagerHost({ random, digests })
  const manager = world.addHost('manager', makeManager, optionsOf(plan.manager, MANAGER))
  const peers = plan.peers.map((peer, i) => addPeer(world, peer, peerEndpoint(i), versions))
  const [collector, ...rivals] = collectors.map((one, i) => addPeer(world, one, collectorEndpoint(i), versions, one))
  const swarm = { plan, world, versions, manager, peers, collector: collector!, rivals }
  scriptFaults(swarm)
  return swarm
}

function addPeer(
  world: World,
  plan: PeerPlan,
  endpoint: Endpoint,
  versions: Versions,
  collect?: CollectorPlan,
): Station {
  const holding = holdingOf(plan, versions, new SeededRandom(world.seed, `damage/${plan.name}`))
  const files = holding === undefined ? [] : [{ offer: holding.file.offer, tree: holding.file.tree }]
  const ownFile = holding === undefined ? undefined : 0
  const factory: HostFactory = ({ random, digests, now }) =>
    new PeerHost(
      {
        manager: MANAGER,
        ttl: plan.ttl,
        uploadLimit: plan.uploadLimit,
        downloadLimit: collect?.downloadLimit,
        files,
        datagramMax: datagramMaxOf(plan),
        ...(collect === undefined ? {} : { collect: { name: FILE_NAME, once: collect.once, ownFile } }),
        receiveBuffer: RECEIVE_BUFFER,
        wait: false,
        random,
        digests,
      },
      now,
    )
  const stored = holding === undefined ? [] : [holding.stored]
  return world.addHost(plan.name, factory, { ...optionsOf(plan, endpoint), files: stored })
}

/** UDP payload of the longest datagram that its interface carries. */
function datagramMaxOf({ mtu }: PeerPlan): number {
  return Math.min(DATAGRAM_BYTES_MAX, mtu - IP_UDP_BYTES)
}

function optionsOf(plan: ComputerPlan, endpoint: Endpoint): StationOptions {
  const { joins, up, down, disk, clock, spuriousTicks } = plan
  return { endpoint, starts: joins, up, down, disk, clock, spuriousTicks, receiveBuffer: RECEIVE_BUFFER }
}

function versionsOf({ seed, size }: Plan): Versions {
  const random = new SeededRandom(seed, 'content')
  const content = random.octets(size)
  const isEdited = size > 0 && random.chance(0.5)
  const older = isEdited ? damaged(content, random) : random.octets(1 + random.below(size + 1))
  return { current: memoryFile(FILE_NAME, content), stale: memoryFile(FILE_NAME, older) }
}

interface HeldFile {
  readonly file: MemoryFile
  readonly stored: StoredFile
}

function holdingOf({ holding }: PeerPlan, { current, stale }: Versions, random: SeededRandom): HeldFile | undefined {
  const { content, tree } = current
  switch (holding) {
    case 'none':
      return undefined
    case 'whole':
      return { file: current, stored: current }
    case 'stale':
      return { file: stale, stored: stale }
    case 'rotten':
      return { file: current, stored: { content: damaged(content, random), tree } }
    case 'lying':
      return { file: current, stored: { content: damaged(content, random), tree: undefined } }
    default:
      return unreachable(holding)
  }
}

/** The same size with a few other octets; an empty file stays as it is. */
function damaged(content: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = content.slice()
  for (let i = 1 + random.below(4); i > 0 && copy.length > 0; i--) {
    copy[random.below(copy.length)]! ^= 1 + random.below(255)
  }
  return copy
}

function scriptFaults({ plan, world, manager, peers, collector, rivals }: Swarm): void {
  const stations = [manager, ...peers, collector, ...rivals]
  const members = [...plan.peers, plan.collector, ...plan.rivals]
  for (const [i, computer] of [plan.manager, ...members].entries()) {
    const station = stations[i]!
    scriptEnding(world, station, computer)
    for (const { at, length } of computer.pauses) {
      world.at(at, () => station.pause())
      world.at(after(at, length), () => station.resume())
    }
  }
  for (const [i, { narrows, up, down }] of members.entries()) {
    if (narrows === undefined) continue
    const station = stations[i + 1]!
    world.at(narrows, () => {
      station.up.change({ mtu: up.mtu || MTU_MAX })
      station.down.change({ mtu: down.mtu || MTU_MAX })
    })
  }
  const named = (names: readonly string[]) => stations.filter(station => names.includes(station.name))
  for (const { at, length, some, others } of plan.cuts) {
    world.at(at, () => {
      const heal = world.cut(named(some), named(others))
      world.at(after(at, length), heal)
    })
  }
}

function scriptEnding(world: World, station: Station, { ending, joins }: ComputerPlan): void {
  if (ending.kind === 'stays') return
  const at = instant(Math.max(ending.at, joins + 1))
  switch (ending.kind) {
    case 'leaves':
      world.at(at, () => station.step({ kind: 'stop' }))
      break
    case 'killed':
      world.at(at, () => station.kill())
      break
    case 'hangs':
      world.at(at, () => station.pause())
      break
    case 'restarts':
      world.at(at, () => station.kill())
      world.at(after(at, ending.after), () => station.start())
  }
}
