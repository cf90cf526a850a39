// What happened: always the last datagrams and a hash over all of them, and everything to whoever watches.
import type { Endpoint } from '../endpoint.js'
import type { HostEvent } from '../host/contract.js'
import type { Instant } from '../units.js'
import { describe } from '../wire/describe.js'

/** Sees everything in the order in which it happens. `data` is valid only during the call. */
export interface Watcher {
  sent?(at: Instant, from: Endpoint, to: Endpoint, data: Uint8Array): void
  /** @param fate what became of it: `carried`, or the name of a counter of the link or station that dropped it */
  datagram?(at: Instant, from: string, to: string, fate: string, data: Uint8Array): void
  event?(at: Instant, host: string, event: HostEvent): void
}

const TAIL_COUNT = 40
/** Octets of a datagram that go into the hash: every header, and the first of its content. */
const HASHED_BYTES = 48

interface TailEntry {
  at: number
  from: string
  to: string
  fate: string
  length: number
  memory: Uint8Array
}

export class Trace {
  /** Grows equal in two runs only while both see the same datagrams at the same instants. */
  hash = 0x811c9dc5
  datagrams = 0
  readonly #watchers: readonly Watcher[]
  readonly #tail: TailEntry[] = []

  constructor(watchers: readonly Watcher[]) {
    this.#watchers = watchers
  }

  datagram(at: Instant, from: string, to: string, fate: string, data: Uint8Array): void {
    const entry = this.#nextEntry(data.length)
    entry.at = at
    entry.from = from
    entry.to = to
    entry.fate = fate
    entry.length = data.length
    entry.memory.set(data)
    this.#mix(Math.round(at * 1e6))
    this.#mix(data.length)
    const hashed = Math.min(data.length, HASHED_BYTES)
    for (let i = 0; i < hashed; i++) this.#mix(data[i]!)
    for (const watcher of this.#watchers) watcher.datagram?.(at, from, to, fate, data)
  }

  sent(at: Instant, from: Endpoint, to: Endpoint, data: Uint8Array): void {
    for (const watcher of this.#watchers) watcher.sent?.(at, from, to, data)
  }

  event(at: Instant, host: string, event: HostEvent): void {
    for (const watcher of this.#watchers) watcher.event?.(at, host, event)
  }

  /** The last datagrams, one a line, oldest first. */
  tail(): string {
    const oldest = this.datagrams % TAIL_COUNT
    const entries = [...this.#tail.slice(oldest), ...this.#tail.slice(0, oldest)]
    return entries.map(tailLine).join('\n')
  }

  #nextEntry(length: number): TailEntry {
    const slot = this.datagrams++ % TAIL_COUNT
    if (this.#tail.length <= slot) this.#tail.push(emptyEntry())
    const entry = this.#tail[slot]!
    if (entry.memory.length < length) entry.memory = new Uint8Array(length)
    return entry
  }

  #mix(value: number): void {
    this.hash = Math.imul(this.hash ^ value, 0x01000193) >>> 0
  }
}

function emptyEntry(): TailEntry {
  return { at: 0, from: '', to: '', fate: '', length: 0, memory: new Uint8Array(2_048) }
}

function tailLine({ at, from, to, fate, length, memory }: TailEntry): string {
  return `  ${at.toFixed(3)} ms  ${from} -> ${to}  ${length} octets, ${fate}: ${describe(memory.subarray(0, length))}`
}
