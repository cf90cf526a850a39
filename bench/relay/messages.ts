// What the bench and its relay process say to one another: one request, one reply, in order.
import type { ComputerSettings, DataCounts, NetworkSettings } from './emulated-network.js'
import type { FlowCounts } from './flow.js'

export type RelayRequest =
  /** Takes a place in the network for each process. @param ports their own, on loopback */
  | { readonly kind: 'open'; readonly ports: readonly number[] }
  /** Puts these links in place of those before; what was under way arrives at once, and counting starts anew. */
  | { readonly kind: 'shape'; readonly settings: NetworkSettings; readonly luck: Luck }
  /** Gives the links that are there other rates and queues. */
  | { readonly kind: 'change'; readonly computers: readonly ComputerSettings[] }
  | { readonly kind: 'count' }

/** Where chance comes from: the same seed and label, the same losses. */
export interface Luck {
  readonly seed: number
  readonly label: string
}

export type RelayReply =
  /** @param ports under which the others see each process, in the order of the request */
  | { readonly kind: 'opened'; readonly ports: readonly number[] }
  | { readonly kind: 'shaped' }
  | { readonly kind: 'changed' }
  | { readonly kind: 'counted'; readonly counts: RelayCounts }

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
