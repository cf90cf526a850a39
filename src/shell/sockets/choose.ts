// Which socket a node gets: the batched one where it works, else dgram; or the one that was asked for.
import { UsageError } from '../../errors.js'
import { openBatchedSocket } from './batched.js'
import { openDgramSocket } from './dgram.js'
import { proveBatched } from './proof.js'
import type { OpenSocket, SocketKind } from './socket.js'

export interface Choice {
  readonly open: OpenSocket
  /** One line for the log where this machine gives less than it could; undefined where all is well. */
  readonly remark: string | undefined
}

/**
 * @param address that will be bound
 * @param wanted undefined: what works best here
 * @throws UsageError where batched sockets were asked for and don't work here
 */
export async function chooseSocket(address: string, wanted: SocketKind | undefined): Promise<Choice> {
  if (wanted === 'dgram') return { open: openDgramSocket, remark: undefined }
  const proof = await proveBatched(address.includes(':') ? 6 : 4)
  if (proof.kind === 'works') {
    const { libc, batching, remark } = proof
    const words = remark && `sockets: ${remark}; sending and receiving them one by one`
    return { open: async options => openBatchedSocket(libc, batching, options), remark: words }
  }
  if (wanted === 'batched') throw new UsageError(`--socket batched does not work here: ${proof.why}; leave it out`)
  // Elsewhere dgram is what there is.
  const remark = process.platform === 'linux' ? `sockets: one system call a datagram, because ${proof.why}` : undefined
  return { open: openDgramSocket, remark }
}
