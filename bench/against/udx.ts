import { once } from 'node:events'
import type { Address } from '../places/places.js'
import { ASK, type ByteStream, type Opponent, SOCKET_BUFFER } from './opponent.js'

/** As much of the package as is used here: it has no types. */
interface Udx {
  createSocket(): UdxSocket
  createStream(id: number): ByteStream & { connect(socket: UdxSocket, id: number, port: number, host: string): void }
}

interface UdxSocket {
  bind(port: number, host: string): void
  setRecvBufferSize(size: number): void
  setSendBufferSize(size: number): void
}

const SENDER = 1
const RECEIVER = 2

/** Holepunch's reliable streams, BBR in C; neither encrypted nor verified. */
export const udx: Opponent = {
  settings:
    'udx-native: one stream, written in pieces of 1 MiB; socket buffers of 4 MiB asked for; BBR and MTU search are its own',

  async send(own, other, onReady) {
    const stream = await open(own, other, SENDER, RECEIVER)
    onReady()
    await once(stream, 'data')
    return stream
  },

  async receive(own, other) {
    const stream = await open(own, other, RECEIVER, SENDER)
    stream.write(ASK)
    return stream
  },
}

async function open(own: Address, other: Address, id: number, otherId: number): Promise<ByteStream> {
  const name = 'udx-native'
  const { default: UDX } = (await import(name)) as { default: new () => Udx }
  const library = new UDX()
  const socket = library.createSocket()
  socket.bind(own.port, own.host)
  socket.setRecvBufferSize(SOCKET_BUFFER)
  socket.setSendBufferSize(SOCKET_BUFFER)
  const stream = library.createStream(id)
  stream.connect(socket, otherId, other.port, other.host)
  return stream
}
