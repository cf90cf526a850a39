import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { ASK, type Opponent } from './opponent.js'

/** The kernel's TCP. Which congestion control, and how large its buffers may grow, is set for the namespace. */
export const tcp: Opponent = {
  settings: 'TCP: the kernel’s own, through node:net, written in pieces of 1 MiB; buffers may grow to 64 MiB each way',

  async send(own, _other, onReady) {
    const server = createServer({ noDelay: true }).listen(own.port, own.host)
    await once(server, 'listening')
    onReady()
    const [socket] = (await once(server, 'connection')) as [Socket]
    server.close()
    await once(socket, 'data')
    return socket
  },

  async receive(own, other) {
    const socket = connect({ ...other, localAddress: own.host, noDelay: true })
    socket.write(ASK)
    return socket
  },
}
