// Receives datagrams into memory that is used again and again. With UDP_GRO one call brings many of one size from one
// source as one message; they are handed on as views of that memory, which are made once for each size.
import { constants } from 'node:os'
import { ReceiveBatch } from '../../wire/batch.js'
import { CHUNK_HEADER_BYTES } from '../../wire/layout.js'
import { type Libc, MSG_DONTWAIT, MSG_TRUNC, SOL_UDP, UDP_GRO } from './libc.js'
import { NativeMemory } from './native-memory.js'
import { KnownSources, SOCKET_ADDRESS_BYTES } from './socket-address.js'

const { EAGAIN } = constants.errno
/** A message never is longer. */
const MESSAGE_BYTES = 65_536
/** Between messages, so that their beginnings do not all compete for the same lines of the processor's caches. */
const SKEW_BYTES = 192
/** Messages of one batch: half a megabyte of joined datagrams stays in the cache until it is copied to its place. */
const MESSAGES = 8
/** Batches of one wake-up: bounded, so that timers and files have their turn. What is left wakes us again at once. */
const BATCHES_A_WAKE = 4
/** UDP_GRO_CNT_MAX: datagrams that the kernel joins. */
const SEGMENTS_MAX = 64
const SIZES_REMEMBERED = 4
const CONTROL_BYTES = 64

interface Views {
  readonly whole: Uint8Array[]
  readonly payloads: Uint8Array[]
}

export class TrainReceiver {
  calls = 0
  /** Datagrams from sources that can't be answered. */
  refused = 0
  errors = 0
  readonly #libc: Libc
  readonly #fd: number
  readonly #deliver: (batch: ReceiveBatch) => void
  readonly #batch = new ReceiveBatch(MESSAGES * SEGMENTS_MAX)
  readonly #memory: NativeMemory
  readonly #message: NativeMemory
  readonly #vector: NativeMemory
  readonly #control: NativeMemory
  readonly #address: NativeMemory
  readonly #sources = new KnownSources()
  /** By message: the views of its datagrams, by their size. */
  readonly #views: Map<number, Views>[] = Array.from({ length: MESSAGES }, () => new Map())
  #isClosed = false

  constructor(libc: Libc, fd: number, deliver: (batch: ReceiveBatch) => void) {
    this.#libc = libc
    this.#fd = fd
    this.#deliver = deliver
    const { msghdr, iovec } = libc.layouts
    this.#memory = new NativeMemory(libc, MESSAGES * (MESSAGE_BYTES + SKEW_BYTES))
    this.#message = new NativeMemory(libc, msghdr.size)
    this.#vector = new NativeMemory(libc, iovec.size)
    this.#control = new NativeMemory(libc, CONTROL_BYTES)
    this.#address = new NativeMemory(libc, SOCKET_ADDRESS_BYTES)
    this.#vector.setLong(iovec.length, MESSAGE_BYTES)
    this.#message.setLong(msghdr.name, this.#address.address)
    this.#message.setLong(msghdr.iov, this.#vector.address)
    this.#message.setLong(msghdr.iovLength, 1)
    this.#message.setLong(msghdr.control, this.#control.address)
  }

  /** Hands over what has come, within a bound. */
  receive(): void {
    for (let i = 0; i < BATCHES_A_WAKE && !this.#isClosed; i++) {
      const isMore = this.#fill()
      this.#batch.hasMore = isMore
      if (this.#batch.count > 0) this.#deliver(this.#batch)
      this.#batch.clear()
      if (!isMore) return
    }
  }

  /** Nothing is handed over from now on. */
  close(): void {
    this.#isClosed = true
  }

  /** @returns whether more may be waiting */
  #fill(): boolean {
    for (let i = 0; i < MESSAGES; i++) {
      const length = this.#receiveOne(i)
      if (length >= 0) this.#take(i, length)
      else if (this.#libc.errno() === EAGAIN) return false
      // An ICMP message about something that we sent; the next call reads on.
      else this.errors++
    }
    return true
  }

  #receiveOne(index: number): number {
    const { msghdr, iovec, cmsghdr } = this.#libc.layouts
    this.#vector.setLong(iovec.base, this.#memory.address + startOf(index))
    this.#message.setInt(msghdr.nameLength, SOCKET_ADDRESS_BYTES)
    this.#message.setLong(msghdr.controlLength, CONTROL_BYTES)
    this.#control.setInt(cmsghdr.level, 0)
    this.calls++
    return this.#libc.recvmsg(this.#fd, this.#message.address, MSG_DONTWAIT)
  }

  /** Adds the datagrams of one message to the batch. */
  #take(index: number, length: number): void {
    const from = this.#sources.read(this.#address, 0)
    if (from === undefined || (this.#message.getInt(this.#libc.layouts.msghdr.flags) & MSG_TRUNC) !== 0) {
      this.refused++
      return
    }
    const segment = this.#segmentSize() ?? length
    const whole = length === 0 ? 1 : Math.floor(length / segment)
    const views = this.#viewsOf(index, segment)
    for (let i = 0; i < whole; i++) {
      if (i === views.whole.length) this.#addView(views, index, i, segment)
      this.#batch.push(views.whole[i]!, from, views.payloads[i]!)
    }
    const rest = length - whole * segment
    if (rest === 0) return
    const start = startOf(index) + whole * segment
    this.#batch.push(this.#memory.octets.subarray(start, start + rest), from)
  }

  /** What the kernel says the datagrams' size is; undefined where it joined none. */
  #segmentSize(): number | undefined {
    const { msghdr, cmsghdr } = this.#libc.layouts
    if (this.#message.getLong(msghdr.controlLength) === 0) return undefined
    if (this.#control.getInt(cmsghdr.level) !== SOL_UDP || this.#control.getInt(cmsghdr.type) !== UDP_GRO)
      return undefined
    const size = this.#control.getInt(cmsghdr.data)
    return size > 0 ? size : undefined
  }

  #viewsOf(index: number, segment: number): Views {
    const bySize = this.#views[index]!
    let views = bySize.get(segment)
    if (views === undefined) {
      views = { whole: [], payloads: [] }
      if (bySize.size >= SIZES_REMEMBERED) bySize.delete(bySize.keys().next().value!)
      bySize.set(segment, views)
    }
    return views
  }

  #addView(views: Views, index: number, i: number, segment: number): void {
    const start = startOf(index) + i * segment
    const whole = this.#memory.octets.subarray(start, start + segment)
    views.whole.push(whole)
    views.payloads.push(whole.subarray(Math.min(segment, CHUNK_HEADER_BYTES)))
  }
}

function startOf(index: number): number {
  return index * (MESSAGE_BYTES + SKEW_BYTES)
}
