import { type EventEmitter, once } from 'node:events'
import { ASK, type ByteStream, type Opponent, SOCKET_BUFFER } from './opponent.js'

/** As much of the package as is used here: it has no types. */
interface Utp extends EventEmitter {
  bind(port: number, host: string): void
  listen(port: number, host: string): void
  connect(port: number, host: string): UtpConnection
  setRecvBufferSize(size: number): void
  setSendBufferSize(size: number): void
}

interface UtpConnection extends ByteStream {
  setContentSize(size: number): void
}

/** BitTorrent's libutp, whose LEDBAT gives way to everything else. */
export const utp: Opponent = {
  settings:
    'utp-native: one connection, written in pieces of 1 MiB, read in pieces of 64 KiB; socket buffers of 4 MiB asked for; LEDBAT is its own',

  async send(own, _other, onReady) {
    const server = await library()
    server.listen(own.port, own.host)
    widen(server)
    onReady()
    const [connection] = (await once(server, 'connection')) as [UtpConnection]
    await once(connection, 'data')
    return connection
  },

  async receive(own, other, size) {
    const client = await library()
    client.bind(own.port, own.host)
    widen(client)
    const connection = client.connect(other.port, other.host)
    connection.setContentSize(size)
    connection.write(ASK)
    return connection
  },
}

async function library(): Promise<Utp> {
  const name = 'utp-native'
  const { default: create } = (await import(name)) as { default: () => Utp }
  return create()
}

function widen(socket: Utp): void {
  socket.setRecvBufferSize(SOCKET_BUFFER)
  socket.setSendBufferSize(SOCKET_BUFFER)
}
