// What a collector should fetch: the offer of a name, out of all that the list shows. Pure choice, no state.
import type { ListedPeer } from '../membership/listed-peer.js'
import type { Offer } from '../wire/message.js'

export interface Choice {
  readonly offer: Offer
  readonly why: 'own file' | 'most peers' | 'only offer'
  /** How many other roots are offered under that name. */
  readonly otherRoots: number
  /** Who offers it besides the collector, in the order of their numbers. */
  readonly holders: readonly ListedPeer[]
}

/**
 * Where offers of a name have different roots, the collector's own file's root counts, and without one the root that most
 * peers have wholly; between equals, the one that most have in part; then the one of the peer that came first.
 * @param peers all that are listed but the collector itself
 * @returns undefined where nobody offers the name
 */
export function chooseOffer(name: string, own: Offer | undefined, peers: Iterable<ListedPeer>): Choice | undefined {
  const byRoot = new Map<string, { offer: Offer; holders: ListedPeer[]; wholes: number }>()
  if (own !== undefined) byRoot.set(identity(own), { offer: own, holders: [], wholes: 0 })
  for (const peer of [...peers].sort((a, b) => a.peer - b.peer)) {
    for (const offer of peer.offers) {
      if (offer.name !== name) continue
      const { size, root } = offer
      const known = byRoot.get(identity(offer)) ?? { offer: { name, size, root }, holders: [], wholes: 0 }
      known.holders.push(peer)
      if (!offer.isPartial) known.wholes++
      byRoot.set(identity(offer), known)
    }
  }
  if (byRoot.size === 0) return undefined
  const otherRoots = byRoot.size - 1
  const { offer, holders } = own === undefined ? best(byRoot.values()) : byRoot.get(identity(own))!
  const why = own !== undefined ? 'own file' : otherRoots === 0 ? 'only offer' : 'most peers'
  return { offer, why, otherRoots, holders }
}

function best<Found extends { readonly holders: readonly ListedPeer[]; readonly wholes: number }>(
  all: Iterable<Found>,
) {
  return [...all].reduce((a, b) => ((b.wholes - a.wholes || b.holders.length - a.holders.length) > 0 ? b : a))
}

/** Who offers this very content, in the order of their numbers. */
export function chooseHolders(wanted: Offer, peers: Iterable<ListedPeer>): Choice | undefined {
  const holders = [...peers].filter(peer => offersContent(peer, wanted)).sort((a, b) => a.peer - b.peer)
  if (holders.length === 0) return undefined
  return { offer: wanted, why: 'only offer', otherRoots: 0, holders }
}

/** Whether a peer offers this very content, by whatever name. */
export function offersContent({ offers }: ListedPeer, wanted: Offer): boolean {
  return offers.some(offer => identity(offer) === identity(wanted))
}

/** Whether a peer that offers this content has only a part of it. */
export function holdsPart({ offers }: ListedPeer, wanted: Offer): boolean {
  return offers.every(offer => identity(offer) !== identity(wanted) || offer.isPartial === true)
}

function identity(offer: Offer): string {
  return `${offer.size}/${offer.root.join()}`
}
