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
 * peers offer; between equals, the one of the peer that came first.
 * @param peers all that are listed but the collector itself
 * @returns undefined where nobody offers the name
 */
export function chooseOffer(name: string, own: Offer | undefined, peers: Iterable<ListedPeer>): Choice | undefined {
  const byRoot = new Map<string, { offer: Offer; holders: ListedPeer[] }>()
  if (own !== undefined) byRoot.set(identity(own), { offer: own, holders: [] })
  for (const peer of [...peers].sort((a, b) => a.peer - b.peer)) {
    const offer = peer.offers.find(candidate => candidate.name === name)
    if (offer === undefined) continue
    const known = byRoot.get(identity(offer))
    if (known === undefined) byRoot.set(identity(offer), { offer, holders: [peer] })
    else known.holders.push(peer)
  }
  if (byRoot.size === 0) return undefined
  const otherRoots = byRoot.size - 1
  if (own !== undefined) return { ...byRoot.get(identity(own))!, why: 'own file', otherRoots }
  const most = [...byRoot.values()].reduce((a, b) => (b.holders.length > a.holders.length ? b : a))
  return { ...most, why: otherRoots === 0 ? 'only offer' : 'most peers', otherRoots }
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

function identity(offer: Offer): string {
  return `${offer.size}/${offer.root.join()}`
}
