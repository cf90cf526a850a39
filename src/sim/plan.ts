// What a seed means: who is in the swarm, what each will do and suffer. Plain data, drawn before anything runs, so that
// a failure can show it and the oracle can look things up in it.
import { type Instant, instant, type Milliseconds, ms } from '../units.js'
import { BLOCK_BYTES, CHUNK_BYTES_MIN } from '../wire/layout.js'
import type { ClockSettings } from './clock.js'
import type { DiskSettings } from './disk.js'
import type { LinkSettings } from './link.js'
import { SeededRandom } from './random.js'

/**
 * What a peer has under the name of the file. `stale`: another version, offered as what it is. `rotten`: it has changed on
 * the disk since it was offered, and the driver notices. `lying`: the same, and nobody notices at that peer.
 */
export type Holding = 'whole' | 'stale' | 'rotten' | 'lying' | 'none'

export interface Span {
  readonly at: Instant
  readonly length: Milliseconds
}

export type Ending =
  | { readonly kind: 'stays' }
  /** `hangs`: its process never gets time again. */
  | { readonly kind: 'leaves' | 'killed' | 'hangs'; readonly at: Instant }
  | { readonly kind: 'restarts'; readonly at: Instant; readonly after: Milliseconds }

export interface ComputerPlan {
  readonly name: string
  readonly joins: Instant
  readonly ending: Ending
  /** Times in which its process gets no time. */
  readonly pauses: readonly Span[]
  readonly up: Partial<LinkSettings>
  readonly down: Partial<LinkSettings>
  readonly disk: Partial<DiskSettings>
  readonly clock: Partial<ClockSettings>
  readonly spuriousTicks: number
}

export interface PeerPlan extends ComputerPlan {
  readonly holding: Holding
  /** Seconds; 0 = none. */
  readonly ttl: number
  /** kbit/s of all its uploads; undefined = no limit. */
  readonly uploadLimit: number | undefined
  /** Octets of an IP packet that its own interface carries. */
  readonly mtu: number
  /** From then on its links carry no more than `MTU_MAX`, whatever its interface does. */
  readonly narrows: Instant | undefined
}

export interface CollectorPlan extends PeerPlan {
  readonly once: boolean
  /** kbit/s that it asks all peers together for; undefined = no limit. */
  readonly downloadLimit: number | undefined
}

/** Each of some computers is cut off from each of others, both ways. */
export interface CutPlan extends Span {
  readonly some: readonly string[]
  readonly others: readonly string[]
}

export interface Plan {
  readonly seed: number
  readonly size: number
  /** Whether mutated datagrams get past the checksum now and then. */
  readonly isMutating: boolean
  readonly manager: ComputerPlan
  readonly peers: readonly PeerPlan[]
  readonly collector: CollectorPlan
  /** They collect the same file, and serve each other and the collector. */
  readonly rivals: readonly CollectorPlan[]
  readonly cuts: readonly CutPlan[]
}

/** In this time everyone joins, and faults begin; a transfer without faults takes about as long. */
const EARLY_MS = 3_000
const PAUSE_MAX_MS = 3_000
const CUT_MAX_MS = 4_000
/** Nothing is planned for later than this, but what a TTL brings. */
export const PLAN_END = instant(2 * EARLY_MS + CUT_MAX_MS)
const SIZES = [0, 1, CHUNK_BYTES_MIN, BLOCK_BYTES, BLOCK_BYTES + 1]
const SIZE_MAX = 1_500_000
const PEERS_MAX = 16
const RIVALS_MAX = 3
/** From what IPv6 promises (RFC 8200, section 5) up to an Ethernet frame. */
const MTU_MIN = 1_280
export const MTU_MAX = 1_500
/** Of interfaces: Ethernet, its jumbo frames, Linux's loopback. */
const MTUS = [MTU_MAX, MTU_MAX, 9_000, 65_536]
/** Links of an interface beyond Ethernet are so much faster and shorter than others: long datagrams are for such. */
const LOCAL_GAIN = 20

export function planOf(seed: number): Plan {
  const random = new SeededRandom(seed, 'plan')
  const faults: Faults = {
    intensity: random.pick([0, 0.2, 0.5, 1]),
    isMutating: random.chance(0.25),
  }
  const peers = Array.from({ length: 1 + random.below(PEERS_MAX) }, (_, i) =>
    planPeer(random.fork(`peer ${i}`), `peer${i + 1}`, faults),
  )
  const rivals = planRivals(random.fork('rivals'), faults)
  const names = ['manager', 'collector', ...[...peers, ...rivals].map(({ name }) => name)]
  return {
    seed,
    size: random.chance(0.3) ? random.pick(SIZES) : random.below(SIZE_MAX),
    isMutating: faults.isMutating,
    manager: planManager(random.fork('manager'), faults),
    peers,
    collector: planCollector(random.fork('collector'), 'collector', faults),
    rivals,
    cuts: planCuts(random.fork('cuts'), faults, names),
  }
}

interface Faults {
  /** 0 to 1. */
  readonly intensity: number
  readonly isMutating: boolean
}

function planComputer(random: SeededRandom, name: string, faults: Faults): ComputerPlan {
  return {
    name,
    joins: instant(0),
    ending: { kind: 'stays' },
    pauses: random.chance(0.15 * faults.intensity) ? [planSpan(random, PAUSE_MAX_MS)] : [],
    up: planLink(random, faults),
    down: planLink(random, faults),
    disk: { delay: ms(random.between(0, 2)), jitter: ms(random.between(0, 10) * faults.intensity) },
    clock: { ahead: ms(random.between(1, 1e7)), drift: random.between(-100, 100), late: 0.1 * faults.intensity },
    spuriousTicks: random.pick([0, 0.5]),
  }
}

function planManager(random: SeededRandom, faults: Faults): ComputerPlan {
  const killed = { at: planInstant(random), after: ms(random.between(10, 2_000)) }
  const isKilled = random.chance(0.15 * faults.intensity)
  const restarts = random.chance(0.5)
  const ending: Ending = restarts ? { kind: 'restarts', ...killed } : { kind: 'killed', at: killed.at }
  const computer = planComputer(random, 'manager', faults)
  return { ...computer, ending: isKilled ? ending : computer.ending }
}

function planPeer(random: SeededRandom, name: string, faults: Faults): PeerPlan {
  const computer = planComputer(random, name, faults)
  return {
    ...computer,
    joins: instant(random.between(0, EARLY_MS / 3)),
    ending: planEnding(random, faults),
    holding: random.chance(0.75) ? 'whole' : random.pick(['stale', 'rotten', 'lying', 'none'] as const),
    ttl: random.chance(0.25) ? 1 + random.below(6) : 0,
    uploadLimit: random.chance(0.1) ? random.between(1_000, 20_000) : undefined,
    disk: { ...computer.disk, readFailures: random.chance(0.05) ? 0.05 : 0 },
    ...planMtu(random.fork('mtu'), computer, faults),
  }
}

function planCollector(random: SeededRandom, name: string, faults: Faults): CollectorPlan {
  const computer = planComputer(random, name, faults)
  return {
    ...computer,
    joins: instant(random.between(0, EARLY_MS / 2)),
    holding: random.pick(['none', 'none', 'whole', 'rotten', 'stale'] as const),
    ttl: random.chance(0.05) ? 2 + random.below(6) : 0,
    uploadLimit: undefined,
    disk: {
      ...computer.disk,
      failing: random.chance(0.04) ? random.pick(['prepare', 'write', 'finish'] as const) : 'none',
    },
    once: random.chance(0.5),
    downloadLimit: random.chance(0.1) ? random.between(1_000, 20_000) : undefined,
    ...planMtu(random.fork('mtu'), computer, faults),
  }
}

/** Most swarms have one collector. Whoever else collects may end, as a peer may; who goes on later is a subject of its own. */
function planRivals(random: SeededRandom, faults: Faults): readonly CollectorPlan[] {
  const count = random.chance(0.4) ? 1 + random.below(RIVALS_MAX) : 0
  return Array.from({ length: count }, (_, i) => {
    const collector = planCollector(random.fork(`rival ${i}`), `rival${i + 1}`, faults)
    const ending = planEnding(random, faults)
    return ending.kind === 'restarts' ? collector : { ...collector, ending }
  })
}

type MtuPlan = Pick<PeerPlan, 'mtu' | 'narrows' | 'up' | 'down'>

function planMtu(random: SeededRandom, { up, down }: ComputerPlan, { intensity }: Faults): MtuPlan {
  const mtu = random.pick(MTUS)
  const narrowsFromStart = random.chance(0.2) ? instant(0) : undefined
  const narrows = random.chance(0.3 * intensity) ? planInstant(random) : narrowsFromStart
  return mtu === MTU_MAX ? { mtu, narrows, up, down } : { mtu, narrows, up: local(up), down: local(down) }
}

function local(link: Partial<LinkSettings>): Partial<LinkSettings> {
  const { rate = 0, queue = 0, delay = 0 } = link
  return { ...link, rate: rate * LOCAL_GAIN, queue: queue * LOCAL_GAIN, delay: ms(delay / LOCAL_GAIN) }
}

function planEnding(random: SeededRandom, faults: Faults): Ending {
  const at = planInstant(random)
  if (!random.chance(0.1 + 0.4 * faults.intensity)) return { kind: 'stays' }
  const kind = random.pick(['leaves', 'killed', 'hangs', 'restarts'] as const)
  return kind === 'restarts' ? { kind, at, after: ms(random.between(5, 2_000)) } : { kind, at }
}

function planCuts(random: SeededRandom, faults: Faults, names: readonly string[]): readonly CutPlan[] {
  if (!random.chance(0.3 * faults.intensity)) return []
  return Array.from({ length: 1 + random.below(3) }, () => ({
    ...planSpan(random, CUT_MAX_MS),
    some: names.filter(() => random.chance(0.25)),
    others: random.chance(0.5) ? names : names.filter(() => random.chance(0.5)),
  }))
}

/** Rates and queues that a real access link has, times the faults. One way, both links together lose up to a fifth. */
function planLink(random: SeededRandom, { intensity, isMutating }: Faults): Partial<LinkSettings> {
  const upTo = (most: number, share: number) => (random.chance(share) ? random.uniform() * most * intensity : 0)
  return {
    rate: 5 * 100 ** random.uniform(),
    queue: 20_000 * 25 ** random.uniform(),
    delay: ms(random.between(0, 50)),
    jitter: ms(upTo(10, 0.5)),
    loss: upTo(0.1, 0.7),
    burst: random.chance(0.3) ? random.between(1, 6) : 1,
    duplication: upTo(0.05, 0.5),
    reordering: upTo(0.05, 0.5),
    corruption: upTo(0.02, 0.5),
    undetected: isMutating ? 0.5 : 0,
    truncation: isMutating ? upTo(0.01, 0.5) : 0,
    mtu: random.chance(0.1 * intensity) ? MTU_MIN + random.below(MTU_MAX - MTU_MIN) : 0,
  }
}

function planSpan(random: SeededRandom, lengthMax: number): Span {
  return { at: planInstant(random), length: ms(random.between(5, lengthMax)) }
}

function planInstant(random: SeededRandom): Instant {
  return instant(random.between(0, EARLY_MS) + random.between(0, EARLY_MS))
}
