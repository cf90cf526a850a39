// Memory of the datagrams that are under way, used again as they arrive or vanish.
import type { SendBatch } from '../wire/batch.js'
import { DATAGRAM_BYTES_MAX } from '../wire/layout.js'

/** Two sizes of memory: almost every datagram fits an Ethernet frame. */
const SMALL_BYTES = 2_048
/** What a released datagram is overwritten with: a host that kept a view of it shows at once. */
const POISON = 0xdb

export class DatagramPool {
  /** By slot: the datagram's octets, exactly. */
  readonly data: Uint8Array[] = []
  /** By slot: indices of the stations. */
  readonly from: number[] = []
  readonly to: number[] = []
  /** Slots in use. */
  inUse = 0

  readonly #memory: Uint8Array[] = []
  readonly #freeSmall: number[] = []
  readonly #freeLarge: number[] = []

  /** Copies datagram `i` of a batch, as a socket does. @returns its slot */
  takeFrom(batch: SendBatch, i: number, from: number, to: number): number {
    const head = batch.headLengths[i]!
    const payload = batch.payloadLengths[i]!
    const slot = this.#take(head + payload, from, to)
    const data = this.data[slot]!
    data.set(batch.heads[i]!.subarray(0, head))
    if (payload > 0) {
      const offset = batch.payloadOffsets[i]!
      data.set(batch.payloads[i]!.subarray(offset, offset + payload), head)
    }
    return slot
  }

  copy(slot: number): number {
    const original = this.data[slot]!
    const copy = this.#take(original.length, this.from[slot]!, this.to[slot]!)
    this.data[copy]!.set(original)
    return copy
  }

  truncate(slot: number, length: number): void {
    this.data[slot] = this.#memory[slot]!.subarray(0, length)
  }

  release(slot: number): void {
    this.inUse--
    this.data[slot]!.fill(POISON)
    const isSmall = this.#memory[slot]!.length === SMALL_BYTES
    ;(isSmall ? this.#freeSmall : this.#freeLarge).push(slot)
  }

  #take(length: number, from: number, to: number): number {
    this.inUse++
    const isSmall = length <= SMALL_BYTES
    const slot = (isSmall ? this.#freeSmall : this.#freeLarge).pop() ?? this.#memory.length
    if (slot === this.#memory.length) {
      this.#memory.push(new Uint8Array(isSmall ? SMALL_BYTES : DATAGRAM_BYTES_MAX))
      this.data.push(this.#memory[slot]!)
    }
    if (this.data[slot]!.length !== length) this.data[slot] = this.#memory[slot]!.subarray(0, length)
    this.from[slot] = from
    this.to[slot] = to
    return slot
  }
}
