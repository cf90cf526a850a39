// struct sockaddr_in and sockaddr_in6 <-> endpoints. Both begin with the family in the machine's own order; port and address
// follow in network order (POSIX, netinet/in.h). Whoever was met once costs no object again.
import { type Endpoint, endpointKey } from '../../endpoint.js'
import { assert } from '../../errors.js'
import { formatAddress, parseAddress } from '../../wire/address.js'
import { AF_INET, AF_INET6 } from './libc.js'
import type { NativeMemory } from './native-memory.js'

export const SOCKET_ADDRESS_BYTES = 28
const IPV4_BYTES = 16
const PORT_AT = 2
const IPV4_AT = 4
const IPV6_AT = 8
/** Of a link-local IPv6 address: which interface. */
const SCOPE_AT = 24
/** Endpoints remembered; then all are forgotten, so that strangers can't fill memory. */
const REMEMBERED_MAX = 4_096
/** Of them, those that are found without making a text of their address. */
const RECENT_MAX = 16
const INT_BYTES = 4
/** Family, port and address of IPv4; padding follows. */
const IPV4_COMPARED = 8

/** Writes an endpoint. @returns octets, or 0 where it is none of this family */
export function writeSocketAddress(into: NativeMemory, at: number, { address, port }: Endpoint, family: 4 | 6): number {
  const octets = parseAddress(address)
  if (octets === undefined || octets.length !== (family === 4 ? 4 : 16)) return 0
  into.octets.fill(0, at, at + SOCKET_ADDRESS_BYTES)
  into.setShort(at, family === 4 ? AF_INET : AF_INET6)
  into.octets[at + PORT_AT] = port >> 8
  into.octets[at + PORT_AT + 1] = port & 0xff
  into.octets.set(octets, at + (family === 4 ? IPV4_AT : IPV6_AT))
  return family === 4 ? IPV4_BYTES : SOCKET_ADDRESS_BYTES
}

/** @returns undefined for what can't be answered: port 0 (RFC 768), an address that means something on one link alone */
export function readSocketAddress(from: NativeMemory, at: number): Endpoint | undefined {
  const { octets } = from
  const family = from.getShort(at)
  assert(family === AF_INET || family === AF_INET6, `an address of family ${family}`)
  const port = (octets[at + PORT_AT]! << 8) | octets[at + PORT_AT + 1]!
  if (port === 0) return undefined
  if (family === AF_INET) return { address: formatAddress(octets.subarray(at + IPV4_AT, at + IPV4_AT + 4)), port }
  if (from.getInt(at + SCOPE_AT) !== 0) return undefined
  return { address: formatAddress(octets.subarray(at + IPV6_AT, at + IPV6_AT + 16)), port }
}

/** Where datagrams came from: one object for each endpoint, so that the data path allocates none. */
export class KnownSources {
  readonly #byKey = new Map<string, Endpoint>()
  /** The last ones, as their addresses stand in memory: who collects from several peers hears them in turn. */
  readonly #recent: { readonly ints: Int32Array; readonly source: Endpoint }[] = []
  #next = 0

  /** As `readSocketAddress`. */
  read(from: NativeMemory, at: number): Endpoint | undefined {
    const count = (from.getShort(at) === AF_INET ? IPV4_COMPARED : SOCKET_ADDRESS_BYTES) / INT_BYTES
    for (const { ints, source } of this.#recent) if (isSame(from, at, ints, count)) return source
    const source = readSocketAddress(from, at)
    if (source === undefined) return undefined
    const known = this.#known(source)
    const ints = Int32Array.from({ length: SOCKET_ADDRESS_BYTES / INT_BYTES }, (_, i) =>
      from.getInt(at + i * INT_BYTES),
    )
    this.#recent[this.#next++ % RECENT_MAX] = { ints, source: known }
    return known
  }

  #known(source: Endpoint): Endpoint {
    const key = endpointKey(source)
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    if (this.#byKey.size >= REMEMBERED_MAX) this.#byKey.clear()
    this.#byKey.set(key, source)
    return source
  }
}

/** IPv6's flow label is the sender's whim, but the same for a flow. */
function isSame(from: NativeMemory, at: number, ints: Int32Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (from.getInt(at + i * INT_BYTES) !== ints[i]) return false
  return true
}

/** Where datagrams go to, as the system wants to be told: written once for each endpoint. */
export class KnownTargets {
  readonly #family: 4 | 6
  readonly #written = new WeakMap<Endpoint, Uint8Array>()
  readonly #into: NativeMemory

  /** @param into where `write` writes to, from its start */
  constructor(into: NativeMemory, family: 4 | 6) {
    this.#into = into
    this.#family = family
  }

  /** @returns octets, or 0 for what this family can't reach */
  write(to: Endpoint): number {
    const written = this.#written.get(to)
    if (written !== undefined) {
      this.#into.octets.set(written)
      return written.length
    }
    // A list may name port 0: nowhere.
    const length = to.port === 0 ? 0 : writeSocketAddress(this.#into, 0, to, this.#family)
    this.#written.set(to, this.#into.octets.slice(0, length))
    return length
  }
}
