// Whom a collector pulls from: everyone who offers the whole content, and of those who collect it themselves so many, chosen by
// chance, that nobody is far from anybody; those who have all of it by now come first. Who is lost is replaced.
import type { Random } from '../ambient.js'
import { type Endpoint, sameEndpoint } from '../endpoint.js'
import type { ListedPeer } from '../membership/listed-peer.js'
import { SOURCES_MAX } from '../transfer/work.js'
import type { PeerId } from '../units.js'

interface Holder {
  readonly peer: ListedPeer
  isPartial: boolean
  /** It had a part only when it was first seen. */
  readonly isCollector: boolean
  state: 'spare' | 'used' | 'lost'
}

export class Sources {
  readonly #random: Random
  readonly #holders = new Map<PeerId, Holder>()
  #used = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** A peer is seen to offer the content. @returns whether it is used, and has all of it where it had a part before */
  see(peer: ListedPeer, isPartial: boolean): boolean {
    const known = this.#holders.get(peer.peer)
    if (known === undefined) {
      this.#holders.set(peer.peer, { peer, isPartial, isCollector: isPartial, state: 'spare' })
      return false
    }
    const becameWhole = known.isPartial && !isPartial
    known.isPartial = isPartial
    return becameWhole && known.state === 'used'
  }

  /** It left the list. */
  forget(peer: PeerId): void {
    if (this.#holders.get(peer)?.state === 'used') this.#used--
    this.#holders.delete(peer)
  }

  /** It is of no use any more; not taken again before it has left. */
  lose(endpoint: Endpoint): void {
    for (const holder of this.#holders.values()) {
      if (holder.state !== 'used' || !sameEndpoint(holder.peer.endpoint, endpoint)) continue
      holder.state = 'lost'
      this.#used--
    }
  }

  isPartial({ peer }: ListedPeer): boolean {
    return this.#holders.get(peer)?.isPartial ?? true
  }

  /** Those to be pulled from besides, in the order of their numbers. */
  take(): readonly ListedPeer[] {
    const spare = [...this.#holders.values()].filter(({ state }) => state === 'spare')
    const chosen = spare.filter(({ isCollector }) => !isCollector)
    for (const isPartial of [false, true]) {
      const alike = spare.filter(holder => holder.isCollector && holder.isPartial === isPartial)
      while (alike.length > 0 && this.#used + chosen.length < SOURCES_MAX) {
        chosen.push(...alike.splice(this.#random.u32() % alike.length, 1))
      }
    }
    this.#used += chosen.length
    for (const holder of chosen) holder.state = 'used'
    return chosen.map(({ peer }) => peer).sort((a, b) => a.peer - b.peer)
  }
}
