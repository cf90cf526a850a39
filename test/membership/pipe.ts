// A manager and members over a pipe that loses, doubles, delays and shuffles, on a clock of its own. Every message passes
// through the codec, so that whatever breaks a rule of the wire stops the test.
import type { Random } from '../../src/ambient.js'
import { type Endpoint, endpointKey } from '../../src/endpoint.js'
import { Agenda } from '../../src/membership/agenda.js'
import type { MembershipEvent } from '../../src/membership/event.js'
import { Manager } from '../../src/membership/manager.js'
import { Member, type MemberOptions } from '../../src/membership/member.js'
import type { ManagerSettings } from '../../src/membership/settings.js'
import { DIGESTS } from '../../src/sim/digests.js'
import { SeededRandom } from '../../src/sim/random.js'
import { after, earliest, type Instant, instant, NEVER } from '../../src/units.js'
import { decode } from '../../src/wire/decode.js'
import { encode } from '../../src/wire/encode.js'
import { CONTROL_BYTES_MAX } from '../../src/wire/layout.js'
import type { Message, Offer } from '../../src/wire/message.js'
import type { Outgoing } from '../../src/wire/outgoing.js'

export const MANAGER_AT: Endpoint = { address: '127.0.0.1', port: 5000 }

export interface PipeOptions {
  readonly seed?: number
  /** 0 to 1. */
  readonly loss?: number
  readonly doubled?: number
  /** Milliseconds one way, and up to how much more. */
  readonly delay?: number
  readonly jitter?: number
  readonly settings?: Partial<ManagerSettings>
}

interface Flight {
  readonly from: Endpoint
  readonly to: Endpoint
  readonly octets: Uint8Array
}

export interface Station {
  readonly endpoint: Endpoint
  readonly member: Member
  readonly events: MembershipEvent[]
}

export class Pipe {
  now = instant(0)
  /** Chance that a datagram is lost; may change while it runs. */
  loss: number
  manager: Manager
  readonly events: MembershipEvent[] = []
  readonly stations = new Map<string, Station>()
  /** Datagrams sent, by kind of message. */
  readonly sent: Record<string, number> = {}
  /** Most datagrams that the manager sent in one tick. */
  burst = 0
  readonly random: SeededRandom
  readonly #options: PipeOptions
  readonly #flights = new Agenda<Flight>()
  readonly #ticks = new Agenda<Station>()
  #sessions = 0n
  #isManagerUp = true

  constructor(options: PipeOptions = {}) {
    this.#options = options
    this.loss = options.loss ?? 0
    this.random = new SeededRandom(options.seed ?? 1, 'pipe')
    this.manager = this.#newManager()
  }

  addMember(port: number, options: Partial<MemberOptions> & { readonly address?: string } = {}): Station {
    this.#sessions++
    const endpoint = { address: options.address ?? '127.0.0.1', port }
    const random: Random = this.random.fork(`member ${this.#sessions}`)
    const member = new Member({ manager: MANAGER_AT, session: this.#sessions, ttl: 0, offers: [], random, ...options })
    const station = { endpoint, member, events: [] }
    this.stations.set(endpointKey(endpoint), station)
    this.#ticks.set(station, this.now)
    return station
  }

  /** The process is gone without a word. */
  kill(station: Station): void {
    this.#ticks.delete(station)
    if (this.stations.get(endpointKey(station.endpoint)) === station)
      this.stations.delete(endpointKey(station.endpoint))
  }

  leave(station: Station): void {
    station.member.leave(this.now)
    this.#ticks.set(station, this.now)
  }

  offer(station: Station, offers: readonly Offer[]): void {
    station.member.setOffers(offers, this.now)
    this.#ticks.set(station, this.now)
  }

  killManager(): void {
    this.#isManagerUp = false
  }

  restartManager(): void {
    this.manager = this.#newManager()
    this.#isManagerUp = true
  }

  stopManager(): void {
    const out: Outgoing[] = []
    this.manager.stop(this.now, out)
    this.#send(MANAGER_AT, out)
  }

  run(milliseconds: number): void {
    const end = after(this.now, milliseconds)
    for (let steps = 0; ; steps++) {
      if (steps > 3_000_000) throw new Error(`no end in sight at ${this.now} ms`)
      const next = this.#next()
      if (next > end) break
      this.now = next
      this.#step()
    }
    this.now = end
  }

  /** Runs until `isTrue`, or for `milliseconds`. @returns whether it became true */
  runUntil(isTrue: () => boolean, milliseconds: number): boolean {
    const end = after(this.now, milliseconds)
    while (!isTrue()) {
      const next = this.#next()
      if (next > end) return false
      this.now = next
      this.#step()
    }
    return true
  }

  #newManager(): Manager {
    const random = this.random.fork(`manager ${this.now}`)
    return new Manager({ epoch: BigInt(random.u32() + 1), random, digests: DIGESTS, settings: this.#options.settings })
  }

  #next(): Instant {
    const manager = this.#isManagerUp ? this.manager.deadline() : NEVER
    const next = earliest(manager, this.#ticks.earliest(), this.#flights.earliest())
    return instant(Math.max(next, this.now))
  }

  #step(): void {
    for (let flight = this.#flights.takeDue(this.now); flight; flight = this.#flights.takeDue(this.now))
      this.#arrive(flight)
    const out: Outgoing[] = []
    if (this.#isManagerUp) this.manager.tick(this.now, out, this.events)
    this.burst = Math.max(this.burst, out.length)
    this.#send(MANAGER_AT, out)
    for (let station = this.#ticks.takeDue(this.now); station; station = this.#ticks.takeDue(this.now)) {
      station.member.tick(this.now, out, station.events)
      this.#send(station.endpoint, out)
      this.#ticks.set(station, station.member.deadline())
    }
  }

  #arrive({ from, to, octets }: Flight): void {
    const message = decode(octets)
    if (message.kind === 'malformed') throw new Error(`malformed: ${message.reason}`)
    const out: Outgoing[] = []
    const station = this.stations.get(endpointKey(to))
    if (to === MANAGER_AT) {
      if (this.#isManagerUp) this.manager.receive(message, from, this.now, out, this.events)
    } else if (station !== undefined) {
      station.member.receive(message, from, this.now, out, station.events)
      this.#ticks.set(station, station.member.deadline())
    }
    this.#send(to, out)
  }

  #send(from: Endpoint, out: Outgoing[]): void {
    for (const { to, message } of out) {
      this.sent[message.kind] = (this.sent[message.kind] ?? 0) + 1
      this.#launch(from, to, message)
      if (this.random.chance(this.#options.doubled ?? 0)) this.#launch(from, to, message)
    }
    out.length = 0
  }

  #launch(from: Endpoint, to: Endpoint, message: Message): void {
    const isHeard = endpointKey(to) === endpointKey(MANAGER_AT) || this.stations.has(endpointKey(to))
    if (!isHeard || this.random.chance(this.loss)) return
    const memory = new Uint8Array(CONTROL_BYTES_MAX)
    const octets = memory.subarray(0, encode(message, memory))
    const delay = (this.#options.delay ?? 1) + this.random.between(0, this.#options.jitter ?? 0)
    const target = endpointKey(to) === endpointKey(MANAGER_AT) ? MANAGER_AT : to
    this.#flights.set({ from, to: target, octets }, after(this.now, delay))
  }
}

export function offerOf(name: string, size = 1): Offer {
  return { name, size, root: new Uint8Array(32).fill(size & 0xff) }
}
/** Sessions on a list, in order. */
export function sessionsOn(list: ReadonlyMap<unknown, { readonly session: bigint }>): bigint[] {
  return [...list.values()].map(row => row.session).sort((a, b) => Number(a - b))
}
