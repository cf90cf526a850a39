// Sends a batch with as few system calls as it takes: neighbours that go to one place and are of one size, the last perhaps
// shorter, are one message, which the kernel cuts into datagrams (UDP_SEGMENT). Headers and payloads are told by their
// addresses and copied by nobody but the kernel.
import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import type { Endpoint } from '../../endpoint.js'
import type { SendBatch } from '../../wire/batch.js'
import { DATAGRAM_BYTES_MAX } from '../../wire/layout.js'
import { type Libc, MSG_DONTWAIT, SOL_UDP, UDP_SEGMENT } from './libc.js'
import { NativeMemory } from './native-memory.js'
import { KnownTargets, SOCKET_ADDRESS_BYTES } from './socket-address.js'

const { EAGAIN, ECONNREFUSED, EINTR, EINVAL, EIO, EMSGSIZE, ENOBUFS, ENOMEM } = constants.errno
/** Of a message: UDP_MAX_SEGMENTS of Linux before 6.9. */
const SEGMENTS_MAX = 64
/** A message with its headers is an IP packet of 64 KiB at most: the IPv6 header is the longer one. */
const MESSAGE_BYTES_MAX = DATAGRAM_BYTES_MAX - 20
const SEGMENT_SIZE_BYTES = 2
/** Where the ends of a datagram lie: its head and its payload. */
const PARTS = 2

export class SegmentSender {
  /** Datagrams that did not leave, by the name of the error. */
  readonly losses: Record<string, number> = {}
  lost = 0
  calls = 0
  readonly #libc: Libc
  readonly #fd: number
  #mayJoin: boolean
  readonly #message: NativeMemory
  readonly #control: NativeMemory
  readonly #controlLength: number
  readonly #address: NativeMemory
  readonly #targets: KnownTargets
  #to: Endpoint | undefined
  #toLength = 0
  /** Of the batch that was sent last: where its heads lie, which stays so. */
  #batch: SendBatch | undefined
  #vectors: NativeMemory
  readonly #payloads = new WeakMap<ArrayBufferLike, number>()

  /** @param mayJoin whether datagrams may be sent as segments of one message */
  constructor(libc: Libc, fd: number, family: 4 | 6, mayJoin: boolean) {
    this.#libc = libc
    this.#fd = fd
    this.#mayJoin = mayJoin
    const { msghdr, cmsghdr, pointerBytes } = libc.layouts
    this.#message = new NativeMemory(libc, msghdr.size)
    this.#address = new NativeMemory(libc, SOCKET_ADDRESS_BYTES)
    this.#targets = new KnownTargets(this.#address, family)
    this.#vectors = new NativeMemory(libc, 0)
    this.#controlLength = cmsghdr.data + Math.ceil(SEGMENT_SIZE_BYTES / pointerBytes) * pointerBytes
    this.#control = new NativeMemory(libc, this.#controlLength)
    this.#control.setLong(cmsghdr.length, cmsghdr.data + SEGMENT_SIZE_BYTES)
    this.#control.setInt(cmsghdr.level, SOL_UDP)
    this.#control.setInt(cmsghdr.type, UDP_SEGMENT)
    this.#message.setLong(msghdr.name, this.#address.address)
    this.#message.setLong(msghdr.control, this.#control.address)
  }

  get joins(): boolean {
    return this.#mayJoin
  }

  /**
   * Sends from slot `from` on.
   * @returns the first slot that the kernel has no room for now; `count` where there is none. What can't be sent is lost
   */
  send(batch: SendBatch, from: number): number {
    this.#describe(batch, from)
    for (let slot = from; slot < batch.count; ) {
      const end = this.#mayJoin ? trainEnd(batch, slot) : slot + 1
      const error = this.#sendTrain(batch, slot, end)
      if (error === EAGAIN) return slot
      if (error === EINTR) continue
      if (error === EIO || (error === EINVAL && end > slot + 1)) {
        // The interface can't compute checksums of segments, or takes no segments of this size: one by one will tell.
        if (error === EIO) this.#mayJoin = false
        const stopped = this.#sendSingly(batch, slot, end)
        if (stopped < end) return stopped
      } else if (error !== 0) this.#lose(error, end - slot)
      slot = end
    }
    return batch.count
  }

  #sendSingly(batch: SendBatch, from: number, end: number): number {
    for (let slot = from; slot < end; slot++) {
      const error = this.#sendTrain(batch, slot, slot + 1)
      if (error === EAGAIN) return slot
      if (error !== 0) this.#lose(error, 1)
    }
    return end
  }

  /** @returns 0, or the error */
  #sendTrain(batch: SendBatch, slot: number, end: number): number {
    if (!this.#aim(batch.to[slot]!)) return EINVAL
    const { msghdr, iovec, cmsghdr } = this.#libc.layouts
    this.#message.setLong(msghdr.iov, this.#vectors.address + slot * PARTS * iovec.size)
    this.#message.setLong(msghdr.iovLength, (end - slot) * PARTS)
    this.#message.setLong(msghdr.controlLength, end > slot + 1 ? this.#controlLength : 0)
    if (end > slot + 1) this.#control.setShort(cmsghdr.data, lengthAt(batch, slot))
    this.calls++
    if (this.#libc.sendmsg(this.#fd, this.#message.address, MSG_DONTWAIT) >= 0) return 0
    const error = this.#libc.errno()
    // An ICMP message about an earlier datagram: the call told it and did nothing else.
    if (error !== ECONNREFUSED) return error
    this.calls++
    return this.#libc.sendmsg(this.#fd, this.#message.address, MSG_DONTWAIT) >= 0 ? 0 : this.#libc.errno()
  }

  /** @returns false for what this socket can't reach */
  #aim(to: Endpoint): boolean {
    if (to !== this.#to) {
      this.#to = to
      this.#toLength = this.#targets.write(to)
      this.#message.setInt(this.#libc.layouts.msghdr.nameLength, this.#toLength)
    }
    return this.#toLength > 0
  }

  /** Writes where the parts of all datagrams lie. */
  #describe(batch: SendBatch, from: number): void {
    if (batch !== this.#batch) this.#prepare(batch)
    const { size, base, length } = this.#libc.layouts.iovec
    let payload: Uint8Array | undefined
    let payloadAddress = 0
    for (let slot = from; slot < batch.count; slot++) {
      const head = slot * PARTS * size
      this.#vectors.setLong(head + length, batch.headLengths[slot]!)
      const octets = batch.payloads[slot]!
      if (octets !== payload) {
        payload = octets
        payloadAddress = this.#addressOf(octets)
      }
      this.#vectors.setLong(head + size + base, payloadAddress + batch.payloadOffsets[slot]!)
      this.#vectors.setLong(head + size + length, batch.payloadLengths[slot]!)
    }
  }

  #prepare(batch: SendBatch): void {
    this.#batch = batch
    const { size, base } = this.#libc.layouts.iovec
    this.#vectors = new NativeMemory(this.#libc, batch.capacity * PARTS * size)
    for (let slot = 0; slot < batch.capacity; slot++) {
      this.#vectors.setLong(slot * PARTS * size + base, this.#addressOf(batch.heads[slot]!))
    }
  }

  #addressOf({ buffer, byteOffset }: Uint8Array): number {
    let address = this.#payloads.get(buffer)
    if (address === undefined) {
      address = this.#libc.addressOf(buffer)
      this.#payloads.set(buffer, address)
    }
    return address + byteOffset
  }

  #lose(error: number, datagrams: number): void {
    this.lost += datagrams
    const name = nameOf(error)
    this.losses[name] = (this.losses[name] ?? 0) + datagrams
  }
}

/** Behind the last datagram that may go into one message with `slot`. */
function trainEnd(batch: SendBatch, slot: number): number {
  const { to, count } = batch
  const segment = lengthAt(batch, slot)
  const limit = Math.min(count, slot + SEGMENTS_MAX, slot + Math.max(1, Math.floor(MESSAGE_BYTES_MAX / segment)))
  let end = slot + 1
  while (end < limit && to[end] === to[slot]) {
    const length = lengthAt(batch, end)
    if (length > segment) break
    end++
    if (length < segment) break
  }
  return end
}

function lengthAt(batch: SendBatch, slot: number): number {
  return batch.headLengths[slot]! + batch.payloadLengths[slot]!
}

/** How the losses are told: too large for the link, no room in its queue, or as the system calls it. */
function nameOf(error: number): string {
  if (error === EMSGSIZE) return 'too-large'
  if (error === ENOBUFS || error === ENOMEM) return 'no-buffers'
  return getSystemErrorName(-error)
}
