// The socket that works everywhere: dgram-as-promised over Node's dgram, one system call a datagram.
//
// Its promises are for binding and closing only. On the data path the wrapped socket is used, without a callback: then
// Node makes neither promise nor closure for us, and tries a plain system call first. What the system refuses (no route, too
// large) can't be seen that way, and need not be: it is a datagram lost on the way.
import { setTimeout } from 'node:timers/promises'
import { DgramAsPromised, type SocketAsPromised, type SocketAsPromisedOptions } from 'dgram-as-promised'
import type { Endpoint } from '../../endpoint.js'
import type { SendBatch } from '../../wire/batch.js'
import { DATAGRAM_BYTES_MAX } from '../../wire/layout.js'
import { Inbox } from './inbox.js'
import { portError } from './port-error.js'
import type { Socket, SocketOptions } from './socket.js'

/** The default of 212 KB holds about 90 datagrams: less than what comes while one block is hashed. */
const BUFFER_BYTES = 4 * 1024 * 1024
const BUFFER_BYTES_MIN = 64 * 1024
/** Datagrams that may wait in this process for the kernel's buffer to drain, and the memory they wait in. */
const QUEUE_MAX = 1_024
const QUEUE_BYTES = 4 * 1024 * 1024
/** How long `close` waits for that queue: 20 times 5 ms. */
const CLOSE_WAITS = 20
const CLOSE_WAIT_MS = 5

/** The `dgram` module to use: a test hands in its own. */
export type DgramModule = NonNullable<SocketAsPromisedOptions['dgram']>

/** @throws PortError where the address or port can't be had */
export async function openDgramSocket(options: SocketOptions, dgram?: DgramModule): Promise<Socket> {
  const family = options.address.includes(':') ? 6 : 4
  const inbox = new Inbox(options.onReceive)
  const promised = DgramAsPromised.createSocket(
    {
      type: `udp${family}`,
      // Otherwise IPv4 addresses would show up here as `::ffff:a.b.c.d`, which no other socket can send to.
      ipv6Only: family === 6,
      // Addresses are numeric: without this, each `send` would wait a turn for a look-up of nothing.
      lookup: (address, _, done) => done(null, address, family),
      ...(dgram && { dgram }),
    },
    inbox.take,
  )
  let errors = 0
  // The wrapper keeps an error for its next call, which we never make; without a listener Node would throw.
  promised.socket.on('error', () => errors++)
  try {
    await promised.bind({ port: options.port, address: options.address, exclusive: true })
  } catch (error) {
    await promised.close()
    const { code, message } = error as NodeJS.ErrnoException
    throw portError(code, message, options)
  }
  return new DgramSocket(promised, inbox, () => errors)
}

class DgramSocket implements Socket {
  readonly kind = 'dgram'
  readonly local: Endpoint
  readonly receiveBuffer: number
  readonly sendBuffer: number
  readonly maxDatagram: number
  readonly #promised: SocketAsPromised
  readonly #inbox: Inbox
  readonly #errors: () => number
  /** Where datagrams lie from `send` until the kernel has them: a ring that starts over whenever nothing waits. */
  readonly #memory = new Uint8Array(QUEUE_BYTES)
  #used = 0
  #waiting = 0
  #lost = 0
  #closed: Promise<void> | undefined

  constructor(promised: SocketAsPromised, inbox: Inbox, errors: () => number) {
    this.#promised = promised
    this.#inbox = inbox
    this.#errors = errors
    const { socket } = promised
    const { address, port } = socket.address()
    this.local = { address, port }
    askForBuffer(size => socket.setRecvBufferSize(size))
    askForBuffer(size => socket.setSendBufferSize(size))
    // Not from the wrapper: its getSendBufferSize calls itself for ever.
    this.receiveBuffer = socket.getRecvBufferSize()
    this.sendBuffer = socket.getSendBufferSize()
    this.maxDatagram = Math.min(DATAGRAM_BYTES_MAX, this.sendBuffer)
  }

  send(batch: SendBatch): number {
    let taken = 0
    for (let slot = 0; slot < batch.count; slot++) if (this.#sendOne(batch, slot)) taken++
    this.#lost += batch.count - taken
    return taken
  }

  /** Node queues what the kernel has no room for, and tells nobody when there is room again. */
  get isFull(): boolean {
    return false
  }

  openTimer(): undefined {
    return undefined
  }

  counters(): Readonly<Record<string, number>> {
    return {
      'socket:send-lost': this.#lost,
      'socket:bad-source': this.#inbox.refused,
      'socket:errors': this.#errors(),
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#drainAndClose()
    return this.#closed
  }

  #sendOne(batch: SendBatch, slot: number): boolean {
    const { socket } = this.#promised
    const { address, port } = batch.to[slot]!
    const headLength = batch.headLengths[slot]!
    const payloadLength = batch.payloadLengths[slot]!
    const length = headLength + payloadLength
    // A list may name port 0, and Node throws on it: nothing that came from the network may throw.
    if (this.#closed !== undefined || port === 0) return false
    if (this.#waiting >= QUEUE_MAX || this.#used + length > QUEUE_BYTES) {
      this.#noteQueue(0)
      if (this.#waiting > 0) return false
    }
    // One copy makes the datagram contiguous, and keeps it as it is if it has to wait.
    this.#memory.set(batch.heads[slot]!.subarray(0, headLength), this.#used)
    if (payloadLength > 0) {
      const offset = batch.payloadOffsets[slot]!
      const payload = batch.payloads[slot]!.subarray(offset, offset + payloadLength)
      this.#memory.set(payload, this.#used + headLength)
    }
    socket.send(this.#memory, this.#used, length, port, address)
    this.#noteQueue(length)
    return true
  }

  /** What the kernel has taken needs its memory no more; where its buffer was full, libuv still points into ours. */
  #noteQueue(length: number): void {
    this.#waiting = this.#promised.socket.getSendQueueCount()
    this.#used = this.#waiting === 0 ? 0 : this.#used + length
  }

  async #drainAndClose(): Promise<void> {
    this.#inbox.close()
    const { socket } = this.#promised
    for (let i = 0; i < CLOSE_WAITS && socket.getSendQueueCount() > 0; i++) await setTimeout(CLOSE_WAIT_MS)
    await this.#promised.close()
  }
}

/** Linux grants what it can; others refuse what is above their limit: ask those for less. */
function askForBuffer(set: (size: number) => void): void {
  for (let size = BUFFER_BYTES; size >= BUFFER_BYTES_MIN; size /= 2) {
    try {
      set(size)
      return
    } catch {}
  }
}
