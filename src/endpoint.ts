/** Where a datagram comes from or goes to: a numeric IPv4 or IPv6 address, never a name, and a UDP port. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** One text for one endpoint, for maps and for people: `127.0.0.1:4000`, `[::1]:4000`. */
export function endpointKey(endpoint: Endpoint): string {
  return endpoint.address.includes(':')
    ? `[${endpoint.address}]:${endpoint.port}`
    : `${endpoint.address}:${endpoint.port}`
}

export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.address === b.address
}
