// The way of a datagram: its sender's uplink, the hub, its receiver's downlink. Links decide about loss and delay; cuts
// between stations are made at the hub, after the uplink was paid.
import { type Endpoint, endpointKey } from '../endpoint.js'
import { assert, InvariantError } from '../errors.js'
import type { Instant } from '../units.js'
import type { SendBatch } from '../wire/batch.js'
import { CONTROL_BYTES_MAX, TAG, TAG_AT } from '../wire/layout.js'
import { DatagramPool } from './datagram-pool.js'
import { EVENT, type EventHeap } from './event-heap.js'
import { HARM, type Link } from './link.js'
import type { SeededRandom } from './random.js'
import type { Station } from './station.js'
import type { Trace } from './trace.js'

/** Above the number of stations: makes one key of two of them. */
const PAIR = 65_536
const NOWHERE = -1

export class Network {
  readonly pool = new DatagramPool()
  readonly #stations: readonly Station[]
  readonly #events: EventHeap
  readonly #trace: Trace
  readonly #random: SeededRandom
  readonly #datagramBytesMax: number
  readonly #byKey = new Map<string, Station>()
  /** The same, by the object itself: hosts use one endpoint object for many datagrams. */
  readonly #byEndpoint = new WeakMap<Endpoint, Station>()
  /** Pairs of stations that can't reach each other, and by how many cuts. */
  readonly #cuts = new Map<number, number>()

  constructor(
    stations: readonly Station[],
    events: EventHeap,
    trace: Trace,
    random: SeededRandom,
    datagramBytesMax: number,
  ) {
    this.#stations = stations
    this.#events = events
    this.#trace = trace
    this.#random = random
    this.#datagramBytesMax = datagramBytesMax
  }

  join(station: Station): void {
    const key = endpointKey(station.endpoint)
    assert(!this.#byKey.has(key), `two stations at ${key}`)
    this.#byKey.set(key, station)
  }

  /** Cuts each of `some` off from each of `others`, both ways. @returns undoes it, once */
  cut(some: readonly Station[], others: readonly Station[]): () => void {
    const pairs = some.flatMap(a =>
      others.filter(b => b !== a).flatMap(b => [pair(a.index, b.index), pair(b.index, a.index)]),
    )
    for (const key of pairs) this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1)
    return () => {
      for (const key of pairs.splice(0)) {
        const left = this.#cuts.get(key)! - 1
        if (left > 0) this.#cuts.set(key, left)
        else this.#cuts.delete(key)
      }
    }
  }

  send(from: Station, batch: SendBatch, now: Instant): void {
    for (let i = 0; i < batch.count; i++) {
      const endpoint = batch.to[i]!
      const to = this.#stationAt(endpoint)
      const slot = this.pool.takeFrom(batch, i, from.index, to?.index ?? NOWHERE)
      const data = this.pool.data[slot]!
      this.#trace.sent(now, from.endpoint, endpoint, data)
      this.#checkSize(from, slot, now)
      if (to === undefined) this.#drop(slot, 'no such address', now)
      else if (this.#carry(slot, from.up, EVENT.AT_HUB, now)) this.#record(slot, 'sent', now)
    }
  }

  onHub(slot: number, now: Instant): void {
    const [from, to] = [this.pool.from[slot]!, this.pool.to[slot]!]
    if (this.#cuts.size > 0 && this.#cuts.has(pair(from, to))) this.#drop(slot, 'cut off', now)
    else this.#carry(slot, this.#stations[to]!.down, EVENT.ARRIVED, now)
  }

  onArrival(slot: number, now: Instant): void {
    const refused = this.#stations[this.pool.to[slot]!]!.arrive(slot, this.pool.data[slot]!.length)
    if (refused !== undefined) this.#drop(slot, refused, now)
  }

  #carry(slot: number, link: Link, next: typeof EVENT.AT_HUB | typeof EVENT.ARRIVED, now: Instant): boolean {
    const copies = link.carry(now, this.pool.data[slot]!.length)
    if (copies === 0) {
      this.#drop(slot, link.fate, now)
      return false
    }
    if (copies === 2) this.#events.push(link.arrivals[1]!, next, this.pool.copy(slot))
    this.#harm(slot, link.harms[0]!)
    this.#events.push(link.arrivals[0]!, next, slot)
    return true
  }

  #harm(slot: number, harm: number): void {
    const data = this.pool.data[slot]!
    if (harm === HARM.NONE || data.length === 0) return
    if (harm === HARM.CUT) {
      this.pool.truncate(slot, this.#random.below(data.length))
      return
    }
    for (let flips = 1 + this.#random.below(3); flips > 0; flips--) {
      data[this.#random.below(data.length)]! ^= 1 << this.#random.below(8)
    }
  }

  #drop(slot: number, fate: string, now: Instant): void {
    this.#record(slot, fate, now)
    this.pool.release(slot)
  }

  #record(slot: number, fate: string, now: Instant): void {
    const from = this.#stations[this.pool.from[slot]!]!.name
    const to = this.#stations[this.pool.to[slot]!]?.name ?? 'nobody'
    this.#trace.datagram(now, from, to, fate, this.pool.data[slot]!)
  }

  #checkSize(from: Station, slot: number, now: Instant): void {
    const data = this.pool.data[slot]!
    const mayBeLong = data[TAG_AT] === TAG.CHUNK || data[TAG_AT] === TAG.PROBE
    const limit = mayBeLong ? this.#datagramBytesMax : Math.min(this.#datagramBytesMax, CONTROL_BYTES_MAX)
    if (data.length <= limit) return
    this.#record(slot, 'above the limit', now)
    throw new InvariantError(`${from.name} sent ${data.length} octets where ${limit} are allowed`)
  }

  #stationAt(endpoint: Endpoint): Station | undefined {
    const known = this.#byEndpoint.get(endpoint)
    if (known !== undefined) return known
    const station = this.#byKey.get(endpointKey(endpoint))
    if (station !== undefined) this.#byEndpoint.set(endpoint, station)
    return station
  }
}

function pair(from: number, to: number): number {
  return from * PAIR + to
}
