// What the kernel holds for a socket between two wake-ups.

/** What Linux charges beside the datagram itself: 212 KB hold about 90 datagrams of 1400 octets. */
const OVERHEAD_BYTES = 900

export class ReceiveBuffer {
  readonly #capacity: number
  #slots: number[] = []
  #bytes = 0

  /** @param capacity octets, as SO_RCVBUF grants them */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get isEmpty(): boolean {
    return this.#slots.length === 0
  }

  /** @returns false where the buffer is full: the datagram is lost */
  add(slot: number, octets: number): boolean {
    const cost = octets + OVERHEAD_BYTES
    if (this.#bytes + cost > this.#capacity) return false
    this.#bytes += cost
    this.#slots.push(slot)
    return true
  }

  /** Takes all slots, in the order of arrival. */
  drain(): readonly number[] {
    const slots = this.#slots
    this.#slots = []
    this.#bytes = 0
    return slots
  }
}
