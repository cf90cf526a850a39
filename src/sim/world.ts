// Simulated computers, all joined by one hub, on a virtual clock. Everything that happens follows from the seed, so
// every failure can be played again.
import { assert, unreachable } from '../errors.js'
import type { HostEvent, Input } from '../host/contract.js'
import { type Instant, instant, type Milliseconds, ms } from '../units.js'
import type { SendBatch } from '../wire/batch.js'
import type { DatagramPool } from './datagram-pool.js'
import { DIGESTS } from './digests.js'
import { EVENT, EventHeap } from './event-heap.js'
import type { LinkSettings } from './link.js'
import { Network } from './network.js'
import { SeededRandom } from './random.js'
import { Station } from './station.js'
import type { HostFactory, StationOptions, Surroundings } from './surroundings.js'
import { Trace, type Watcher } from './trace.js'

export interface WorldOptions {
  readonly seed: number
  /** The command that plays this world again; every failure prints it. */
  readonly replay?: string
  /** Octets of the largest datagram that a host may send. */
  readonly datagramBytesMax?: number
  /** Events in one `run` after which the world is taken to be stuck. */
  readonly stepLimit?: number
  readonly watchers?: readonly Watcher[]
}

export interface RunOptions {
  readonly until: Instant
  /** Asked after every event. */
  readonly stopWhen?: () => boolean
}

/** A simulation broke a rule. `summary` is one line: what, where, and the command that plays it again. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError'
  readonly summary: string

  constructor(summary: string, details: readonly string[], cause: unknown) {
    super([summary, ...details].join('\n'), { cause })
    this.summary = summary
  }
}

/** What an Ethernet frame carries over IPv4. */
const DATAGRAM_BYTES = 1_472
const STEP_LIMIT = 50_000_000
/** A machine that only waits wakes up no more often than this. */
const IDLE_TICK_INTERVAL = ms(20)

interface Answer {
  readonly station: Station
  readonly life: number
  readonly carryOut: () => Input
}

export class World implements Surroundings {
  readonly seed: number
  readonly digests = DIGESTS
  readonly stations: Station[] = []
  readonly trace: Trace
  readonly #replay: string
  readonly #stepLimit: number
  readonly #random: SeededRandom
  readonly #events = new EventHeap()
  readonly #network: Network
  /** By the subject of their event; an answer is taken out when it is given. */
  readonly #answers = new Map<number, Answer>()
  readonly #scripts: (() => void)[] = []
  #answerCount = 0
  #now = instant(0)

  constructor({ seed, replay, datagramBytesMax, stepLimit, watchers }: WorldOptions) {
    this.seed = seed
    this.#replay = replay ?? `npm run sim -- --seed ${seed}`
    this.#stepLimit = stepLimit ?? STEP_LIMIT
    this.#random = new SeededRandom(seed, 'world')
    this.trace = new Trace(watchers ?? [])
    const harms = this.#random.fork('harms')
    this.#network = new Network(this.stations, this.#events, this.trace, harms, datagramBytesMax ?? DATAGRAM_BYTES)
  }

  get now(): Instant {
    return this.#now
  }

  get pool(): DatagramPool {
    return this.#network.pool
  }

  /** Makes a computer, whose name and endpoint are its own, and starts its host now or at `options.starts`. */
  addHost(name: string, factory: HostFactory, options: StationOptions): Station {
    const station = new Station(name, this, this.#random.fork(name), factory, options)
    this.#network.join(station)
    this.stations.push(station)
    if (options.starts === undefined) station.start()
    else this.at(options.starts, () => station.start())
    return station
  }

  /** Calls `action` at an instant of the virtual clock: settings of links, deaths, inputs. */
  at(time: Instant, action: () => void): void {
    assert(time >= this.#now, 'a script for the past')
    this.#events.push(time, EVENT.SCRIPT, this.#scripts.push(action) - 1)
  }

  /** Cuts each of `some` off from each of `others`, both ways. @returns undoes it, once */
  cut(some: readonly Station[], others: readonly Station[]): () => void {
    return this.#network.cut(some, others)
  }

  /** Changes both directions of a station's link, from the next datagram on. */
  changeLink({ up, down }: Station, settings: Partial<LinkSettings>): void {
    up.change(settings)
    down.change(settings)
  }

  /**
   * Lets time pass to `until`, or to the first event after which `stopWhen` holds.
   *
   * @throws SimulationError where a host throws or breaks its contract, or nothing comes to an end
   */
  run({ until, stopWhen }: RunOptions): void {
    try {
      for (let step = 0; this.#events.next <= until; step++) {
        assert(step < this.#stepLimit, `${this.#stepLimit} steps and no end`)
        this.#step()
        if (stopWhen?.()) return
      }
      this.#now = instant(Math.max(this.#now, until))
    } catch (error) {
      throw error instanceof SimulationError ? error : this.failure(String(error), [], error)
    }
  }

  /**
   * Whether every running machine has done nothing for `over` but send heartbeats, waits for nothing from its disk,
   * and hardly wakes up.
   */
  isQuiet(over: Milliseconds): boolean {
    return this.stations.every(station => !station.isRunning || this.#isIdle(station, over))
  }

  /** An error about this world, with its last datagrams. @param details further lines */
  failure(reason: string, details: readonly string[] = [], cause?: unknown): SimulationError {
    const summary = `seed ${this.seed}, at ${this.#now.toFixed(3)} ms: ${reason}; replay: ${this.#replay}`
    return new SimulationError(summary, [...details, 'last datagrams:', this.trace.tail()], cause)
  }

  transmit(from: Station, batch: SendBatch): void {
    this.#network.send(from, batch, this.#now)
  }

  planWake(station: Station, at: Instant): void {
    this.#events.push(at, EVENT.WAKE, station.index)
  }

  planTick(station: Station, at: Instant): void {
    this.#events.push(at, EVENT.TICK, station.index)
  }

  planAnswer(station: Station, at: Instant, carryOut: () => Input): void {
    const subject = this.#answerCount++
    this.#answers.set(subject, { station, life: station.life, carryOut })
    station.ordersPending++
    this.#events.push(at, EVENT.ANSWER, subject)
  }

  observe(station: Station, event: HostEvent): void {
    this.trace.event(this.#now, station.name, event)
  }

  #step(): void {
    this.#events.pop()
    const { at, kind, subject } = this.#events
    assert(at >= this.#now, 'time went backwards')
    this.#now = instant(at)
    switch (kind) {
      case EVENT.AT_HUB:
        this.#network.onHub(subject, this.#now)
        break
      case EVENT.ARRIVED:
        this.#network.onArrival(subject, this.#now)
        break
      case EVENT.WAKE:
        this.stations[subject]!.onWake()
        break
      case EVENT.TICK:
        this.stations[subject]!.onTick()
        break
      case EVENT.ANSWER:
        this.#giveAnswer(subject)
        break
      case EVENT.SCRIPT:
        this.#scripts[subject]!()
        break
      default:
        unreachable(kind)
    }
  }

  #giveAnswer(subject: number): void {
    const { station, life, carryOut } = this.#answers.get(subject)!
    this.#answers.delete(subject)
    if (station.life !== life || !station.isRunning) return
    station.ordersPending--
    station.step(carryOut())
  }

  #isIdle(station: Station, over: Milliseconds): boolean {
    const idle = this.#now - station.idleSince
    return station.ordersPending === 0 && idle >= over && station.idleTicks * IDLE_TICK_INTERVAL <= idle
  }
}
