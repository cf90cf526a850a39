// How long datagrams may be as far as this host's own interfaces go.
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { DATAGRAM_BYTES_MAX } from '../../wire/layout.js'
import type { SocketKind } from './socket.js'

/** IP and UDP headers. */
const HEADERS = { 4: 28, 6: 48 } as const
/** Of Ethernet: what is assumed where the system does not say. */
const MTU_USUAL = 1_500

/** Octets of an IP packet; undefined where the system doesn't say, which is everywhere but on Linux. */
export function mtuOf(name: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${name}/mtu`, 'utf8')) || undefined
  } catch {
    return undefined
  }
}

interface Interfaces {
  readonly [name: string]: readonly { readonly address: string; readonly internal: boolean }[] | undefined
}

/**
 * UDP payload of the longest datagram that a socket at this address should send.
 *
 * dgram can't forbid fragments, and a datagram in fragments would pass for one that the path carries. So beyond loopback it keeps
 * to what is usual, however much the first link carries. A batched socket on all interfaces, which does not know by which of them a datagram
 * leaves, is told what is too long.
 */
export function longestDatagram(
  address: string,
  kind: SocketKind,
  interfaces: Interfaces = networkInterfaces(),
  mtu = mtuOf,
): number {
  const isAny = address === '0.0.0.0' || address === '::'
  const used = Object.entries(interfaces).filter(([, addresses = []]) =>
    addresses.some(one => (isAny ? !one.internal : one.address === address || (one.internal && isLoopback(address)))),
  )
  const isWithin = used.every(([, addresses = []]) => addresses.some(one => one.internal))
  const mtus = used.map(([name]) => mtu(name) ?? MTU_USUAL)
  if (mtus.length === 0) mtus.push(MTU_USUAL)
  const longest = kind === 'batched' ? Math.max(...mtus) : Math.min(...mtus, isWithin ? Infinity : MTU_USUAL)
  return Math.min(DATAGRAM_BYTES_MAX, longest - HEADERS[address.includes(':') ? 6 : 4])
}

/** All of 127.0.0.0/8 is loopback's, whichever of it the interface shows. */
function isLoopback(address: string): boolean {
  return address.startsWith('127.')
}
