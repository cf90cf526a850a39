// What a station is made from, and what it asks of the world around it.
import type { Digests, Random } from '../ambient.js'
import type { Endpoint } from '../endpoint.js'
import type { Host, HostEvent, Input } from '../host/contract.js'
import type { Instant } from '../units.js'
import type { SendBatch } from '../wire/batch.js'
import type { ClockSettings } from './clock.js'
import type { DatagramPool } from './datagram-pool.js'
import type { DiskSettings, StoredFile } from './disk.js'
import type { LinkSettings } from './link.js'
import type { Station } from './station.js'

/** What a host is made from; `now` is the station's own clock. */
export interface Environment {
  readonly random: Random
  readonly digests: Digests
  readonly now: Instant
}
export type HostFactory = (environment: Environment) => Host

export interface StationOptions {
  readonly endpoint: Endpoint
  /** When its host starts; at once where not given. */
  readonly starts?: Instant
  readonly files?: readonly StoredFile[]
  readonly disk?: Partial<DiskSettings>
  readonly up?: Partial<LinkSettings>
  readonly down?: Partial<LinkSettings>
  readonly clock?: Partial<ClockSettings>
  /** Octets that the kernel holds between two wake-ups. */
  readonly receiveBuffer?: number
  /** Share of needless wake-ups that the host gets as ticks all the same. */
  readonly spuriousTicks?: number
}

/** What a station asks of the world around it. */
export interface Surroundings {
  readonly now: Instant
  readonly pool: DatagramPool
  readonly digests: Digests
  readonly stations: readonly Station[]
  transmit(from: Station, batch: SendBatch): void
  planWake(station: Station, at: Instant): void
  planTick(station: Station, at: Instant): void
  /** Gives what `carryOut` returns to the host at `at`, unless that life of it has ended by then. */
  planAnswer(station: Station, at: Instant, carryOut: () => Input): void
  observe(station: Station, event: HostEvent): void
}
