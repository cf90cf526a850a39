// The memory in which datagrams pass between a host and its socket. It is made once and reused:
// nothing is allocated for a datagram here.
import type { Endpoint } from '../endpoint.js'
import { assert } from '../errors.js'
import { CHUNK_HEADER_BYTES } from './layout.js'

const NOWHERE: Endpoint = { address: '0.0.0.0', port: 0 }
const EMPTY = new Uint8Array(0)

/** Datagrams that came in one wake-up. They are valid until the host's `receive` returns. */
export class ReceiveBatch {
  count = 0
  /** More came by then, and waits in the socket: how fast these were read says nothing of how fast they came. */
  hasMore = false
  readonly capacity: number
  readonly data: Uint8Array[]
  readonly from: Endpoint[]
  /** What of a datagram lies behind the header of a CHUNK, where whoever received it has a view of that already. */
  readonly #payloads: (Uint8Array | undefined)[]

  constructor(capacity: number) {
    this.capacity = capacity
    this.data = new Array(capacity).fill(EMPTY)
    this.from = new Array(capacity).fill(NOWHERE)
    this.#payloads = new Array(capacity).fill(undefined)
  }

  get isFull(): boolean {
    return this.count === this.capacity
  }

  push(data: Uint8Array, from: Endpoint, payload?: Uint8Array): void {
    assert(this.count < this.capacity, 'receive batch overflow')
    this.data[this.count] = data
    this.from[this.count] = from
    this.#payloads[this.count] = payload
    this.count++
  }

  /** A CHUNK's payload. */
  payload(index: number): Uint8Array {
    return this.#payloads[index] ?? this.data[index]!.subarray(CHUNK_HEADER_BYTES)
  }

  clear(): void {
    this.count = 0
    this.hasMore = false
  }
}

/** Octets that a slot's head holds: a whole control datagram, or the header of a bulk one. */
export const HEAD_BYTES = 1_472

/**
 * Datagrams to be sent: slot i is `heads[i]` up to `headLengths[i]`, followed by `payloadLengths[i]` octets of
 * `payloads[i]` from `payloadOffsets[i]`. A payload stays unchanged until the socket's `send` has returned.
 */
export class SendBatch {
  count = 0
  readonly capacity: number
  readonly heads: Uint8Array[]
  readonly headLengths: Uint32Array
  readonly payloads: Uint8Array[]
  readonly payloadOffsets: Uint32Array
  readonly payloadLengths: Uint32Array
  readonly to: Endpoint[]

  constructor(capacity: number) {
    this.capacity = capacity
    const memory = new Uint8Array(capacity * HEAD_BYTES)
    this.heads = Array.from({ length: capacity }, (_, i) => memory.subarray(i * HEAD_BYTES, (i + 1) * HEAD_BYTES))
    this.headLengths = new Uint32Array(capacity)
    this.payloads = new Array(capacity).fill(EMPTY)
    this.payloadOffsets = new Uint32Array(capacity)
    this.payloadLengths = new Uint32Array(capacity)
    this.to = new Array(capacity).fill(NOWHERE)
  }

  get isFull(): boolean {
    return this.count === this.capacity
  }

  /** The memory in which the next datagram's head is written before `push`. */
  get head(): Uint8Array {
    assert(this.count < this.capacity, 'send batch overflow')
    return this.heads[this.count]!
  }

  /** Takes the head just written and an optional payload as one datagram. */
  push(to: Endpoint, headLength: number, payload: Uint8Array = EMPTY, offset = 0, length = 0): void {
    const slot = this.count++
    this.headLengths[slot] = headLength
    this.payloads[slot] = payload
    this.payloadOffsets[slot] = offset
    this.payloadLengths[slot] = length
    this.to[slot] = to
  }

  clear(): void {
    this.payloads.fill(EMPTY, 0, this.count)
    this.count = 0
  }
}
