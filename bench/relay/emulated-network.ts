// What the relay does to datagrams, without sockets: a star of computers around a hub, on the links of the simulator.
// A datagram pays, in order: its sender's uplink (rate, queue), loss, the way (delay, jitter), its receiver's downlink
// (rate, queue). So loss comes after the bottleneck, as the definition of E wants it; it hits both directions alike.
import { EVENT, EventHeap } from '../../src/sim/event-heap.js'
import { IP_UDP_BYTES, Link } from '../../src/sim/link.js'
import type { SeededRandom } from '../../src/sim/random.js'
import { type Instant, instant, type Milliseconds } from '../../src/units.js'
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
}

/** Rates in Mbit/s, 0 = no limit; queues in octets. */
export interface ComputerSettings {
  readonly up: number
  readonly upQueue: number
  readonly down: number
  readonly downQueue: number
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
}

interface Computer {
  readonly up: Link
  readonly way: Link
  readonly down: Link
}

/** No slot: the datagram goes nowhere. */
export const REFUSED = -1

export class EmulatedNetwork {
  readonly data: DataCounts = { entered: 0, carried: 0, lost: 0, queueFull: 0, tooLarge: 0, delivered: 0 }
  readonly waits = new Histogram()
  readonly #computers: readonly Computer[]
  readonly #events = new EventHeap()
  // By slot.
  readonly #from: number[] = []
  readonly #to: number[] = []
  readonly #octets: number[] = []
  readonly #isData: boolean[] = []
  readonly #waited: number[] = []
  readonly #free: number[] = []

  constructor(settings: NetworkSettings, random: SeededRandom) {
    const { delay, jitter, loss, burst, mtu } = settings
    this.#computers = settings.computers.map(({ up, upQueue, down, downQueue }, at) => ({
      up: new Link(random.fork(`up ${at}`), { rate: up, queue: upQueue, mtu }),
      way: new Link(random.fork(`way ${at}`), { delay, jitter, loss, burst }),
      down: new Link(random.fork(`down ${at}`), { rate: down, queue: downQueue }),
    }))
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
    const { up, way } = this.#computers[from]!
    if (isData) this.data.entered++
    if (up.carry(now, octets) === 0) return this.#refuse(up, isData)
    const departure = up.arrivals[0]!
    if (isData) this.data.carried++
    if (way.carry(departure, octets) === 0) return this.#refuse(way, isData)

    const slot = this.#free.pop() ?? this.#from.length
    this.#from[slot] = from
    this.#to[slot] = to
    this.#octets[slot] = octets
    this.#isData[slot] = isData
    this.#waited[slot] = waiting(up, now, departure, octets)
    this.#events.push(way.arrivals[0]!, EVENT.AT_HUB, slot)
    return slot
  }

  /** Does all that is due at `now`. @param deliver gets each datagram that arrives, and when it was due; then its slot is free */
  advance(now: Instant, deliver: (slot: number, from: number, to: number, due: number) => void): void {
    const events = this.#events
    while (events.next <= now && events.pop()) {
      const slot = events.subject
      const due = events.at
      if (events.kind === EVENT.AT_HUB) {
        this.#onHub(slot, instant(due))
        continue
      }
      if (this.#isData[slot]) {
        this.data.delivered++
        this.waits.add(this.#waited[slot]!)
      }
      deliver(slot, this.#from[slot]!, this.#to[slot]!, due)
      this.#free.push(slot)
    }
  }

  #onHub(slot: number, now: Instant): void {
    const { down } = this.#computers[this.#to[slot]!]!
    const octets = this.#octets[slot]!
    if (down.carry(now, octets) === 0) {
      this.#refuse(down, this.#isData[slot]!)
      this.#free.push(slot)
      return
    }
    const arrival = down.arrivals[0]!
    this.#waited[slot]! += waiting(down, now, arrival, octets)
    this.#events.push(arrival, EVENT.ARRIVED, slot)
  }

  #refuse(link: Link, isData: boolean): typeof REFUSED {
    const { fate } = link
    if (isData && (fate === 'lost' || fate === 'queueFull' || fate === 'tooLarge')) this.data[fate]++
    return REFUSED
  }
}

/** What a datagram waited for others before its own first bit left. */
function waiting(link: Link, now: Instant, departure: Instant, octets: number): number {
  const { rate } = link.settings
  return rate > 0 ? Math.max(0, departure - now - ((octets + IP_UDP_BYTES) * 8) / (rate * 1_000)) : 0
}
