// The relay's ends on loopback, and no protocol knows that they are there.
//
// Each process has its own port, and a face: a socket of the relay under which the others know it. What A sends to B's
// face came from A's port, so the relay knows both ends; it leaves through A's face to B's own port. The manager sees, and lists,
// faces only, and a datagram's source is always the face that the list names: no datagram has to be rewritten.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Ends, Receive } from './ends.js'
import { overruns } from './overruns.js'

const LOOPBACK = '127.0.0.1'
/** A core taken away for 50 ms must not cost datagrams that the links would have carried. */
const BUFFER_BYTES = 4 * 1024 * 1024

export class Faces implements Ends {
  readonly #faces: readonly Socket[]
  readonly #ports: readonly number[]
  readonly #placeAt = new Map<number, number>()
  readonly #receive: Receive

  /** @param ports of the processes */
  static async open(ports: readonly number[], receive: Receive): Promise<Faces> {
    const faces = ports.map(() => createSocket({ type: 'udp4', lookup: numeric }))
    // Listened for first: without a look-up, a socket is bound before `bind` returns.
    const bound = faces.map(face => once(face, 'listening'))
    for (const face of faces) face.bind(0, LOOPBACK)
    await Promise.all(bound)
    return new Faces(faces, ports, receive)
  }

  private constructor(faces: readonly Socket[], ports: readonly number[], receive: Receive) {
    this.#faces = faces
    this.#ports = ports
    this.#receive = receive
    for (const [place, port] of ports.entries()) this.#placeAt.set(port, place)
    for (const [to, face] of faces.entries()) {
      askForBuffer(face)
      face.on('message', (message, source) => this.#onMessage(message, source, to))
      // The port of a process that has ended refuses: a datagram lost.
      face.on('error', () => {})
    }
  }

  get count(): number {
    return this.#faces.length
  }

  /** Under which the others see each process. */
  get ports(): readonly number[] {
    return this.#faces.map(face => face.address().port)
  }

  deliver(message: Uint8Array, from: number, to: number): void {
    this.#faces[from]!.send(message, this.#ports[to]!, LOOPBACK)
  }

  overruns(): Promise<number | undefined> {
    return overruns(this.ports)
  }

  close(): void {
    for (const face of this.#faces) face.close()
  }

  #onMessage(message: Buffer, source: RemoteInfo, to: number): void {
    const from = this.#placeAt.get(source.port)
    if (from !== undefined) this.#receive(message, from, to, message.length, 0)
  }
}

/** Some systems refuse what is above their limit instead of granting it. */
function askForBuffer(socket: Socket): void {
  for (let size = BUFFER_BYTES; size > 0; size = Math.floor(size / 2)) {
    try {
      socket.setRecvBufferSize(size)
      socket.setSendBufferSize(size)
      return
    } catch {}
  }
}

/** Addresses are numeric: without this, each `send` would wait a turn for a look-up of nothing. */
function numeric(address: string, _: unknown, done: (error: null, address: string, family: number) => void): void {
  done(null, address, 4)
}
