// Whether a collector's outcome is right. Success is right when every octet is. A failure is right when something that
// was planned, or what the manager said, explains it: as long as one steady source is there, the file must arrive.
import { type Endpoint, sameEndpoint } from '../endpoint.js'
import { unreachable } from '../errors.js'
import type { HostEvent } from '../host/contract.js'
import type { TransferFailure, TransferResult } from '../transfer/report.js'
import type { Instant } from '../units.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import type { LinkSettings } from './link.js'
import type { MemoryFile } from './memory-file.js'
import type { ComputerPlan, PeerPlan, Plan, Span } from './plan.js'
import type { Station } from './station.js'
import type { Swarm } from './swarm.js'

export type Outcome =
  | { readonly kind: 'identical'; readonly result: TransferResult; readonly at: Instant }
  | {
      readonly kind: 'failed'
      readonly result: TransferResult
      readonly failure: TransferFailure
      readonly at: Instant
    }
  /** The collector has stopped, or found nothing to collect. */
  | { readonly kind: 'none' }

/** Pauses and cuts that last longer than this in all may cost a source its place. */
const DISTURBANCE_MAX_MS = 1_000
/** A source that was listed for so long before a failure could have given what was missing. */
const FAIR_CHANCE_MS = 3_000

/** Above this share of questions to the manager that go without an answer, a few in a row are no wonder. */
const UNANSWERED_MAX = 0.2
const CHUNK_BYTES = 1_444
const MS_PER_SECOND = 1_000

export function outcomeOf({ events }: Station): Outcome {
  for (const { at, event } of events) {
    if (event.kind !== 'result') continue
    const { result } = event
    return result.failure === undefined
      ? { kind: 'identical', result, at }
      : { kind: 'failed', result, failure: result.failure, at }
  }
  return { kind: 'none' }
}

/** @returns what is wrong with the outcome; undefined if it is right */
export function judge(swarm: Swarm, outcome: Outcome): string | undefined {
  switch (outcome.kind) {
    case 'identical':
      return judgeFile(swarm, outcome.result) ?? judgeFragments(outcome.result)
    case 'failed':
      return judgeUnfinished(swarm) ?? judgeFailure(swarm, outcome.failure, outcome.result.root, outcome.at)
    case 'none':
      return judgeUnfinished(swarm) ?? judgeSilence(swarm)
    default:
      return unreachable(outcome)
  }
}

function judgeFile({ versions, collector }: Swarm, { root, bytes }: TransferResult): string | undefined {
  const version = versionOf(versions, root)
  const { target } = collector.disk
  if (version === undefined) return 'the result names a root that nobody offers'
  if (bytes !== version.content.length) return `the result says ${bytes} of ${version.content.length} octets`
  if (!target?.isFinished) return 'the result says identical, and the target is not finished'
  return isSame(target.content, version.content) ? undefined : 'the result says identical, and the octets differ'
}

/** A chunk that lies across two fragments counts to one of them. */
function judgeFragments({ fragments, bytes }: TransferResult): string | undefined {
  const accounted = fragments.map(({ sources, localBytes }) => localBytes + sum(sources.map(source => source.bytes)))
  const total = sum(fragments.map(fragment => fragment.bytes))
  if (total !== bytes) return `the fragments hold ${total} of ${bytes} octets`
  if (sum(accounted) !== bytes) return `the fragments account for ${sum(accounted)} of ${bytes} octets`
  const wrong = fragments.find((fragment, i) => Math.abs(fragment.bytes - accounted[i]!) > CHUNK_BYTES)
  return wrong && `fragment ${wrong.index} of ${wrong.bytes} octets accounts for ${accounted[wrong.index]}`
}

/** Even where a transfer fails, no wrong block is written and nothing gets the target's name. */
function judgeUnfinished({ versions, collector }: Swarm): string | undefined {
  const { target } = collector.disk
  const root = chosenBy(collector)?.event.offer.root
  if (target === undefined) return undefined
  if (target.isFinished) return 'there is no success, and the target is finished'
  const version = root === undefined ? undefined : versionOf(versions, root)
  if (version === undefined) return target.written.size === 0 ? undefined : 'blocks of an unknown file are written'
  for (const block of target.written) {
    const [start, end] = [block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES]
    if (!isSame(target.content.subarray(start, end), version.content.subarray(start, end))) {
      return `block ${block} is written with wrong octets`
    }
  }
  return undefined
}

function judgeFailure(swarm: Swarm, { kind, detail }: TransferFailure, root: Uint8Array, at: Instant) {
  const wrong = (why: string) => `'${kind}' (${detail}), ${why}`
  switch (kind) {
    case 'incomplete':
    case 'no-offer': {
      const steady = steadySources(swarm, root, at)
      return steady.length === 0 ? undefined : wrong(`though these were there: ${steady.join(', ')}`)
    }
    case 'other-part':
      return wrong('and there was no earlier run')
    case 'disk':
      return swarm.collector.disk.settings.failing === 'none' ? wrong('and the disk is sound') : undefined
    case 'interrupted':
      return mayEnd(swarm, at) ? undefined : wrong('and nobody interrupted it')
    case 'not-identical':
      return wrong('though every block was verified')
    default:
      return unreachable(kind)
  }
}

function judgeSilence(swarm: Swarm): string | undefined {
  const { plan, collector, world } = swarm
  if (hasVanished(plan.collector, world.now)) return undefined
  const chosen = chosenBy(collector)
  if (chosen !== undefined) return `no result of the transfer that began at ${chosen.at.toFixed()} ms`
  if (collector.isRunning) {
    const roots = [swarm.versions.current, swarm.versions.stale].map(version => version.tree.root)
    const steady = roots.flatMap(root => steadySources(swarm, root, world.now))
    return steady.length === 0 ? undefined : `nothing chosen, though these were there: ${steady.join(', ')}`
  }
  if (mayEnd(swarm, world.now)) return undefined
  return `the collector stopped (${collector.stopReason}) for no reason`
}

/** Who could have given the whole file: honest, running, listed for a while before `at`, and hardly disturbed. */
function steadySources(swarm: Swarm, root: Uint8Array, at: Instant): readonly string[] {
  const { plan, versions, manager, peers } = swarm
  const version = versionOf(versions, root)
  // A mutated datagram that the checksum lets pass can make an honest peer look like a liar.
  if (version === undefined || plan.isMutating) return []
  const holds = ({ holding, disk }: PeerPlan) => {
    const isIt =
      (holding === 'whole' && version === versions.current) || (holding === 'stale' && version === versions.stale)
    return isIt && !disk.readFailures
  }
  const steady = plan.peers.filter((peer, i) => {
    const station = peers[i]!
    const isThere = station.isRunning && !isGoing(peer, at) && isListed(manager, station.endpoint, at)
    return holds(peer) && isThere && disturbanceOf(plan, [peer, plan.collector, plan.manager], at) <= DISTURBANCE_MAX_MS
  })
  return [...steady, plan.collector].filter(holds).map(({ name }) => name)
}

/** Whether the manager's list held one and the same member at `endpoint` all the while before `at`. */
function isListed({ events }: Station, endpoint: Endpoint, at: Instant): boolean {
  let sessions = new Set<bigint | undefined>()
  for (const { at: listed, event } of events) {
    if (event.kind !== 'list' || listed > at) continue
    const session = event.peers.find(peer => sameEndpoint(peer.endpoint, endpoint))?.session
    sessions = listed <= at - FAIR_CHANCE_MS ? new Set([session]) : sessions.add(session)
  }
  return sessions.size === 1 && !sessions.has(undefined)
}

/** Who says goodbye is gone for its collectors before it has stopped. */
function isGoing({ ending, joins, ttl }: PeerPlan, at: Instant): boolean {
  const isOver = (ending.kind === 'hangs' || ending.kind === 'leaves') && ending.at <= at
  return isOver || (ttl > 0 && joins + ttl * MS_PER_SECOND <= at)
}

/** Who was killed or hangs says nothing any more. */
function hasVanished({ ending }: PeerPlan, at: Instant): boolean {
  return (ending.kind === 'killed' || ending.kind === 'hangs') && ending.at <= at
}

/** Milliseconds before `at` in which one of the computers stood still, or was cut off from another of them. */
function disturbanceOf(plan: Plan, computers: readonly ComputerPlan[], at: Instant): number {
  const names = computers.map(({ name }) => name)
  const cuts = plan.cuts.filter(({ some, others }) => {
    return names.some(a => some.includes(a) && names.some(b => b !== a && others.includes(b)))
  })
  const spans: readonly Span[] = [...computers.flatMap(({ pauses }) => pauses), ...cuts]
  return sum(spans.map(({ at: start, length }) => Math.max(0, Math.min(length, at - start))))
}

function hasTroubleWithManager({ plan, manager }: Swarm, at: Instant): boolean {
  const wasKilled = manager.life > 1 || !manager.isRunning
  const disturbance = disturbanceOf(plan, [plan.manager, plan.collector], at)
  return wasKilled || plan.isMutating || unansweredOf(plan) > UNANSWERED_MAX || disturbance > DISTURBANCE_MAX_MS
}

/** Share of the collector's exchanges with the manager that lose a datagram. */
function unansweredOf({ manager, collector }: Plan): number {
  const arriving = (links: readonly Partial<LinkSettings>[]) =>
    links.reduce((share, { loss = 0, corruption = 0 }) => share * (1 - loss) * (1 - corruption), 1)
  return 1 - arriving([manager.up, manager.down, collector.up, collector.down])
}

/** Whether something that the collector can't help ends it. */
function mayEnd(swarm: Swarm, at: Instant): boolean {
  return hasTtl(swarm) || isGoing(swarm.plan.collector, at) || hasTroubleWithManager(swarm, at)
}

function hasTtl({ plan }: Swarm): boolean {
  return plan.collector.ttl > 0
}

function chosenBy({ events }: Station) {
  return events.find(
    (entry): entry is { at: Instant; event: HostEvent & { kind: 'chosen' } } => entry.event.kind === 'chosen',
  )
}

function versionOf({ current, stale }: Swarm['versions'], root: Uint8Array): MemoryFile | undefined {
  return [current, stale].find(version => isSame(version.tree.root, root))
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
