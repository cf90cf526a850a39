import type { EventEmitter } from 'node:events'
import type { Address } from '../places/places.js'

/** A transport to compare with. The receiver asks first, as a collector does; a sender that was asked sends one file. */
export interface Opponent {
  /** How it was made as fast as it can be; for people. */
  readonly settings: string
  /** @param onReady called when the receiver may ask @returns a stream to write the file to, as soon as it has */
  send(own: Address, other: Address, onReady: () => void): Promise<ByteStream>
  /** Asks. @param size octets that will come @returns a stream of them */
  receive(own: Address, other: Address, size: number): Promise<ByteStream>
}

/** What streams of all packages have in common, whatever they are made of. */
export interface ByteStream extends EventEmitter {
  /** @returns false where it is better to wait for `drain` */
  write(octets: Uint8Array): boolean
  end(): unknown
  pause(): unknown
  resume(): unknown
}

/** What is sent to ask. */
export const ASK = Buffer.from('?')
/** Octets that a socket is asked to hold, each way. */
export const SOCKET_BUFFER = 4 * 1024 * 1024
