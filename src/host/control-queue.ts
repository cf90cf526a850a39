// What every host does with datagrams that are not bulk: reads those that came, keeps those to be sent until the driver
// takes them, and counts both.
import type { SendBatch } from '../wire/batch.js'
import { decode } from '../wire/decode.js'
import { encode } from '../wire/encode.js'
import type { Malformed, Message } from '../wire/message.js'
import type { Outgoing } from '../wire/outgoing.js'

/** Numbers that only grow, by name. */
export class Counters {
  readonly #counts = new Map<string, number>()

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count)
  }

  /** A copy. */
  all(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }
}

/** A burst to a full list is far smaller: machines pace what they say of their own accord. */
const CAPACITY = 16_384

/**
 * Control messages between the machines of a host and its driver. When it is full, what is newest is dropped and counted:
 * every control message that matters is said again until it is answered.
 */
export class ControlQueue {
  readonly counters = new Counters()
  readonly #capacity: number
  #waiting: Outgoing[] = []
  /** Of `#waiting`, how many were sent. */
  #sent = 0

  constructor(capacity = CAPACITY) {
    this.#capacity = capacity
  }

  get length(): number {
    return this.#waiting.length - this.#sent
  }

  /** The message in a datagram that came; undefined, and counted by its reason, if it is malformed. */
  read(datagram: Uint8Array): Message | undefined {
    const message: Message | Malformed = decode(datagram)
    if (message.kind === 'malformed') {
      this.counters.add(`malformed.${message.reason}`)
      return undefined
    }
    this.counters.add(`received.${message.kind}`)
    return message
  }

  /** Takes all of `out`, which is empty afterwards. */
  take(out: Outgoing[]): void {
    for (const outgoing of out) {
      if (this.length < this.#capacity) this.#waiting.push(outgoing)
      else this.counters.add('dropped.queue-full')
    }
    out.length = 0
  }

  /** Appends datagrams in the order in which they were taken, until none is left or the batch is full. */
  fill(batch: SendBatch): void {
    while (this.#sent < this.#waiting.length && !batch.isFull) {
      const { to, message } = this.#waiting[this.#sent++]!
      batch.push(to, encode(message, batch.head))
      this.counters.add(`sent.${message.kind}`)
    }
    // Half of it or more is behind us: what is left moves to the front, at a bounded cost for each datagram.
    if (this.#sent * 2 < this.#waiting.length) return
    this.#waiting = this.#waiting.slice(this.#sent)
    this.#sent = 0
  }
}
