import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** UDP ports of loopback that are free now; another process could still take one before we do. */
export async function freePorts(count: number): Promise<number[]> {
  const sockets = Array.from({ length: count }, () => createSocket('udp4'))
  for (const socket of sockets) socket.bind(0, '127.0.0.1')
  await Promise.all(sockets.map(socket => once(socket, 'listening')))
  const ports = sockets.map(socket => socket.address().port)
  for (const socket of sockets) socket.close()
  return ports
}
