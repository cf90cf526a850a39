import { PortError } from '../../errors.js'
import type { SocketOptions } from './socket.js'

/** Why a port can't be had, in words that say what to do. @param code as EADDRINUSE */
export function portError(code: string | undefined, message: string, { address, port }: SocketOptions): PortError {
  switch (code) {
    case 'EADDRINUSE':
      return new PortError(`port ${port} is in use; pick another`)
    case 'EACCES':
      return new PortError(`port ${port} may not be used: ports below 1024 need special rights; pick another`)
    case 'EADDRNOTAVAIL':
      return new PortError(`${address} is not an address of this host`)
    default:
      return new PortError(`port ${port} at ${address} can't be used: ${message}`)
  }
}
