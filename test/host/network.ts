// Hosts joined by a network that only delays, on a clock of its own, with files in memory. What is sent, and what is put
// in by a test, passes by `watch`.
import { leafHash } from '../../src/content/tree.js'
import { type Endpoint, endpointKey } from '../../src/endpoint.js'
import type { Effect, Host, HostEvent, Input, StopReason, TargetAnswer } from '../../src/host/contract.js'
import { ManagerHost } from '../../src/host/manager-host.js'
import { PeerHost, type PeerHostOptions } from '../../src/host/peer-host.js'
import { Agenda } from '../../src/membership/agenda.js'
import type { ManagerSettings } from '../../src/membership/settings.js'
import { DIGESTS } from '../../src/sim/digests.js'
import { type MemoryFile, memoryFile } from '../../src/sim/memory-file.js'
import { SeededRandom } from '../../src/sim/random.js'
import { earliest, type Instant, instant } from '../../src/units.js'
import { ReceiveBatch, SendBatch } from '../../src/wire/batch.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'

export const MANAGER_AT: Endpoint = { address: '10.0.0.1', port: 5_000 }
export const DELAY_MS = 2
const DISK_MS = 0.2

export interface Datagram {
  readonly from: Endpoint
  readonly to: Endpoint
  readonly octets: Uint8Array
}

type Task =
  | { readonly kind: 'datagram'; readonly datagram: Datagram }
  | { readonly kind: 'answer'; readonly to: Computer; readonly input: () => Input }

/** A host with its disk. */
export class Computer {
  readonly endpoint: Endpoint
  readonly host: Host
  readonly events: HostEvent[] = []
  readonly files: MemoryFile[]
  stopped: StopReason | undefined
  target: Uint8Array | undefined
  /** By the key of a fetch that was ordered on the way. */
  readonly targets = new Map<number, Uint8Array>()
  /** Neither sends nor hears. */
  isDead = false
  /** A read of one of its files fails. */
  isDiskBroken = false

  constructor(endpoint: Endpoint, host: Host, files: readonly MemoryFile[]) {
    this.endpoint = endpoint
    this.host = host
    this.files = [...files]
  }

  get result() {
    return this.events.flatMap(event => (event.kind === 'result' ? [event.result] : []))[0]
  }

  reports(kind: HostEvent['kind']): HostEvent[] {
    return this.events.filter(event => event.kind === kind)
  }
}

export class Network {
  now: Instant = instant(100)
  readonly computers = new Map<string, Computer>()
  /** Told of each datagram that is sent. */
  watch: (datagram: Datagram) => void = () => {}
  /** Asked of each datagram that is sent. */
  loses: (datagram: Datagram) => boolean = () => false
  /** Most effects of one turn, and most datagrams. */
  readonly most = { effects: 0, datagrams: 0 }
  readonly random: SeededRandom
  readonly #tasks = new Agenda<Task>()
  readonly #received = new ReceiveBatch(64)
  readonly #toSend = new SendBatch(64)

  constructor(seed = 1) {
    this.random = new SeededRandom(seed, 'network')
  }

  addManager(settings: Partial<ManagerSettings> = {}): Computer {
    const random = this.random.fork('manager')
    return this.#add(MANAGER_AT, new ManagerHost({ random, digests: DIGESTS, settings }), [])
  }

  addPeer(port: number, options: Partial<PeerHostOptions> & { readonly files?: readonly MemoryFile[] } = {}): Computer {
    const { files = [] } = options
    const host = new PeerHost(
      {
        manager: MANAGER_AT,
        ttl: 0,
        receiveBuffer: 1 << 20,
        datagramMax: 8_972,
        wait: false,
        random: this.random.fork(`peer ${port}`),
        digests: DIGESTS,
        ...options,
        files,
      },
      this.now,
    )
    return this.#add({ address: '10.0.0.2', port }, host, files)
  }

  /** Gives a host an input. */
  step(computer: Computer, input: Input): void {
    this.#turn(computer, effects => computer.host.step(input, this.now, effects))
  }

  /** Puts datagrams into a host, all in one wake-up. @returns what the host sent at once */
  put(computer: Computer, datagrams: readonly Datagram[]): readonly Datagram[] {
    this.#received.clear()
    for (const { octets, from } of datagrams) this.#received.push(octets, from)
    return this.#turn(computer, effects => computer.host.receive(this.#received, this.now, effects))
  }

  /** Runs for `time` milliseconds or until `isOver`, which is asked at every instant at which something happens. */
  run(time: number, isOver: () => boolean = () => false): void {
    const end = instant(this.now + time)
    for (let steps = 0; !isOver(); steps++) {
      if (steps > 3_000_000) throw new Error(`no end in sight at ${this.now} ms`)
      const next = this.#next()
      if (next > end) {
        this.now = end
        return
      }
      this.now = instant(Math.max(next, this.now + 0.02))
      this.#step()
    }
  }

  #add(endpoint: Endpoint, host: Host, files: readonly MemoryFile[]): Computer {
    const computer = new Computer(endpoint, host, files)
    this.computers.set(endpointKey(endpoint), computer)
    return computer
  }

  #next(): Instant {
    let at = this.#tasks.earliest()
    for (const computer of this.computers.values()) if (isUp(computer)) at = earliest(at, computer.host.deadline())
    return at
  }

  #step(): void {
    for (let task = this.#tasks.takeDue(this.now); task !== undefined; task = this.#tasks.takeDue(this.now)) {
      if (task.kind === 'answer') {
        if (isUp(task.to)) this.step(task.to, task.input())
      } else {
        const computer = this.computers.get(endpointKey(task.datagram.to))
        if (computer !== undefined && isUp(computer)) this.put(computer, [task.datagram])
      }
    }
    for (const computer of this.computers.values()) {
      if (isUp(computer) && computer.host.deadline() <= this.now) this.step(computer, { kind: 'tick' })
    }
  }

  #turn(computer: Computer, input: (effects: Effect[]) => void): readonly Datagram[] {
    const effects: Effect[] = []
    input(effects)
    this.most.effects = Math.max(this.most.effects, effects.length)
    for (const effect of effects) this.#perform(computer, effect)
    const sent: Datagram[] = []
    for (;;) {
      this.#toSend.clear()
      computer.host.fill(this.#toSend, this.now)
      if (this.#toSend.count === 0) break
      for (let i = 0; i < this.#toSend.count; i++) sent.push(datagramAt(this.#toSend, i, computer.endpoint))
    }
    this.most.datagrams = Math.max(this.most.datagrams, sent.length)
    for (const datagram of sent) {
      this.watch(datagram)
      if (computer.isDead || !this.computers.has(endpointKey(datagram.to)) || this.loses(datagram)) continue
      this.#tasks.set({ kind: 'datagram', datagram }, instant(this.now + DELAY_MS))
    }
    return sent
  }

  #perform(computer: Computer, effect: Effect): void {
    if (effect.kind === 'report') computer.events.push(effect.event)
    else if (effect.kind === 'stopped') computer.stopped = effect.why
    else {
      const task: Task = { kind: 'answer', to: computer, input: () => answerTo(computer, effect) }
      this.#tasks.set(task, instant(this.now + DISK_MS))
    }
  }
}

export function sharedFile(size: number, seed = 1, name = 'shared_file.txt'): MemoryFile {
  return memoryFile(name, new SeededRandom(seed, 'content').octets(size))
}

function isUp(computer: Computer): boolean {
  return !computer.isDead && computer.stopped === undefined
}

function answerTo(computer: Computer, effect: Exclude<Effect, { kind: 'report' | 'stopped' }>): Input {
  if (effect.kind === 'read-block') return answerOf(computer, effect)
  return { ...(answerOf(computer, effect) as TargetAnswer), fetch: effect.fetch }
}

function answerOf(computer: Computer, effect: Exclude<Effect, { kind: 'report' | 'stopped' }>): Input {
  switch (effect.kind) {
    case 'read-block': {
      const { file, block } = effect
      if (computer.isDiskBroken) return { kind: 'block-read', file, block, data: undefined, why: 'has changed' }
      const start = block * BLOCK_BYTES
      const data = computer.files[file]!.content.slice(start, start + BLOCK_BYTES)
      return { kind: 'block-read', file, block, data }
    }
    case 'read-target': {
      const { block, leaf, fetch } = effect
      const data = targetOf(computer, fetch).slice(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
      if (Buffer.compare(leafHash(DIGESTS, data), leaf) !== 0) throw new Error(`block ${block} is served unverified`)
      return { kind: 'target-read', fetch, block, data }
    }
    case 'find-target':
      return { kind: 'target-found', found: undefined, error: undefined }
    case 'prepare-target':
      if (effect.fetch === undefined) computer.target = new Uint8Array(effect.size)
      else computer.targets.set(effect.fetch, new Uint8Array(effect.size))
      return { kind: 'target-ready', error: undefined }
    case 'flush-target':
      return { kind: 'target-flushed', error: undefined }
    case 'store-block': {
      const { fetch, block, data, leaf } = effect
      const isBad = leaf !== undefined && Buffer.compare(leafHash(DIGESTS, data), leaf) !== 0
      if (!isBad) targetOf(computer, fetch).set(data, block * BLOCK_BYTES)
      return { kind: 'block-stored', block, outcome: isBad ? 'bad' : 'stored' }
    }
    case 'finish-target':
      return { kind: 'target-finished', error: undefined }
  }
}

function targetOf(computer: Computer, fetch: number | undefined): Uint8Array {
  return (fetch === undefined ? computer.target : computer.targets.get(fetch))!
}

function datagramAt(batch: SendBatch, i: number, from: Endpoint): Datagram {
  const start = batch.payloadOffsets[i]!
  const head = batch.heads[i]!.subarray(0, batch.headLengths[i])
  const octets = new Uint8Array(head.length + batch.payloadLengths[i]!)
  octets.set(head)
  octets.set(batch.payloads[i]!.subarray(start, start + batch.payloadLengths[i]!), head.length)
  return { from, to: batch.to[i]!, octets }
}
