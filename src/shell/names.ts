// Names of hosts, resolved once at the start: the protocol knows numeric addresses only.
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Endpoint } from '../endpoint.js'
import { UsageError } from '../errors.js'

const PORT_MAX = 0xffff

/** @param text `HOST:PORT`, `192.0.2.1:5000`, `[::1]:5000`. @throws UsageError */
export async function resolveEndpoint(text: string): Promise<Endpoint> {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port < 1 || port > PORT_MAX) {
    throw new UsageError(`${JSON.stringify(text)} is not HOST:PORT (as in 192.0.2.1:5000 or [::1]:5000)`)
  }
  return { address: await resolveHost(match[1] ?? match[2]!), port }
}

/** The numeric address of a host, IPv4 where it has both. @throws UsageError */
export async function resolveHost(host: string): Promise<string> {
  if (isIP(host) !== 0) return host
  try {
    const { address } = await lookup(host, { verbatim: false })
    return address
  } catch (error) {
    throw new UsageError(`can't find the address of ${JSON.stringify(host)}: ${(error as NodeJS.ErrnoException).code}`)
  }
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

/** Where a process listens by default to reach `other`: on this host only, or on every interface. */
export function listenFor(other: string): string {
  if (other.includes(':')) return isLoopback(other) ? '::1' : '::'
  return isLoopback(other) ? '127.0.0.1' : '0.0.0.0'
}
