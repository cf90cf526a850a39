// Small hosts that say little, to test the world itself.
import type { Endpoint } from '../../src/endpoint.js'
import type { Effect, Host, Input } from '../../src/host/contract.js'
import type { HostFactory } from '../../src/sim/surroundings.js'
import { after, type Instant, instant, NEVER } from '../../src/units.js'
import type { ReceiveBatch, SendBatch } from '../../src/wire/batch.js'
import { TAG, TAG_AT } from '../../src/wire/layout.js'

export const endpoint = (n: number): Endpoint => ({ address: `10.0.0.${n}`, port: 4000 })

/** Keeps what it is given; by default it neither sends nor asks for anything. */
export class QuietHost implements Host {
  readonly inputs: { readonly input: Input; readonly now: Instant }[] = []
  readonly batches: { readonly numbers: readonly number[]; readonly now: Instant }[] = []

  get numbers(): number[] {
    return this.batches.flatMap(batch => batch.numbers)
  }

  receive(batch: ReceiveBatch, now: Instant, _effects: Effect[]): void {
    const numbers = []
    for (let i = 0; i < batch.count; i++) numbers.push(numberOf(batch.data[i]!))
    this.batches.push({ numbers, now })
  }

  step(input: Input, now: Instant, effects: Effect[]): void {
    this.inputs.push({ input, now })
    if (input.kind === 'stop') effects.push({ kind: 'stopped', why: 'asked' })
  }

  fill(_batch: SendBatch, _now: Instant): void {}

  deadline(): Instant {
    return NEVER
  }

  counters(): Readonly<Record<string, number>> {
    return {}
  }
}

export interface Flow {
  readonly to: Endpoint
  readonly count: number
  /** Octets of a datagram. */
  readonly size: number
  /** Mbit/s of UDP payload; Infinity = all at once. */
  readonly rate: number
}

/** Sends numbered datagrams at a steady pace. */
export class FloodHost extends QuietHost {
  sent = 0
  readonly #flow: Flow
  readonly #start: Instant

  constructor(flow: Flow, now: Instant) {
    super()
    this.#flow = flow
    this.#start = now
  }

  override fill(batch: SendBatch, now: Instant): void {
    while (this.deadline() <= now && !batch.isFull) {
      const head = batch.head
      head.fill(0, 0, this.#flow.size)
      head[TAG_AT] = TAG.CHUNK
      new DataView(head.buffer, head.byteOffset).setUint32(NUMBER_AT, ++this.sent)
      batch.push(this.#flow.to, this.#flow.size)
    }
  }

  override deadline(): Instant {
    const { count, size, rate } = this.#flow
    if (this.sent >= count) return NEVER
    return after(this.#start, rate === Infinity ? 0 : (this.sent * size * 8) / (rate * 1_000))
  }
}

/** Sends each datagram back to where it came from; of one turn, at most 64. */
export class EchoHost extends QuietHost {
  readonly #due: { readonly to: Endpoint; readonly data: Uint8Array }[] = []

  override receive(batch: ReceiveBatch, now: Instant, effects: Effect[]): void {
    super.receive(batch, now, effects)
    for (let i = 0; i < batch.count; i++) this.#due.push({ to: batch.from[i]!, data: batch.data[i]!.slice() })
  }

  override fill(batch: SendBatch): void {
    for (const { to, data } of this.#due.splice(0)) {
      batch.head.set(data)
      batch.push(to, data.length)
    }
  }
}

/** Gives its orders with the first tick. */
export class OrderingHost extends QuietHost {
  readonly #orders: readonly Effect[]
  #deadline = instant(0)

  constructor(orders: readonly Effect[]) {
    super()
    this.#orders = orders
  }

  override step(input: Input, now: Instant, effects: Effect[]): void {
    super.step(input, now, effects)
    if (input.kind !== 'tick') return
    this.#deadline = NEVER
    effects.push(...this.#orders)
  }

  override deadline(): Instant {
    return this.#deadline
  }
}

/** A factory, and the host that it made last. */
export function making<T extends Host>(make: (now: Instant) => T): { factory: HostFactory; host: () => T } {
  let made: T | undefined
  return {
    factory: ({ now }) => {
      made = make(now)
      return made
    },
    host: () => made as T,
  }
}

const NUMBER_AT = 2

function numberOf(data: Uint8Array): number {
  return data.length < NUMBER_AT + 4 ? -1 : new DataView(data.buffer, data.byteOffset).getUint32(NUMBER_AT)
}
