// What the links can carry at best. Sizes on a link are those of IP packets.
import { IP_UDP_BYTES } from '../src/sim/link.js'
import { CHUNK_HEADER_BYTES } from '../src/wire/layout.js'

/** Octets of the largest IP packet on an emulated link, as on Ethernet. */
export const MTU = 1_500
/** Octets of a full packet that are not the file's: 56. */
export const OVERHEAD_BYTES = IP_UDP_BYTES + CHUNK_HEADER_BYTES
/** Octets of the file in a full packet: 1444. */
export const PAYLOAD_BYTES = MTU - OVERHEAD_BYTES

/** From this moment of the transfer on the links carry so much, together, in Mbit/s. */
export interface Capacity {
  readonly seconds: number
  readonly rate: number
}

/** Mbit/s of file that links of `rate` Mbit/s carry where the share `loss` is lost after the bottleneck: no protocol can do better. */
export function limitOf(rate: number, loss: number): number {
  return (rate * (1 - loss) * PAYLOAD_BYTES) / MTU
}

/**
 * Seconds that links need at best for so many octets of file.
 *
 * @param capacity in the order of time, the first at 0
 */
export function secondsAtLimit(octets: number, capacity: readonly Capacity[], loss: number): number {
  let left = octets * 8
  for (const [at, { seconds, rate }] of capacity.entries()) {
    const bitsPerSecond = limitOf(rate, loss) * 1e6
    const until = capacity[at + 1]?.seconds ?? Infinity
    if (left <= bitsPerSecond * (until - seconds)) return seconds + left / bitsPerSecond
    left -= bitsPerSecond * (until - seconds)
  }
  return Infinity
}

/** Full datagrams a second on a link of `rate` Mbit/s. */
export function datagramsPerSecond(rate: number): number {
  return (rate * 1e6) / 8 / MTU
}
