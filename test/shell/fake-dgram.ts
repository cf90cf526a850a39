import { EventEmitter } from 'node:events'
import type { Endpoint } from '../../src/endpoint.js'

const NOWHERE: Endpoint = { address: '127.0.0.1', port: 9 }

/** A node:dgram of which a test says what the kernel does. It keeps the very memory that it was given. */
export class FakeSocket extends EventEmitter {
  bindError: string | undefined
  bufferMax = Number.POSITIVE_INFINITY
  isBlocked = false
  isClosed = false
  #queued = 0
  #sent: Uint8Array[] = []
  #buffer = 0

  bind(): void {
    if (this.bindError === undefined) this.emit('listening')
    else this.emit('error', Object.assign(new Error(this.bindError), { code: this.bindError }))
  }
  address(): Endpoint {
    return NOWHERE
  }
  send(memory: Uint8Array, offset: number, length: number): void {
    this.#sent.push(memory.subarray(offset, offset + length))
    if (this.isBlocked) this.#queued++
  }
  getSendQueueCount(): number {
    return this.#queued
  }
  setRecvBufferSize(size: number): void {
    if (size > this.bufferMax) throw new Error('ENOBUFS')
    this.#buffer = size
  }
  setSendBufferSize(size: number): void {
    this.setRecvBufferSize(size)
  }
  getRecvBufferSize(): number {
    return this.#buffer
  }
  getSendBufferSize(): number {
    return this.#buffer
  }
  close(): void {
    this.isClosed = true
    this.emit('close')
  }
  drain(): void {
    this.#queued = 0
    this.#sent = []
  }
  texts(): string[] {
    return this.#sent.map(octets => Buffer.from(octets).toString())
  }
}
