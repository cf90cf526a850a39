// What the bench can measure: the command itself, and what else a user could pick.
import { UsageError } from '../src/errors.js'
import { IP_UDP_BYTES } from '../src/sim/link.js'
import { OPPONENTS } from './against/opponents.js'
import { OVERHEAD_BYTES } from './limit.js'
import type { BenchOptions } from './options.js'
import type { DataKind } from './relay/messages.js'
import type { Tone } from './report/svg.js'

/** Those that `--against` can name; kernel TCP needs namespaces, which add it. */
export const AGAINST = ['udx', 'utp'] as const
const KERNEL = ['tcp-bbr', 'tcp-cubic'] as const

export type Opposing = (typeof AGAINST)[number]
export type SystemName = 'peer-udp' | Opposing | (typeof KERNEL)[number]

export interface System {
  /** In charts. */
  readonly label: string
  /** Of OPPONENTS; undefined = the command itself. */
  readonly adapter: string | undefined
  /** The package that it needs. */
  readonly needs?: string
  /** As the kernel names it. */
  readonly congestionControl?: string
  /** Octets of a packet with data that are not the file's. */
  readonly overhead: number
  /** How the relay knows its data. */
  readonly data: DataKind
  readonly tone: Tone
}

/** IPv4, TCP, time stamps. */
const TCP_OVERHEAD = 20 + 20 + 12
/** Of udx and of uTP alike. */
const OVERHEAD_OF_20 = IP_UDP_BYTES + 20

export const SYSTEMS: Readonly<Record<SystemName, System>> = {
  'peer-udp': { label: 'peer-udp', adapter: undefined, overhead: OVERHEAD_BYTES, data: 'chunks', tone: 'blue' },
  udx: {
    label: 'udx-native',
    adapter: 'udx',
    needs: 'udx-native',
    overhead: OVERHEAD_OF_20,
    data: 'large',
    tone: 'orange',
  },
  utp: {
    label: 'utp-native',
    adapter: 'utp',
    needs: 'utp-native',
    overhead: OVERHEAD_OF_20,
    data: 'large',
    tone: 'purple',
  },
  'tcp-bbr': {
    label: 'TCP BBR',
    adapter: 'tcp',
    congestionControl: 'bbr',
    overhead: TCP_OVERHEAD,
    data: 'large',
    tone: 'green',
  },
  'tcp-cubic': {
    label: 'TCP CUBIC',
    adapter: 'tcp',
    congestionControl: 'cubic',
    overhead: TCP_OVERHEAD,
    data: 'large',
    tone: 'grey',
  },
}

/** In the order of the table. All but the command itself have one sender. */
export function systemsOf({ against, namespaces, peers }: BenchOptions): readonly SystemName[] {
  return ['peer-udp', ...against, ...(namespaces && peers === 1 ? KERNEL : [])]
}

/** @throws UsageError where a package is missing */
export async function checkSystems(options: BenchOptions): Promise<void> {
  for (const { needs } of systemsOf(options).map(name => SYSTEMS[name])) {
    if (needs === undefined) continue
    await import(needs).catch(() => {
      throw new UsageError(`--against needs the package ${needs}, which can't be loaded here: npm ci installs it`)
    })
  }
}

/** How each was made as fast as it can be, one line each. */
export function settingsOfOpponents(systems: readonly SystemName[]): readonly string[] {
  const adapters = new Set(systems.map(name => SYSTEMS[name].adapter))
  return [...adapters].flatMap(adapter => (adapter === undefined ? [] : [OPPONENTS[adapter]?.settings ?? adapter]))
}
