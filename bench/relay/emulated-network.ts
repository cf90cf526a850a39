// What the relay does to datagrams, without sockets: a star of computers around a hub, on the links of the simulator.
// A datagram pays, in order: its sender's uplink (rate, queue), loss, the way (delay, jitter), its receiver's downlink
// (rate, queue). So loss comes after the bottleneck, as the definition of E wants it; it hits both directions alike.
//
// While data flows, probes of its own go the same way and back, as `ping` does beside a transfer.
import { EVENT, EventHeap } from '../../src/sim/event-heap.js'
import { IP_UDP_BYTES, Link } from '../../src/sim/link.js'
import type { SeededRandom } from '../../src/sim/random.js'
import { type Instant, instant, type Milliseconds } from '../../src/units.js'
import { Flow } from './flow.js'
import { Histogram } from './histogram.js'

export interface NetworkSettings {
  readonly computers: readonly ComputerSettings[]
  /** One way, from any computer to any other. */
  readonly delay: Milliseconds
  /** Upper bound of a further delay, uniform, which reorders. */
  readonly jitter: Milliseconds
  /** Share lost after the uplink, 0 to 1. */
  readonly loss: number
  /** Mean length of a run of losses; 1 = each by itself. */
  readonly burst: number
  /** Octets of the largest IP packet that passes. */
  readonly mtu: number
  /** Between which computers probes go, in turn. */
  readonly probes: readonly Probe[]
}

/** Rates in Mbit/s, 0 = no limit; queues in octets. */
export interface ComputerSettings {
  readonly up: number
  readonly upQueue: number
  readonly down: number
  readonly downQueue: number
}

export interface Probe {
  readonly from: number
  /** Sends it back at once. */
  readonly to: number
}

/** What became of the data datagrams, and how long each that left a queue had waited in them, in milliseconds. */
export interface DataCounts {
  entered: number
  /** Left their uplink, and were lost by chance after it or not. */
  carried: number
  lost: number
  queueFull: number
  tooLarge: number
  delivered: number
  /** Of the IP packets that entered. */
  octets: number
}

interface Computer {
  readonly up: Link
  readonly way: Link
  readonly down: Link
}

/** @param due when it arrives */
export type Deliver = (slot: number, from: number, to: number, due: number) => void

/** No slot: the datagram goes nowhere. */
export const REFUSED = -1

const KIND = { OTHER: 0, DATA: 1, PROBE: 2, ECHO: 3 } as const
type Kind = (typeof KIND)[keyof typeof KIND]

/** Milliseconds between two probes; they stop when no data has come for a while. */
const PROBE_EVERY = 20
const PROBE_IDLE = 100
/** Of UDP payload: the size of a ping. */
const PROBE_OCTETS = 56

export class EmulatedNetwork {
  data = noData()
  /** What data datagrams waited in queues on their way. */
  waits = new Histogram()
  /** What probes waited in queues, to and fro. */
  pings = new Histogram()
  flow = new Flow()
  readonly #computers: readonly Computer[]
  readonly #probes: readonly Probe[]
  readonly #events = new EventHeap()
  #dataAt = -Infinity
  #isProbing = false
  #probesSent = 0
  // By slot.
  readonly #from: number[] = []
  readonly #to: number[] = []
  readonly #octets: number[] = []
  readonly #kinds: Kind[] = []
  readonly #waited: number[] = []
  readonly #free: number[] = []

  constructor(settings: NetworkSettings, random: SeededRandom) {
    const { delay, jitter, loss, burst, mtu } = settings
    this.#probes = settings.probes
    this.#computers = settings.computers.map(({ up, upQueue, down, downQueue }, at) => ({
      up: new Link(random.fork(`up ${at}`), { rate: up, queue: upQueue, mtu }),
      way: new Link(random.fork(`way ${at}`), { delay, jitter, loss, burst }),
      down: new Link(random.fork(`down ${at}`), { rate: down, queue: downQueue }),
    }))
  }

  /** Gives the links other rates and queues; what waits in them keeps the time it was given. */
  change(now: Instant, computers: readonly ComputerSettings[]): void {
    this.flow.change(now)
    for (const [at, { up, upQueue, down, downQueue }] of computers.entries()) {
      this.#computers[at]?.up.change({ rate: up, queue: upQueue })
      this.#computers[at]?.down.change({ rate: down, queue: downQueue })
    }
  }

  /** Counts from here on; what is under way goes on, and counts when it arrives. */
  countAnew(): void {
    this.data = noData()
    this.waits = new Histogram()
    this.pings = new Histogram()
    this.flow = new Flow()
  }

  /** When `advance` has something to do; Infinity while nothing is under way. */
  get next(): number {
    return this.#events.next
  }

  /**
   * Takes a datagram from a computer.
   *
   * @param now never earlier than in the previous call
   * @param octets of UDP payload
   * @param isData whether it counts in `data` and `waits`
   * @returns the slot under which `advance` will deliver it, or REFUSED
   */
  enter(now: Instant, from: number, to: number, octets: number, isData: boolean): number {
    if (!isData) return this.#carry(now, from, to, octets, KIND.OTHER, 0)
    this.data.entered++
    this.data.octets += octets + IP_UDP_BYTES
    this.flow.enter(now, octets + IP_UDP_BYTES)
    this.#dataAt = now
    if (!this.#isProbing && this.#probes.length > 0) {
      this.#isProbing = true
      this.#events.push(now, EVENT.TICK, 0)
    }
    return this.#carry(now, from, to, octets, KIND.DATA, 0)
  }

  /** Does all that is due at `now`. @param deliver gets each datagram that arrives, and when it was due; then its slot is free */
  advance(now: Instant, deliver: Deliver): void {
    const events = this.#events
    while (events.next <= now && events.pop()) {
      const { at: due, subject: slot } = events
      // What enters a link may do so no earlier than what entered before.
      const entry = Number.isFinite(now) ? now : instant(due)
      if (events.kind === EVENT.TICK) this.#probe(entry)
      else if (events.kind === EVENT.AT_HUB) this.#onHub(slot, instant(due))
      else {
        this.#onArrival(slot, due, entry, deliver)
        this.#free.push(slot)
      }
    }
  }

  /** @param waited before */
  #carry(now: Instant, from: number, to: number, octets: number, kind: Kind, waited: number): number {
    const { up, way } = this.#computers[from]!
    if (up.carry(now, octets) === 0) return this.#refuse(up, kind)
    const departure = up.arrivals[0]!
    if (kind === KIND.DATA) this.data.carried++
    if (way.carry(departure, octets) === 0) return this.#refuse(way, kind)

    const slot = this.#free.pop() ?? this.#from.length
    this.#from[slot] = from
    this.#to[slot] = to
    this.#octets[slot] = octets
    this.#kinds[slot] = kind
    this.#waited[slot] = waited + waiting(up, now, departure, octets)
    this.#events.push(way.arrivals[0]!, EVENT.AT_HUB, slot)
    return slot
  }

  #onHub(slot: number, now: Instant): void {
    const { down } = this.#computers[this.#to[slot]!]!
    const octets = this.#octets[slot]!
    if (down.carry(now, octets) === 0) {
      this.#refuse(down, this.#kinds[slot]!)
      this.#free.push(slot)
      return
    }
    const arrival = down.arrivals[0]!
    this.#waited[slot]! += waiting(down, now, arrival, octets)
    this.#events.push(arrival, EVENT.ARRIVED, slot)
  }

  /** @param entry when an answer to it may enter a link */
  #onArrival(slot: number, due: number, entry: Instant, deliver: Deliver): void {
    const [kind, from, to, waited] = [this.#kinds[slot]!, this.#from[slot]!, this.#to[slot]!, this.#waited[slot]!]
    switch (kind) {
      case KIND.PROBE:
        this.#carry(entry, to, from, PROBE_OCTETS, KIND.ECHO, waited)
        return
      case KIND.ECHO:
        this.pings.add(waited)
        return
      case KIND.DATA:
        this.data.delivered++
        this.flow.deliver(instant(due), this.#octets[slot]! + IP_UDP_BYTES)
        this.waits.add(waited)
    }
    deliver(slot, from, to, due)
  }

  #probe(now: Instant): void {
    this.#isProbing = now - this.#dataAt <= PROBE_IDLE
    if (!this.#isProbing) return
    const { from, to } = this.#probes[this.#probesSent++ % this.#probes.length]!
    this.#carry(now, from, to, PROBE_OCTETS, KIND.PROBE, 0)
    this.#events.push(now + PROBE_EVERY, EVENT.TICK, 0)
  }

  #refuse(link: Link, kind: Kind): typeof REFUSED {
    const { fate } = link
    if (kind === KIND.DATA && (fate === 'lost' || fate === 'queueFull' || fate === 'tooLarge')) this.data[fate]++
    return REFUSED
  }
}

function noData(): DataCounts {
  return { entered: 0, carried: 0, lost: 0, queueFull: 0, tooLarge: 0, delivered: 0, octets: 0 }
}

/** What a datagram waited for others before its own first bit left. */
function waiting(link: Link, now: Instant, departure: Instant, octets: number): number {
  const { rate } = link.settings
  return rate > 0 ? Math.max(0, departure - now - ((octets + IP_UDP_BYTES) * 8) / (rate * 1_000)) : 0
}
