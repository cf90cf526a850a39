// What a peer holds and offers: its own files, and what it fetches, as far as that has come.
import type { FullTree, HashTree } from '../content/tree.js'
import { offersFit } from '../membership/offers.js'
import type { Have } from '../transfer/have.js'
import type { Ended, Uploads } from '../transfer/uploads.js'
import type { Offer } from '../wire/message.js'
import type { FetchKey } from './contract.js'

export interface HeldFile {
  readonly offer: Offer
  readonly tree: FullTree
}

interface HeldTarget {
  readonly offer: Offer
  readonly have: Have
  /** By which the uploads know it. */
  readonly key: number
  /** Its file is whole, and in its place. */
  isWhole: boolean
}

export class Holdings {
  /** The offers changed: the manager is to hear of it. */
  isChanged = false
  readonly files: HeldFile[]
  readonly #uploads: Uploads
  readonly #targets = new Map<FetchKey | undefined, HeldTarget>()

  constructor(files: readonly HeldFile[], uploads: Uploads) {
    this.files = [...files]
    this.#uploads = uploads
  }

  /** As many of them as a registration carries: own files first. */
  get offers(): readonly Offer[] {
    const offers = this.files.map(file => file.offer)
    for (const { offer, isWhole } of this.#targets.values()) {
      const { name, size, root } = offer
      const next: Offer = isWhole ? { name, size, root } : { name, size, root, isPartial: true }
      if (offersFit([...offers, next])) offers.push(next)
    }
    return offers
  }

  /** Offers one more file. @returns its key */
  addFile(file: HeldFile): number {
    this.files.push(file)
    this.isChanged = true
    return this.#uploads.add(file)
  }

  /** Serves a fetch as far as it has come. */
  begin(fetch: FetchKey | undefined, offer: Offer, tree: HashTree, have: Have): void {
    const key = this.#uploads.addTarget({ tree, have, fetch })
    this.#targets.set(fetch, { offer, have, key, isWhole: false })
    this.isChanged = true
  }

  /** The fetch has all that it wanted. @returns whether that is the whole content, which is served on then */
  complete(fetch: FetchKey | undefined): boolean {
    const target = this.#targets.get(fetch)
    if (target === undefined || !target.have.isWhole) return false
    target.isWhole = true
    this.isChanged = true
    return true
  }

  /** The name of what a fetch left to be served; undefined where there is none. */
  nameOfWhole(fetch: FetchKey | undefined): string | undefined {
    const target = this.#targets.get(fetch)
    return target?.isWhole ? target.offer.name : undefined
  }

  /** It can be served no more. @returns whom to tell so */
  end(fetch: FetchKey | undefined): readonly Ended[] {
    const target = this.#targets.get(fetch)
    if (target === undefined) return []
    this.#targets.delete(fetch)
    this.isChanged = true
    return this.#uploads.removeTarget(target.key)
  }
}
