// Where the octets of a content came from, summed up by peer.
import { type Endpoint, endpointKey } from '../endpoint.js'
import type { FragmentReport } from '../transfer/report.js'

export interface Giver {
  readonly peer: Endpoint
  /** Octets taken from it. */
  readonly bytes: number
  /** Of these, in the place of another peer, which was slower or left. */
  readonly repaired: number
  /** Datagrams that it sent again because one was lost. */
  readonly resent: number
}

export interface Provenance {
  /** Who gave most first. */
  readonly givers: readonly Giver[]
  /** Octets that were on this host: what an earlier run left, an own offer. */
  readonly local: number
  /** Of these, in the place of a peer that left. */
  readonly repaired: number
}

/** @param fragments of all transfers that brought the content */
export function provenanceOf(fragments: readonly FragmentReport[]): Provenance {
  const givers = new Map<string, { peer: Endpoint; bytes: number; repaired: number; resent: number }>()
  let local = 0
  let repaired = 0
  for (const { owner, sources, localBytes, localWhy } of fragments) {
    local += localBytes
    if (localWhy.includes('peer left') || localWhy.includes('no other source')) repaired += localBytes
    for (const { endpoint, bytes, retransmitted } of sources) {
      const key = endpointKey(endpoint)
      const giver = givers.get(key) ?? { peer: endpoint, bytes: 0, repaired: 0, resent: 0 }
      givers.set(key, giver)
      giver.bytes += bytes
      giver.resent += retransmitted
      if (owner === undefined || endpointKey(owner) !== key) giver.repaired += bytes
    }
  }
  return { givers: [...givers.values()].sort((a, b) => b.bytes - a.bytes), local, repaired }
}
