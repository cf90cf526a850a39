// What the links can carry at best. Sizes on a link are those of IP packets.
import { IP_UDP_BYTES } from '../src/sim/link.js'
import { CHUNK_HEADER_BYTES } from '../src/wire/layout.js'

/** Octets of the largest IP packet on an emulated link, as on Ethernet. */
export const MTU = 1_500
/** Octets of the file in a full datagram: 1444. */
export const PAYLOAD_BYTES = MTU - IP_UDP_BYTES - CHUNK_HEADER_BYTES

/** Mbit/s of file that links of `rate` Mbit/s carry where the share `loss` is lost after the bottleneck: no protocol can do better. */
export function limitOf(rate: number, loss: number): number {
  return (rate * (1 - loss) * PAYLOAD_BYTES) / MTU
}

/** Full datagrams a second on a link of `rate` Mbit/s. */
export function datagramsPerSecond(rate: number): number {
  return (rate * 1e6) / 8 / MTU
}
