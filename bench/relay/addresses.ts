// The addresses of places that are namespaces: that with number i is 10.77.0.(i + 1).
const NETWORK = [10, 77, 0] as const
const PREFIX_BITS = 24

const IPV4 = 4
const IPV4_HEADER_BYTES = 20
const DESTINATION_AT = 16

export function hostOf(place: number): string {
  return [...NETWORK, place + 1].join('.')
}

/** The same with the length of the network's prefix, as `ip addr add` wants it. */
export function interfaceOf(place: number): string {
  return `${hostOf(place)}/${PREFIX_BITS}`
}

/** All places. */
export function networkOf(): string {
  return `${[...NETWORK, 0].join('.')}/${PREFIX_BITS}`
}

/** The number of the place that an IP packet is for; -1 for what is for nobody, as what the kernel says of itself in IPv6 is. */
export function placeOf(packet: Uint8Array): number {
  if (packet.length < IPV4_HEADER_BYTES || packet[0]! >> 4 !== IPV4) return -1
  const isOurs = NETWORK.every((octet, at) => packet[DESTINATION_AT + at] === octet)
  return isOurs ? packet[DESTINATION_AT + NETWORK.length]! - 1 : -1
}
