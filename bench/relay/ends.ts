import { TAG, TAG_AT } from '../../src/wire/layout.js'
import type { DataKind } from './messages.js'

/** Where datagrams come into the relay, and leave it: sockets of loopback, or devices of namespaces. */
export interface Ends {
  readonly count: number
  /** Gives what arrived to the process at `to`. */
  deliver(message: Uint8Array, from: number, to: number): void
  /** Datagrams that came while the relay was too busy to take them; undefined where the system doesn't say. */
  overruns(): Promise<number | undefined>
  close(): void
}

/**
 * Takes what a process sent.
 *
 * @param octets of UDP payload, or of an IP packet less the headers of one with UDP
 * @param payloadAt where that payload is in the message
 */
export type Receive = (message: Uint8Array, from: number, to: number, octets: number, payloadAt: number) => void

/** What is shorter is no data. */
const LARGE = 300

/** @param message whose UDP payload is `octets` long, from `payloadAt` on */
export function isData(kind: DataKind, message: Uint8Array, octets: number, payloadAt: number): boolean {
  return kind === 'chunks' ? message[payloadAt + TAG_AT] === TAG.CHUNK : octets >= LARGE
}
