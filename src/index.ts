// The library: a manager or a peer in this process. No event comes before the promise of its node is fulfilled.

import { resolve } from 'node:path'
import { UsageError } from './errors.js'
import type { HostEvent } from './host/contract.js'
import { ManagerHost } from './host/manager-host.js'
import { PeerHost } from './host/peer-host.js'
import { type Node, type NodeOptions, startNode } from './library/node.js'
import { type Peer, RunningPeer } from './library/peer.js'
import { offersFit } from './membership/offers.js'
import { systemDigests, systemRandom } from './shell/entropy.js'
import { listenFor, resolveEndpoint, resolveHost } from './shell/names.js'
import { openShared, type SharedFile } from './shell/shared-file.js'
import { longestDatagram } from './shell/sockets/interface-mtu.js'
import type { Socket } from './shell/sockets/socket.js'
import { Target } from './shell/target.js'
import { TraceFile } from './shell/trace-file.js'
import type { Instant } from './units.js'
import { OFFERS_MAX, TTL_MAX_SECONDS } from './wire/layout.js'

export { type Endpoint, endpointKey } from './endpoint.js'
export { FileError, InvariantError, PortError, TraceFileError, UsageError } from './errors.js'
export type { HostEvent, StopReason } from './host/contract.js'
export type { Planned, PlannedPath } from './library/delivery.js'
export { ContentError, DeclinedError, PlanError, StoppedError, TransferError } from './library/errors.js'
export type { Fetching } from './library/fetching.js'
export type { GetEvent, GetOptions, Got } from './library/get.js'
export { identify, type ListedEntry, type Listing } from './library/look.js'
export type { Node } from './library/node.js'
export type { Peer, Shared } from './library/peer.js'
export type { Giver } from './library/provenance.js'
export type { SeedEnd } from './library/seeds.js'
export type { ShareOptions } from './library/share-options.js'
export type { Holder } from './library/survey.js'
export { type Held, ID_DIGITS_MIN } from './library/view.js'
export type { ListedPeer } from './membership/listed-peer.js'
export type { SocketKind } from './shell/sockets/socket.js'
export type * from './transfer/report.js'
export type { Instant } from './units.js'
export { ERROR_CODE, REASON } from './wire/layout.js'
export type { Offer } from './wire/message.js'

const MANAGER_LISTEN = '127.0.0.1'
const MANAGER_PORT = 5000
/** Where a timer comes in time no more of a rate need go out at once, milliseconds of it. */
const BURST_MS = 1
const MANAGER = `${MANAGER_LISTEN}:${MANAGER_PORT}`

export interface ManagerOptions extends NodeOptions {
  /** Address or name of an interface of this host. Loopback by default: the swarm is open to whoever reaches it. */
  readonly listen?: string
  /** 5000 by default; 0: any free one. */
  readonly port?: number
}

export interface PeerOptions extends NodeOptions {
  /** `HOST:PORT`, 127.0.0.1:5000 by default. */
  readonly manager?: string
  /** Any free one by default. */
  readonly port?: number
  /** By default loopback where the manager is there, otherwise every interface. */
  readonly listen?: string
  /** Seconds; 0 or undefined: until the manager closes. */
  readonly ttl?: number
  /** Paths of the files to offer. */
  readonly share?: readonly string[]
  /**
   * Fetches the file of that name to the path `out`; with `once` the peer leaves when it has it. What an earlier run left of
   * it is gone on with; of another content it is kept, and the transfer fails, unless `restart` drops it.
   */
  readonly collect?: {
    readonly name: string
    readonly out: string
    readonly once?: boolean
    readonly restart?: boolean
  }
  /** Bits a second that may be uploaded, and that may be collected; undefined: as fast as the paths carry. */
  readonly limit?: number
  /** Collects with what others leave of the links: it yields to them, rather than share. */
  readonly background?: boolean
  /** Waits for a manager for as long as it takes. */
  readonly wait?: boolean
  /** Path of a file for what a transfer does, line by line (spec/interface.md, "Trace"); one that is there is emptied. */
  readonly trace?: string
}

/** @throws UsageError; PortError where the port can't be had */
export async function createManager(options: ManagerOptions = {}): Promise<Node> {
  const port = checkPort(options.port ?? MANAGER_PORT)
  const { node } = await startNode(options, {
    address: await resolveHost(options.listen ?? MANAGER_LISTEN),
    port,
    disk: { digests: systemDigests },
    makeHost: () => new ManagerHost({ random: systemRandom(), digests: systemDigests }),
  })
  return node
}

/**
 * @throws UsageError; FileError where a shared file can't be read or the target not be made; TraceFileError where the trace
 * can't be written; PortError where the port can't be had
 */
export async function createPeer(options: PeerOptions = {}): Promise<Peer> {
  const port = checkPort(options.port ?? 0)
  const ttl = checkTtl(options.ttl ?? 0)
  const limit = options.limit === undefined ? undefined : kilobits(options.limit)
  const manager = await resolveEndpoint(options.manager ?? MANAGER)
  const address = options.listen === undefined ? listenFor(manager.address) : await resolveHost(options.listen)
  if (address.includes(':') !== manager.address.includes(':')) {
    throw new UsageError(`can't reach the manager at ${manager.address} from ${address}: one is IPv4, the other IPv6`)
  }
  const target = options.collect && (await targetOf(options.collect.out, options.share ?? []))
  const trace = await openTrace(options)
  const files = await openAll(options.share ?? []).catch(error => {
    trace?.close()
    throw error
  })
  try {
    if (!offersFit(files.map(file => file.offer))) {
      throw new UsageError(`${files.length} files with such long names don't fit into one registration`)
    }
    const parts = {
      address,
      port,
      disk: { digests: systemDigests, files, target },
      makeHost: (socket: Socket, start: Instant) =>
        new PeerHost(
          {
            manager,
            ttl,
            files: files.map(({ offer, tree }) => ({ offer, tree })),
            ...(options.collect && { collect: collectOf(options.collect, files) }),
            uploadLimit: limit,
            downloadLimit: limit,
            background: options.background ?? false,
            receiveBuffer: socket.receiveBuffer,
            blockMemory: socket.blockMemory,
            ...(socket.kind === 'batched' && { burst: BURST_MS }),
            datagramMax: Math.min(socket.maxDatagram, longestDatagram(socket.local.address, socket.kind)),
            wait: options.wait ?? false,
            random: systemRandom(),
            digests: systemDigests,
            trace: trace !== undefined,
          },
          start,
        ),
    }
    let peer: RunningPeer | undefined
    const onEvent = (event: HostEvent) => {
      peer?.onEvent(event)
      options.onEvent?.(event)
    }
    const { node, driver } = await startNode({ ...options, onEvent }, parts, trace)
    const offers = files.map(({ offer }) => offer)
    peer = new RunningPeer(node, driver, offers)
    return peer
  } catch (error) {
    trace?.close()
    await closeAll(files)
    throw error
  }
}

async function targetOf(out: string, shared: readonly string[]): Promise<Target> {
  if (shared.some(path => resolve(path) === resolve(out))) {
    throw new UsageError(`${out} is a shared file: collect to another path`)
  }
  return Target.at(out)
}

/** Before anything slow begins. What the peer reads and makes is not to be overwritten. */
async function openTrace({ trace, share = [], collect }: PeerOptions): Promise<TraceFile | undefined> {
  if (trace === undefined) return undefined
  const written = collect === undefined ? [] : ['', '.part', '.part.journal'].map(end => `${collect.out}${end}`)
  return TraceFile.open(trace, [...share, ...written])
}

/** One after the other: hashing keeps a core busy as it is. */
async function openAll(paths: readonly string[]): Promise<SharedFile[]> {
  if (paths.length > OFFERS_MAX)
    throw new UsageError(`${paths.length} files are too many: a peer offers ${OFFERS_MAX} at most`)
  const files: SharedFile[] = []
  try {
    for (const path of paths) files.push(await openShared(path, systemDigests))
    return files
  } catch (error) {
    await closeAll(files)
    throw error
  }
}

async function closeAll(files: readonly SharedFile[]): Promise<void> {
  for (const file of files) await file.close()
}

function collectOf({ name, once = false, restart }: NonNullable<PeerOptions['collect']>, files: readonly SharedFile[]) {
  const own = files.findIndex(file => file.offer.name === name)
  return { name, once, restart, ownFile: own === -1 ? undefined : own }
}

function checkPort(port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 0xffff) return port
  throw new UsageError(`${port} is not a port: a whole number from 1 to 65535`)
}

function checkTtl(seconds: number): number {
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= TTL_MAX_SECONDS) return seconds
  throw new UsageError(`${seconds} is not a TTL: a whole number of seconds up to ${TTL_MAX_SECONDS}`)
}

/** At least 1, the least that a PULL can ask for. */
function kilobits(bitsPerSecond: number): number {
  if (bitsPerSecond > 0) return Math.max(1, Math.floor(bitsPerSecond / 1000))
  throw new UsageError(`${bitsPerSecond} is not a limit: bits a second above 0`)
}
