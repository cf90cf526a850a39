// Which blocks a collector has and which are on their way to it, in the order in which it came so: those who collect the
// same file learn what is new by a place in that order, which is all that they need to remember.
import { Bitmap } from '../content/bitmap.js'
import type { BlockIndex } from '../units.js'
import type { HaveRange } from '../wire/message.js'

const RANGE_BLOCKS_MAX = 0xffff
/** Places told at once: 1 GiB of blocks. A HAVE of fewer places, and of fewer ranges than fit, tells all there is. */
export const PLACES_TOLD_MAX = 16_384
const PLACES_MIN = 64

export class Have {
  /** Places of the log. */
  places = 0
  readonly #blocks: Bitmap
  readonly #coming: Bitmap
  /** By place: twice the block, and one more if it is there rather than on its way. Grows by doubling. */
  #log = new Uint32Array(PLACES_MIN)

  constructor(blockCount: number) {
    this.#blocks = new Bitmap(blockCount)
    this.#coming = new Bitmap(blockCount)
  }

  get isWhole(): boolean {
    return this.#blocks.isFull
  }

  has(block: BlockIndex): boolean {
    return this.#blocks.has(block)
  }

  /** Somebody was asked for it. */
  expect(block: BlockIndex): void {
    if (!this.#blocks.has(block) && this.#coming.set(block)) this.#append(2 * block)
  }

  add(block: BlockIndex): void {
    if (this.#blocks.set(block)) this.#append(2 * block + 1)
  }

  /** Those that are there; not to be changed. */
  get blocks(): Bitmap {
    return this.#blocks
  }

  /**
   * What came from place `from` on, as much as `rangesMax` ranges hold.
   * @returns `to`: the place behind the last that is in them
   */
  since(from: number, rangesMax: number): { readonly to: number; readonly ranges: readonly HaveRange[] } {
    const end = Math.min(this.places, from + PLACES_TOLD_MAX)
    // So many places make so many ranges at most: then more, by steps that grow as long as they fit and shrink where not.
    let to = Math.min(end, from + rangesMax)
    let ranges = this.#rangesOf(from, to)
    for (let step = rangesMax; step > 0 && to < end; ) {
      const more = Math.min(end, to + step)
      const candidate = this.#rangesOf(from, more)
      const fits = candidate.length <= rangesMax
      if (fits) {
        ranges = candidate
        to = more
      }
      step = fits ? 2 * step : step >>> 1
    }
    return { to, ranges }
  }

  /** In ascending order; what is there by now is not on its way any more. */
  #rangesOf(from: number, to: number): readonly HaveRange[] {
    const ranges: { isComing: boolean; first: BlockIndex; count: number }[] = []
    for (const entry of this.#log.slice(from, to).sort()) {
      const block = (entry >>> 1) as BlockIndex
      const isComing = (entry & 1) === 0
      if (isComing && this.#blocks.has(block)) continue
      const last = ranges[ranges.length - 1]
      const goesOn = last?.isComing === isComing && last.first + last.count === block && last.count < RANGE_BLOCKS_MAX
      if (goesOn) last.count++
      else ranges.push({ isComing, first: block, count: 1 })
    }
    return ranges
  }

  #append(entry: number): void {
    if (this.places === this.#log.length) {
      const larger = new Uint32Array(2 * this.places)
      larger.set(this.#log)
      this.#log = larger
    }
    this.#log[this.places++] = entry
  }
}
