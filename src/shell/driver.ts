// Joins one host to one socket, the files and the clock, as host/contract.ts says: a turn is one batch or one input,
// everything that is due to be sent, its effects, and the alarm set anew. Turns never nest: what comes up during one
// (the result of a hash, a `stop` from a listener) waits for its end. An error of our own ends the process: it isn't caught here.
import type { Endpoint } from '../endpoint.js'
import { assert } from '../errors.js'
import type { Effect, FetchKey, Host, HostEvent, Input, StopReason } from '../host/contract.js'
import { after, type Instant, ms } from '../units.js'
import { type ReceiveBatch, SendBatch } from '../wire/batch.js'
import { Alarm } from './alarm.js'
import { now } from './clock.js'
import { type BlockTarget, Disk, type DiskOptions } from './disk.js'
import { Nap } from './nap.js'
import { SendRate } from './send-rate.js'
import type { SharedContent } from './shared-file.js'
import type { OpenSocket, Socket, SocketKind } from './sockets/socket.js'

/** About 250 KB at usual datagram sizes: four full messages of a batched socket, little enough to stay in the cache. */
const SEND_BATCH_DATAGRAMS = 176
/** A full socket says when there is room; until then the host is ticked this often, so that its timers stay on time. */
const FULL_MS = ms(1)

type FetchOrder = Extract<Input, { readonly kind: 'fetch' }>

export interface DriverOptions {
  readonly openSocket: OpenSocket
  readonly address: string
  readonly port: number
  /** Makes the host once the socket stands: a host may want to know what was granted. */
  readonly makeHost: (socket: Socket, now: Instant) => Host
  readonly disk: DiskOptions
  readonly onEvent?: ((event: HostEvent) => void) | undefined
  /** The process does nothing else: while datagrams come fast it may sleep, a millisecond at a time. */
  readonly isAlone?: boolean | undefined
}

export class Driver {
  readonly local: Endpoint
  readonly receiveBuffer: number
  readonly socketKind: SocketKind
  /** Ends when the host has stopped, its last datagrams are sent and everything is closed. */
  readonly done: Promise<StopReason>
  readonly #options: DriverOptions
  readonly #socket: Socket
  readonly #host: Host
  readonly #disk: Disk
  readonly #batch = new SendBatch(SEND_BATCH_DATAGRAMS)
  readonly #alarm: Alarm
  readonly #rate = new SendRate()
  readonly #nap: Nap | undefined
  readonly #inputs: Input[] = []
  readonly #effects: Effect[] = []
  #isInTurn = false
  #isStopAsked = false
  #stopped: StopReason | undefined
  #end: (why: StopReason | Promise<StopReason>) => void = () => {}

  /** Opens the socket and starts the host; its first turn comes after this has returned. @throws PortError */
  static async open(options: DriverOptions): Promise<Driver> {
    let driver: Driver | undefined
    const { address, port } = options
    const socket = await options.openSocket({
      address,
      port,
      onReceive: batch => driver?.receive(batch),
      onRoom: () => driver?.resume(),
    })
    driver = new Driver(socket, options)
    return driver
  }

  private constructor(socket: Socket, options: DriverOptions) {
    const start = now()
    this.local = socket.local
    this.receiveBuffer = socket.receiveBuffer
    this.socketKind = socket.kind
    this.done = new Promise(resolve => {
      this.#end = resolve
    })
    this.#options = options
    this.#socket = socket
    this.#alarm = new Alarm(
      () => this.#take({ kind: 'tick' }),
      ring => socket.openTimer(ring),
    )
    this.#nap = options.isAlone ? new Nap() : undefined
    this.#disk = new Disk(options.disk, inputs => this.#take(...inputs))
    this.#host = options.makeHost(socket, start)
    this.#alarm.set(start, false)
  }

  /** Lets the host leave politely. */
  stop(): Promise<StopReason> {
    if (!this.#isStopAsked) {
      this.#isStopAsked = true
      this.#take({ kind: 'stop' })
    }
    return this.done
  }

  /** Offers one more content, which is closed with the driver. */
  offer(content: SharedContent): void {
    const { offer, tree } = content
    this.#take({ kind: 'offer', file: this.#disk.addFile(content), offer, tree })
  }

  /** Begins a fetch; its events bear its key. @param target closed by `endFetch` or with the driver */
  fetch(order: Omit<FetchOrder, 'kind'>, target: BlockTarget): void {
    this.#disk.addTarget(order.fetch, target)
    this.#take({ kind: 'fetch', ...order })
  }

  /** Gives up a fetch: its result says so. */
  cancelFetch(key: FetchKey, detail: string): void {
    this.#take({ kind: 'cancel', fetch: key, detail })
  }

  /** What a fetch left to be served is served no more; its target is still to be closed. */
  withdraw(key: FetchKey): void {
    this.#take({ kind: 'withdraw', fetch: key })
  }

  /** After the result of a fetch: closes its target. */
  endFetch(key: FetchKey): Promise<void> {
    return this.#disk.dropTarget(key)
  }

  counters(): Record<string, number> {
    return { ...this.#host.counters(), ...this.#socket.counters() }
  }

  receive(batch: ReceiveBatch): void {
    if (this.#stopped !== undefined) return
    assert(!this.#isInTurn, 'datagrams come between turns')
    this.#isInTurn = true
    const at = now()
    this.#host.receive(batch, at, this.#effects)
    this.#completeTurn(at)
    this.#isInTurn = false
    this.#takeInputs()
    if (this.#stopped === undefined && !batch.hasMore) this.#nap?.after(batch.count, now(), this.#alarm.at)
  }

  /** There is room in the socket again. */
  resume(): void {
    this.#take({ kind: 'tick' })
  }

  #take(...inputs: readonly Input[]): void {
    this.#inputs.push(...inputs)
    if (!this.#isInTurn) this.#takeInputs()
  }

  #takeInputs(): void {
    this.#isInTurn = true
    // What came at once is one turn. An index, not `shift`: the end of a turn may append.
    for (let next = 0; next < this.#inputs.length && this.#stopped === undefined; ) {
      const at = now()
      while (next < this.#inputs.length) this.#host.step(this.#inputs[next++]!, at, this.#effects)
      this.#completeTurn(at)
    }
    this.#inputs.length = 0
    this.#isInTurn = false
    if (this.#stopped === undefined) this.#disk.flush()
  }

  #completeTurn(at: Instant): void {
    this.#rate.add(this.#sendDue(at), at)
    // The listener takes its time: nothing else waits for it.
    for (const effect of this.#effects) if (effect.kind !== 'report') this.#perform(effect)
    for (const effect of this.#effects) if (effect.kind === 'report') this.#options.onEvent?.(effect.event)
    this.#effects.length = 0
    if (this.#stopped !== undefined) this.#end(this.#close(this.#stopped))
    // What is due can't leave before there is room for it, which comes as a turn of its own.
    else if (this.#socket.isFull) this.#alarm.set(after(at, FULL_MS), false)
    else this.#alarm.set(this.#host.deadline(), this.#rate.isFast)
  }

  /** Sends what is due at `at`, not what becomes due meanwhile: so a turn ends. @returns octets */
  #sendDue(at: Instant): number {
    let bytes = 0
    while (!this.#socket.isFull || this.#stopped !== undefined) {
      this.#batch.clear()
      this.#host.fill(this.#batch, at)
      if (this.#batch.count === 0) return bytes
      this.#socket.send(this.#batch)
      bytes += bytesOf(this.#batch)
    }
    return bytes
  }

  #perform(effect: Exclude<Effect, { readonly kind: 'report' }>): void {
    if (effect.kind === 'stopped') this.#stopped = effect.why
    else this.#disk.perform(effect)
  }

  async #close(why: StopReason): Promise<StopReason> {
    this.#alarm.close()
    await this.#socket.close()
    await this.#disk.close()
    return why
  }
}

function bytesOf(batch: SendBatch): number {
  let bytes = 0
  for (let slot = 0; slot < batch.count; slot++) bytes += batch.headLengths[slot]! + batch.payloadLengths[slot]!
  return bytes
}
