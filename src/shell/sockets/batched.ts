// The socket that puts many datagrams into one system call (Linux): a plain non-blocking UDP socket made through the C
// library. It sets DF: a datagram is never cut into fragments, and one that is too large for the link is told at once.
import { setTimeout } from 'node:timers/promises'
import { getSystemErrorName } from 'node:util'
import type { Endpoint } from '../../endpoint.js'
import { SendBatch } from '../../wire/batch.js'
import { DATAGRAM_BYTES_MAX } from '../../wire/layout.js'
import { sharedBlock } from '../shared-blocks.js'
import { type ExactTimer, openExactTimer } from './exact-timer.js'
import * as libc from './libc.js'
import { NativeMemory } from './native-memory.js'
import { portError } from './port-error.js'
import { SegmentSender } from './segment-sender.js'
import type { Socket, SocketOptions } from './socket.js'
import { readSocketAddress, SOCKET_ADDRESS_BYTES, writeSocketAddress } from './socket-address.js'
import { TrainReceiver } from './train-receiver.js'

const BUFFER_BYTES = 4 * 1024 * 1024
/** How long `close` waits for what the system has no room for: 20 times 5 ms. */
const CLOSE_WAITS = 20
const CLOSE_WAIT_MS = 5

/** What may be asked of the kernel; each has shown to work before. */
export interface Batching {
  /** Many datagrams sent as one message (UDP_SEGMENT). */
  readonly joinsSent: boolean
  /** Many datagrams received as one message (UDP_GRO). */
  readonly joinsReceived: boolean
}

/** @throws PortError where the address or port can't be had */
export function openBatchedSocket(library: libc.Libc, batching: Batching, options: SocketOptions): BatchedSocket {
  const family = options.address.includes(':') ? 6 : 4
  const type = libc.SOCK_DGRAM | libc.SOCK_NONBLOCK | libc.SOCK_CLOEXEC
  const fd = library.socket(family === 4 ? libc.AF_INET : libc.AF_INET6, type, 0)
  if (fd < 0) throw systemError(library, options)
  try {
    const local = bind(library, fd, family, options)
    return new BatchedSocket(library, fd, family, local, batching, options)
  } catch (error) {
    library.close(fd)
    throw error
  }
}

export class BatchedSocket implements Socket {
  readonly kind = 'batched'
  readonly local: Endpoint
  readonly receiveBuffer: number
  readonly sendBuffer: number
  readonly maxDatagram: number
  readonly blockMemory = () => sharedBlock(this.#libc.plainView)
  readonly #libc: libc.Libc
  readonly #fd: number
  readonly #sender: SegmentSender
  readonly #receiver: TrainReceiver
  readonly #watch: libc.Watch
  readonly #onRoom: (() => void) | undefined
  /** What the kernel had no room for: copied, because whoever sent it uses its memory again. */
  #waiting: SendBatch | undefined
  #waitingFrom = 0
  #lost = 0
  #closed: Promise<void> | undefined
  #isClosed = false

  constructor(
    library: libc.Libc,
    fd: number,
    family: 4 | 6,
    local: Endpoint,
    batching: Batching,
    options: SocketOptions,
  ) {
    this.#libc = library
    this.#fd = fd
    this.local = local
    this.#onRoom = options.onRoom
    libc.setIntOption(library, fd, libc.SOL_SOCKET, libc.SO_RCVBUF, BUFFER_BYTES)
    libc.setIntOption(library, fd, libc.SOL_SOCKET, libc.SO_SNDBUF, BUFFER_BYTES)
    this.receiveBuffer = libc.getIntOption(library, fd, libc.SOL_SOCKET, libc.SO_RCVBUF) ?? 0
    this.sendBuffer = libc.getIntOption(library, fd, libc.SOL_SOCKET, libc.SO_SNDBUF) ?? 0
    this.maxDatagram = Math.min(DATAGRAM_BYTES_MAX, this.sendBuffer)
    setDontFragment(library, fd, family)
    if (batching.joinsReceived) libc.setIntOption(library, fd, libc.SOL_UDP, libc.UDP_GRO, 1)
    this.#sender = new SegmentSender(library, fd, family, batching.joinsSent)
    this.#receiver = new TrainReceiver(library, fd, options.onReceive)
    this.#watch = library.watch(fd)
    this.#watchFor(false)
  }

  get isFull(): boolean {
    return this.#waiting !== undefined
  }

  /** Whether datagrams still go out as segments of one message. */
  get joins(): boolean {
    return this.#sender.joins
  }

  /** Datagrams that the system refused, by the name of the error. */
  get losses(): Readonly<Record<string, number>> {
    return this.#sender.losses
  }

  send(batch: SendBatch): number {
    if (this.#isClosed || this.#closed !== undefined || this.#waiting !== undefined) {
      this.#lost += batch.count
      return 0
    }
    const before = this.#sender.lost
    const stopped = this.#sender.send(batch, 0)
    if (stopped < batch.count) this.#keep(batch, stopped)
    return batch.count - (this.#sender.lost - before)
  }

  openTimer(ring: () => void): ExactTimer | undefined {
    return openExactTimer(this.#libc, ring)
  }

  counters(): Readonly<Record<string, number>> {
    const losses = Object.entries(this.#sender.losses).map(([name, count]) => [`socket:send-${name}`, count])
    return {
      'socket:send-lost': this.#lost + this.#sender.lost,
      'socket:bad-source': this.#receiver.refused,
      'socket:errors': this.#receiver.errors,
      'socket:send-calls': this.#sender.calls,
      'socket:receive-calls': this.#receiver.calls,
      ...Object.fromEntries(losses),
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#drainAndClose()
    return this.#closed
  }

  #watchFor(writable: boolean): void {
    this.#watch.start({ readable: true, writable }, events => {
      if (events.writable) this.#sendWaiting()
      if (this.#closed === undefined) this.#receiver.receive()
    })
  }

  #keep(batch: SendBatch, from: number): void {
    this.#waiting = copyOf(batch, from)
    this.#waitingFrom = 0
    this.#watchFor(true)
  }

  #sendWaiting(): void {
    if (this.#waiting === undefined) return
    this.#waitingFrom = this.#sender.send(this.#waiting, this.#waitingFrom)
    if (this.#waitingFrom < this.#waiting.count) return
    this.#waiting = undefined
    this.#watchFor(false)
    if (this.#closed === undefined) this.#onRoom?.()
  }

  async #drainAndClose(): Promise<void> {
    this.#receiver.close()
    for (let i = 0; i < CLOSE_WAITS && this.isFull; i++) await setTimeout(CLOSE_WAIT_MS)
    this.#isClosed = true
    this.#watch.close()
    this.#libc.close(this.#fd)
  }
}

function bind(library: libc.Libc, fd: number, family: 4 | 6, options: SocketOptions): Endpoint {
  const address = new NativeMemory(library, SOCKET_ADDRESS_BYTES)
  const length = new NativeMemory(library, 8)
  if (family === 6) libc.setIntOption(library, fd, libc.IPPROTO_IPV6, libc.IPV6_V6ONLY, 1)
  const octets = writeSocketAddress(address, 0, options, family)
  if (octets === 0) throw portError('EADDRNOTAVAIL', '', options)
  if (library.bind(fd, address.address, octets) < 0) throw systemError(library, options)
  length.setInt(0, SOCKET_ADDRESS_BYTES)
  if (library.getsockname(fd, address.address, length.address) < 0) throw systemError(library, options)
  return readSocketAddress(address, 0) ?? { address: options.address, port: 0 }
}

function setDontFragment(library: libc.Libc, fd: number, family: 4 | 6): void {
  const [level, option] =
    family === 4 ? [libc.IPPROTO_IP, libc.IP_MTU_DISCOVER] : [libc.IPPROTO_IPV6, libc.IPV6_MTU_DISCOVER]
  libc.setIntOption(library, fd, level, option, libc.PMTUDISC_PROBE)
  if (family === 6) libc.setIntOption(library, fd, libc.IPPROTO_IPV6, libc.IPV6_DONTFRAG, 1)
}

function systemError(library: libc.Libc, options: SocketOptions) {
  const name = getSystemErrorName(-library.errno())
  return portError(name, name, options)
}

/** The datagrams of a batch from one slot on, in memory of their own. */
function copyOf(batch: SendBatch, from: number): SendBatch {
  const copy = new SendBatch(batch.count - from)
  for (let slot = from; slot < batch.count; slot++) {
    const headLength = batch.headLengths[slot]!
    const offset = batch.payloadOffsets[slot]!
    copy.head.set(batch.heads[slot]!.subarray(0, headLength))
    copy.push(
      batch.to[slot]!,
      headLength,
      new Uint8Array(batch.payloads[slot]!.subarray(offset, offset + batch.payloadLengths[slot]!)),
      0,
      batch.payloadLengths[slot]!,
    )
  }
  return copy
}
