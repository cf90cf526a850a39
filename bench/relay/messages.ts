// What the bench and its relay process say to one another: one request, one reply, in order.
import type { ComputerSettings, DataCounts, NetworkSettings } from './emulated-network.js'
import type { FlowCounts } from './flow.js'

export type RelayRequest =
  /** Takes a place in the network for each process. @param ports their own, on loopback */
  | { readonly kind: 'open'; readonly ports: readonly number[] }
  /** Makes a network device for each place, which then can be moved into a namespace. @param names of the devices */
  | { readonly kind: 'open-devices'; readonly names: readonly string[] }
  /** Puts these links in place of those before; what was under way arrives at once, and counting starts anew. */
  | { readonly kind: 'shape'; readonly settings: NetworkSettings; readonly data: DataKind; readonly luck: Luck }
  /** Gives the links that are there other rates and queues. */
  | { readonly kind: 'change'; readonly computers: readonly ComputerSettings[] }
  /** Counting starts anew; links and what is under way stay as they are. */
  | { readonly kind: 'count-anew' }
  | { readonly kind: 'count' }

/** How data is told from what steers it: by the tag of a CHUNK, or, where nothing is known of the protocol, by size. */
export type DataKind = 'chunks' | 'large'

/** Where chance comes from: the same seed and label, the same losses. */
export interface Luck {
  readonly seed: number
  readonly label: string
}

export type RelayReply =
  /** @param ports under which the others see each process, in the order of the request */
  | { readonly kind: 'opened'; readonly ports: readonly number[] }
  | { readonly kind: 'devices-opened' }
  | { readonly kind: 'shaped' }
  | { readonly kind: 'changed' }
  | { readonly kind: 'counting-anew' }
  | { readonly kind: 'counted'; readonly counts: RelayCounts }
  | { readonly kind: 'failed'; readonly why: string }

export interface RelayCounts {
  readonly data: DataCounts
  readonly flow: FlowCounts
  /** Milliseconds; undefined where no data passed. */
  readonly wait: Quantiles | undefined
  /** What probes beside the data waited in queues, to and fro; undefined where none came back. */
  readonly ping: Quantiles | undefined
  /** How much later than due the relay itself sent. */
  readonly lateness: Quantiles | undefined
  /** Datagrams that came while the relay's own sockets were full, so that it never saw them; undefined where the system doesn't say. */
  readonly overruns: number | undefined
}

/** Milliseconds. */
export interface Quantiles {
  readonly median: number
  readonly p95: number
  readonly p99: number
}
