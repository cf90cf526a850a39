// One simulated computer: a host, driven as shell/driver.ts drives it, with a clock, a receive buffer, a disk and a link.
import type { Endpoint } from '../endpoint.js'
import { assert } from '../errors.js'
import type { Effect, Host, HostEvent, Input, StopReason } from '../host/contract.js'
import { after, type Instant, instant, ms, NEVER } from '../units.js'
import { ReceiveBatch, SendBatch } from '../wire/batch.js'
import { TAG, TAG_AT } from '../wire/layout.js'
import { Clock } from './clock.js'
import { Disk } from './disk.js'
import { Link } from './link.js'
import type { SeededRandom } from './random.js'
import { ReceiveBuffer } from './receive-buffer.js'
import type { HostFactory, StationOptions, Surroundings } from './surroundings.js'

export type StationState = 'running' | 'stopped' | 'dead'

const BATCH_CAPACITY = 64
const RECEIVE_BUFFER = 4 * 1024 * 1024
/** Datagrams that arrive within this time of the first are one batch: waking up takes that long. */
const WAKE_LATENCY = ms(0.1)
const DATAGRAMS_A_TURN_MAX = 100_000
const FRUITLESS_TICKS_MAX = 100

export class Station {
  readonly name: string
  readonly index: number
  readonly endpoint: Endpoint
  readonly up: Link
  readonly down: Link
  readonly disk: Disk
  /** What the host reported, with the world's instant. */
  readonly events: { readonly at: Instant; readonly event: HostEvent }[] = []
  readonly counters = { turns: 0, ticks: 0, sent: 0, received: 0, bufferFull: 0, orders: 0 }
  state: StationState = 'dead'
  stopReason: StopReason | undefined
  isPaused = false
  /** Since when it has done nothing but send heartbeats and report, and its ticks since then. */
  idleSince = instant(0)
  idleTicks = 0
  /** Orders to the disk that aren't answered yet. */
  ordersPending = 0
  /** Counts starts. */
  life = 0

  readonly #world: Surroundings
  readonly #random: SeededRandom
  readonly #clock: Clock
  readonly #buffer: ReceiveBuffer
  readonly #spuriousTicks: number
  readonly #received = new ReceiveBatch(BATCH_CAPACITY)
  readonly #toSend = new SendBatch(BATCH_CAPACITY)
  readonly #effects: Effect[] = []
  #factory: HostFactory
  #host: Host | undefined
  #isWakePlanned = false
  /** When the earliest tick planned comes. */
  #armed: Instant = NEVER
  #deferred: Input[] = []
  #fruitlessTicks = 0

  constructor(
    name: string,
    world: Surroundings,
    random: SeededRandom,
    factory: HostFactory,
    { endpoint, files, disk, up, down, clock, receiveBuffer, spuriousTicks }: StationOptions,
  ) {
    this.name = name
    this.index = world.stations.length
    this.endpoint = endpoint
    this.up = new Link(random.fork('up'), up)
    this.down = new Link(random.fork('down'), down)
    this.disk = new Disk(files ?? [], disk ?? {}, random.fork('disk'), world.digests)
    this.#world = world
    this.#random = random
    this.#clock = new Clock(clock ?? {}, random.fork('clock'))
    this.#buffer = new ReceiveBuffer(receiveBuffer ?? RECEIVE_BUFFER)
    this.#spuriousTicks = spuriousTicks ?? 0
    this.#factory = factory
  }

  get host(): Host {
    assert(this.#host !== undefined, `${this.name} was never started`)
    return this.#host
  }

  get isRunning(): boolean {
    return this.state === 'running'
  }

  /** Makes a new host, with nothing left of an earlier one but the disk. */
  start(factory = this.#factory): void {
    assert(!this.isRunning, `${this.name} runs already`)
    this.#factory = factory
    this.life++
    this.state = 'running'
    this.stopReason = undefined
    this.#noteWork()
    const random = this.#random.fork(`life ${this.life}`)
    this.#host = factory({ random, digests: this.#world.digests, now: this.#now() })
    this.#arm()
  }

  /** Ends the process without a goodbye, as kill -9 does. */
  kill(): void {
    this.#close('dead')
  }

  /** The power fails: the process ends, and what its disk had not flushed is lost. */
  cutPower(): void {
    this.disk.cutPower()
    this.#close('dead')
  }

  /** The process gets no time: what arrives waits in the receive buffer, ticks and answers come late. */
  pause(): void {
    this.isPaused = true
  }

  /** The event loop goes on as it does after a stall: timers first, what waits in the socket last. */
  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    if (this.isRunning && this.host.deadline() <= this.#now()) this.#tick()
    for (const input of this.#deferred.splice(0)) this.step(input)
    if (!this.#buffer.isEmpty) this.#planWake()
    if (this.isRunning) this.#arm()
  }

  /** A datagram has come down the link. @returns why nobody takes it, or undefined */
  arrive(slot: number, octets: number): 'nobody there' | 'receive buffer full' | undefined {
    if (!this.isRunning) return 'nobody there'
    if (!this.#buffer.add(slot, octets)) {
      this.counters.bufferFull++
      return 'receive buffer full'
    }
    this.#planWake()
    return undefined
  }

  onWake(): void {
    this.#isWakePlanned = false
    if (this.isPaused || !this.isRunning) return
    const slots = this.#buffer.drain()
    for (let start = 0; start < slots.length; start += BATCH_CAPACITY) {
      this.#receive(slots, start, Math.min(start + BATCH_CAPACITY, slots.length))
    }
  }

  onTick(): void {
    if (this.#world.now !== this.#armed) return
    this.#armed = NEVER
    if (this.isPaused || !this.isRunning) return
    const isDue = this.host.deadline() <= this.#now()
    if (isDue || this.#random.chance(this.#spuriousTicks)) this.#tick()
    else this.#arm()
  }

  step(input: Input): void {
    if (!this.isRunning) return
    if (this.isPaused) {
      this.#deferred.push(input)
      return
    }
    this.host.step(input, this.#now(), this.#effects)
    this.#endTurn()
  }

  #receive(slots: readonly number[], start: number, end: number): void {
    const { pool, stations } = this.#world
    if (this.isRunning) {
      for (let i = start; i < end; i++) {
        const slot = slots[i]!
        this.#received.push(pool.data[slot]!, stations[pool.from[slot]!]!.endpoint)
      }
      this.counters.received += end - start
      this.host.receive(this.#received, this.#now(), this.#effects)
      this.#received.clear()
    }
    for (let i = start; i < end; i++) pool.release(slots[i]!)
    if (this.isRunning) this.#endTurn()
  }

  #tick(): void {
    const { sent, orders } = this.counters
    const reports = this.events.length
    this.counters.ticks++
    this.idleTicks++
    this.step({ kind: 'tick' })
    if (!this.isRunning) return
    const isFruitful = sent !== this.counters.sent || orders !== this.counters.orders || reports !== this.events.length
    const isOverdue = this.host.deadline() <= this.#now()
    this.#fruitlessTicks = isFruitful || !isOverdue ? 0 : this.#fruitlessTicks + 1
    assert(
      this.#fruitlessTicks < FRUITLESS_TICKS_MAX,
      `${this.name} asks for ticks without end and does nothing in them`,
    )
  }

  #endTurn(): void {
    this.counters.turns++
    this.#sendDue()
    for (const effect of this.#effects) this.#perform(effect)
    this.#effects.length = 0
    if (this.stopReason === undefined) this.#arm()
    else this.#close('stopped')
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'report':
        this.events.push({ at: this.#world.now, event: effect.event })
        this.#world.observe(this, effect.event)
        break
      case 'stopped':
        this.stopReason = effect.why
        break
      default:
        this.counters.orders++
        this.#noteWork()
        this.#world.planAnswer(this, after(this.#world.now, this.disk.latency()), this.disk.order(effect))
    }
  }

  #sendDue(): void {
    const batch = this.#toSend
    const limit = this.counters.sent + DATAGRAMS_A_TURN_MAX
    for (;;) {
      this.host.fill(batch, this.#now())
      if (batch.count === 0) return
      for (let i = 0; i < batch.count; i++) {
        if (batch.heads[i]![TAG_AT] !== TAG.HEARTBEAT) this.#noteWork()
      }
      this.counters.sent += batch.count
      assert(this.counters.sent < limit, `${this.name} fills without end in one turn`)
      this.#world.transmit(this, batch)
      batch.clear()
    }
  }

  #noteWork(): void {
    this.idleSince = this.#world.now
    this.idleTicks = 0
  }

  /** The earliest tick planned stays planned: where it comes too early, it plans the next. */
  #arm(): void {
    const deadline = this.host.deadline()
    assert(!Number.isNaN(deadline), `${this.name} has no number for a deadline`)
    if (deadline === NEVER || this.isPaused) return
    const at = this.#clock.fires(deadline, this.#world.now)
    if (at >= this.#armed) return
    this.#armed = at
    this.#world.planTick(this, at)
  }

  #planWake(): void {
    if (this.#isWakePlanned || this.isPaused) return
    this.#isWakePlanned = true
    this.#world.planWake(this, after(this.#world.now, WAKE_LATENCY))
  }

  #now(): Instant {
    return this.#clock.read(this.#world.now)
  }

  #close(state: StationState): void {
    this.state = state
    for (const slot of this.#buffer.drain()) this.#world.pool.release(slot)
    this.#deferred = []
    this.#armed = NEVER
    this.#fruitlessTicks = 0
    this.ordersPending = 0
    this.disk.forgetOrders()
  }
}
