import { OFFERS_MAX, REGISTER_BYTES_MAX, REGISTER_OFFERS_AT } from '../wire/layout.js'
import type { Offer } from '../wire/message.js'
import { offersSize } from '../wire/size.js'

/** Whether a REGISTER can carry these offers; then any LIST entry can. */
export function offersFit(offers: readonly Offer[]): boolean {
  return offers.length <= OFFERS_MAX && REGISTER_OFFERS_AT + offersSize(offers) <= REGISTER_BYTES_MAX
}

export function sameOffers(a: readonly Offer[], b: readonly Offer[]): boolean {
  return a.length === b.length && a.every((offer, i) => sameOffer(offer, b[i]!))
}

function sameOffer(a: Offer, b: Offer): boolean {
  const isAlike = a.name === b.name && a.size === b.size && a.isPartial === b.isPartial
  return isAlike && a.root.every((octet, i) => octet === b.root[i])
}
