// What will happen, by instant and then in the order in which it was planned. An event is a few numbers in
// typed arrays, so that planning one allocates nothing.

/** What an event is; its subject is a slot of the datagram pool, a station, an order to a disk, or a script. */
export const EVENT = { AT_HUB: 0, ARRIVED: 1, WAKE: 2, TICK: 3, ANSWER: 4, SCRIPT: 5 } as const
export type EventKind = (typeof EVENT)[keyof typeof EVENT]

const FIRST_CAPACITY = 1_024

export class EventHeap {
  /** The event that `pop` took. */
  at = 0
  kind: EventKind = 0
  subject = 0

  #size = 0
  #order = 0
  #ats = new Float64Array(FIRST_CAPACITY)
  #orders = new Float64Array(FIRST_CAPACITY)
  #kinds = new Uint8Array(FIRST_CAPACITY)
  #subjects = new Int32Array(FIRST_CAPACITY)

  get size(): number {
    return this.#size
  }

  /** When the next event is due; Infinity without one. */
  get next(): number {
    return this.#size === 0 ? Infinity : this.#ats[0]!
  }

  push(at: number, kind: EventKind, subject: number): void {
    if (this.#size === this.#ats.length) this.#grow()
    const order = this.#order++
    let hole = this.#size++
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      if (this.#ats[parent]! <= at) break
      this.#move(parent, hole)
      hole = parent
    }
    this.#put(hole, at, order, kind, subject)
  }

  /** Takes the earliest event into `at`, `kind` and `subject`; false where there is none. */
  pop(): boolean {
    if (this.#size === 0) return false
    this.at = this.#ats[0]!
    this.kind = this.#kinds[0]! as EventKind
    this.subject = this.#subjects[0]!
    const last = --this.#size
    let hole = 0
    for (;;) {
      let child = 2 * hole + 1
      if (child >= last) break
      if (child + 1 < last && this.#isBefore(child + 1, child)) child++
      if (!this.#isBefore(child, last)) break
      this.#move(child, hole)
      hole = child
    }
    if (hole !== last) this.#move(last, hole)
    return true
  }

  #isBefore(a: number, b: number): boolean {
    const difference = this.#ats[a]! - this.#ats[b]!
    return difference < 0 || (difference === 0 && this.#orders[a]! < this.#orders[b]!)
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#ats[from]!, this.#orders[from]!, this.#kinds[from]!, this.#subjects[from]!)
  }

  #put(slot: number, at: number, order: number, kind: number, subject: number): void {
    this.#ats[slot] = at
    this.#orders[slot] = order
    this.#kinds[slot] = kind
    this.#subjects[slot] = subject
  }

  #grow(): void {
    const capacity = this.#ats.length * 2
    this.#ats = grown(this.#ats, new Float64Array(capacity))
    this.#orders = grown(this.#orders, new Float64Array(capacity))
    this.#kinds = grown(this.#kinds, new Uint8Array(capacity))
    this.#subjects = grown(this.#subjects, new Int32Array(capacity))
  }
}

function grown<T extends Float64Array | Uint8Array | Int32Array>(old: T, larger: T): T {
  larger.set(old)
  return larger
}
