// What a driver needs of a UDP socket. It moves batches, so that an implementation may put a batch into one system call.
import type { Endpoint } from '../../endpoint.js'
import type { ReceiveBatch, SendBatch } from '../../wire/batch.js'
import type { ExactTimer } from './exact-timer.js'

/** dgram: Node's own, a system call a datagram; batched: many datagrams a call, on Linux. */
export type SocketKind = 'dgram' | 'batched'

export interface SocketOptions {
  /** Numeric IPv4 or IPv6 address to bind; an IPv6 socket carries no IPv4. */
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  /** Takes the datagrams of one wake-up; the batch is used again once it returns. Never called after `close`. */
  readonly onReceive: (batch: ReceiveBatch) => void
  /** `isFull` was true and is not any more. Never called after `close`. */
  readonly onRoom?: () => void
}

export interface Socket {
  readonly kind: SocketKind
  readonly local: Endpoint
  /** Octets that the system granted, counted as the system counts (Linux counts its own overhead in). */
  readonly receiveBuffer: number
  readonly sendBuffer: number
  /** The largest datagram that `send` can hand to the system, in octets. */
  readonly maxDatagram: number
  /** What was sent last waits for room in the system: what is sent now would be lost if more than that had to wait. */
  readonly isFull: boolean
  /** @returns how many datagrams the system took or will take; the others count as lost on the way */
  send(batch: SendBatch): number
  /** A timer for less than a millisecond; undefined where there is none. */
  openTimer(ring: () => void): ExactTimer | undefined
  /** Memory for a block that is received: BLOCK_BYTES; undefined where there is none better than any other. */
  readonly blockMemory?: (() => Uint8Array) | undefined
  /** What was dropped here, by reason. */
  counters(): Readonly<Record<string, number>>
  /** Ends once what was sent has left, within a bound; may be called again. */
  close(): Promise<void>
}

/** @throws PortError where the address or port can't be had */
export type OpenSocket = (options: SocketOptions) => Promise<Socket>
