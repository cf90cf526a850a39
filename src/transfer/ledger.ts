// Where every octet of the file came from, by fragment: what the collector prints at the end.
import type { Fragment } from '../content/layout.js'
import { chunkBytes, fragmentAt } from '../content/layout.js'
import type { Wanted } from '../content/wanted.js'
import type { Endpoint } from '../endpoint.js'
import { chunkIndex } from '../units.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import type { OpenBlock } from './assembly.js'
import type { FragmentReport, FragmentSource, LocalWhy } from './report.js'

/** Source numbers below PATH_SOURCES_FROM are local, by reason: the own file, or what an earlier run left; 0 is none. */
export const LOCAL_SOURCES: Readonly<Record<Exclude<LocalWhy, 'earlier run'>, number>> = {
  'own fragment': 1,
  'peer left': 2,
  'no other source': 3,
}
const EARLIER_RUN = 4
export const PATH_SOURCES_FROM = 5

const LOCAL_WHY: readonly LocalWhy[] = ['own fragment', 'peer left', 'no other source', 'earlier run']

interface Tally {
  bytes: number
  chunks: number
  retransmitted: number
}

export class Ledger {
  readonly fragments: readonly Fragment[]
  readonly #wanted: Wanted
  readonly #owners: readonly (Endpoint | undefined)[]
  readonly #tallies: readonly Map<number, Tally>[]
  readonly #duplicates: number[]

  /** @param owners by fragment: whose it was to begin with; undefined = our own */
  constructor(fragments: readonly Fragment[], wanted: Wanted, owners: readonly (Endpoint | undefined)[]) {
    this.fragments = fragments
    this.#wanted = wanted
    this.#owners = owners
    this.#tallies = fragments.map(() => new Map())
    this.#duplicates = fragments.map(() => 0)
  }

  /** Enters a whole, verified block. */
  onBlock(open: OpenBlock): void {
    for (let chunk = 0; chunk < open.chunks; chunk++) {
      const fragment = fragmentAt(this.fragments, open.index * BLOCK_BYTES + chunk * open.chunkSize)
      if (fragment === undefined) continue
      const tally = this.#tally(fragment.index, open.sources[chunk]!)
      tally.bytes += chunkBytes(open.bytes, open.chunkSize, chunkIndex(chunk))
      tally.chunks++
      if (open.resent.has(chunk)) tally.retransmitted++
    }
  }

  /** Octets [start, end) of the file were there at the beginning. */
  onEarlier(start: number, end: number): void {
    for (const fragment of this.fragments) {
      const bytes = Math.min(end, fragment.end) - Math.max(start, fragment.start)
      if (bytes > 0) this.#tally(fragment.index, EARLIER_RUN).bytes += bytes
    }
  }

  /** A chunk came that was there already. @param octet where it lies in the file */
  onDuplicate(octet: number): void {
    const fragment = fragmentAt(this.fragments, octet)
    if (fragment !== undefined) this.#duplicates[fragment.index]!++
  }

  report(endpointOf: (source: number) => Endpoint | undefined): readonly FragmentReport[] {
    return this.fragments.map((fragment, i) => {
      const sources: FragmentSource[] = []
      const localWhy: LocalWhy[] = []
      let localBytes = 0
      for (const [source, tally] of this.#tallies[i]!) {
        const endpoint = endpointOf(source)
        if (endpoint !== undefined) sources.push({ endpoint, ...tally })
        else {
          localBytes += tally.bytes
          localWhy.push(LOCAL_WHY[source - 1]!)
        }
      }
      return {
        index: i,
        bytes: this.#wanted.bytesIn(fragment.start, fragment.end),
        owner: this.#owners[i],
        sources,
        duplicates: this.#duplicates[i]!,
        localBytes,
        localWhy,
      }
    })
  }

  #tally(fragment: number, source: number): Tally {
    const tallies = this.#tallies[fragment]!
    let tally = tallies.get(source)
    if (tally === undefined) {
      tally = { bytes: 0, chunks: 0, retransmitted: 0 }
      tallies.set(source, tally)
    }
    return tally
  }
}
