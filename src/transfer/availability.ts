// Who has which blocks, and how rare each is. A whole source has all of them; a partial one, which collects the file
// itself, has what it said. A block is the rarer the fewer partial sources have it: what only whole ones have comes first, so that
// their upload is spent once on each block, and the collectors give it to one another.
import type { Random } from '../ambient.js'
import { Bitmap } from '../content/bitmap.js'
import { type BlockIndex, blockIndex } from '../units.js'

/** Blocks looked at for a rarer one: a bound for large files, where any of so many is rare enough. */
const CANDIDATES_MAX = 512

export class Availability {
  readonly #blockCount: number
  readonly #random: Random
  /** By block: partial sources that have it, or will have it soon. */
  readonly #counts: Uint16Array
  /** By source number: what partial sources have, and what they have or expect. */
  readonly #held = new Map<number, Bitmap>()
  readonly #expected = new Map<number, Bitmap>()
  /** By source number: the block after the one that was picked last. */
  readonly #next = new Map<number, number>()

  constructor(blockCount: number, random: Random) {
    this.#blockCount = blockCount
    this.#random = random
    this.#counts = new Uint16Array(blockCount)
  }

  /** Others collect the file too. */
  get isShared(): boolean {
    return this.#held.size > 0
  }

  /** This source has only what it will say. */
  addPartial(source: number): void {
    if (this.#held.has(source)) return
    this.#held.set(source, new Bitmap(this.#blockCount))
    this.#expected.set(source, new Bitmap(this.#blockCount))
  }

  /** The source has everything; it may say what it gave to others. */
  addWhole(source: number): void {
    if (!this.#expected.has(source)) this.#expected.set(source, new Bitmap(this.#blockCount))
  }

  /** Nothing is known of the source any more. */
  forget(source: number): void {
    this.#expected.get(source)?.forEachSet(0, this.#blockCount, block => {
      this.#counts[block]!--
    })
    this.#held.delete(source)
    this.#expected.delete(source)
  }

  /** The blocks [first, end) are on their way to a partial source; what the file does not have is passed over. */
  expect(source: number, first: number, end: number): void {
    const expected = this.#expected.get(source)
    expected?.forEachMissing(Math.min(first, this.#blockCount), Math.min(end, this.#blockCount), block => {
      expected.set(block)
      this.#counts[block]!++
    })
  }

  /** A partial source has the blocks [first, end); what the file does not have is passed over. @returns how many are new */
  add(source: number, first: number, end: number): number {
    const held = this.#held.get(source)
    if (held === undefined) return 0
    this.expect(source, first, end)
    const before = held.count
    held.setRange(Math.min(first, this.#blockCount), Math.min(end, this.#blockCount))
    return held.count - before
  }

  has(source: number, block: BlockIndex): boolean {
    return this.#held.get(source)?.has(block) ?? true
  }

  /** How many blocks a source has. */
  countHeld(source: number): number {
    return this.#held.get(source)?.count ?? this.#blockCount
  }

  /** How many partial sources have a block, or expect it. */
  countOf(block: BlockIndex): number {
    return this.#counts[block]!
  }

  /** Whether the source has any of `wanted`. */
  hasAny(source: number, wanted: Bitmap): boolean {
    const held = this.#held.get(source)
    return held === undefined ? !wanted.isEmpty : wanted.firstCommon(held) !== undefined
  }

  /** Where a source is to be asked first, as a share of the file: collectors that begin at different places don't ask for the same. */
  beginAt(source: number, share: number): void {
    this.#next.set(source, Math.floor(share * this.#blockCount))
  }

  /**
   * The block to ask a source for: the rarest that it has. Of those that only whole sources have, the next after the last,
   * which disks like; of others any, so that collectors that lack the same blocks get different ones first, and can swap them.
   *
   * @param wanted blocks that nobody was asked for
   */
  pick(source: number, wanted: Bitmap): BlockIndex | undefined {
    const next = this.#next.get(source)
    const isWhole = !this.#held.has(source)
    if (isWhole && next !== undefined && wanted.has(next) && this.#counts[next] === 0) return this.#take(source, next)
    // No block of a partial source is rarer than that it alone has it.
    const rarest = this.#rarest(source, wanted, isWhole ? 0 : 1)
    return rarest === undefined ? undefined : this.#take(source, rarest)
  }

  #take(source: number, block: number): BlockIndex {
    this.#next.set(source, block + 1)
    return blockIndex(block)
  }

  /**
   * One of the rarest, by chance: of a run of blocks the first would be what whoever takes the run one by one asks for next,
   * so that several would ask for the same.
   */
  #rarest(source: number, wanted: Bitmap, least: number): number | undefined {
    const held = this.#held.get(source) ?? wanted
    const start = this.#random.u32() % Math.max(1, this.#blockCount)
    let rarest: number | undefined
    let equals = 0
    let seen = 0
    for (const [from, end] of [
      [start, this.#blockCount],
      [0, start],
    ] as const) {
      for (let at = wanted.firstCommon(held, from, end); at !== undefined; at = wanted.firstCommon(held, at + 1, end)) {
        const count = this.#counts[at]!
        if (at === start && count <= least) return at
        const isRarer = rarest === undefined || count < this.#counts[rarest]!
        if (isRarer) equals = 0
        const isEqual = !isRarer && count === this.#counts[rarest!]!
        // The n-th of equals takes the place of the one before with a chance of 1/n.
        if (isRarer || (isEqual && this.#random.u32() % (equals + 1) === 0)) rarest = at
        if (isRarer || isEqual) equals++
        if (++seen >= CANDIDATES_MAX) return rarest
      }
    }
    return rarest
  }
}
