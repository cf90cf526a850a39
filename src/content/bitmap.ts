import { assert, InvariantError } from '../errors.js'

const WORD_BITS = 32
const FIRST_BIT = 0x8000_0000

/**
 * Which of `size` things are there: chunks of a block, blocks of a file.
 *
 * Bit i is the (i % 32)th highest bit of word floor(i / 32): the words in network byte order are the octets
 * on the wire, where bit c is bit 7 - c % 8 of octet c / 8, and the first free bit is a count of leading zeros.
 * Bits from `size` on stay 0.
 */
export class Bitmap {
  readonly size: number
  readonly #words: Uint32Array
  #count = 0

  constructor(size: number) {
    assert(Number.isInteger(size) && size >= 0, `bitmap of ${size}`)
    this.size = size
    this.#words = new Uint32Array(Math.ceil(size / WORD_BITS))
  }

  /** Reads `octetsFor(size)` octets from `at`; bits from `size` on are ignored. */
  static fromOctets(size: number, octets: Uint8Array, at = 0): Bitmap {
    assert(at + octetsFor(size) <= octets.length, 'octets too short for the bitmap')
    const bitmap = new Bitmap(size)
    for (let i = 0; i < octetsFor(size); i++) {
      bitmap.#words[i >>> 2]! |= octets[at + i]! << (24 - 8 * (i & 3))
    }
    if (size % WORD_BITS !== 0) bitmap.#words[bitmap.#words.length - 1]! &= maskTo(size % WORD_BITS)
    for (const word of bitmap.#words) bitmap.#count += ones(word)
    return bitmap
  }

  /** How many are set. */
  get count(): number {
    return this.#count
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  get isFull(): boolean {
    return this.#count === this.size
  }

  /** False beyond the bitmap. */
  has(index: number): boolean {
    return index >= 0 && index < this.size && (this.#words[index >>> 5]! & (FIRST_BIT >>> (index & 31))) !== 0
  }

  /** @returns whether it was not set before */
  set(index: number): boolean {
    if (index < 0 || index >= this.size) this.#fail(index)
    const bit = FIRST_BIT >>> (index & 31)
    if ((this.#words[index >>> 5]! & bit) !== 0) return false
    this.#words[index >>> 5]! |= bit
    this.#count++
    return true
  }

  /** @returns whether it was set before */
  clear(index: number): boolean {
    if (index < 0 || index >= this.size) this.#fail(index)
    const bit = FIRST_BIT >>> (index & 31)
    if ((this.#words[index >>> 5]! & bit) === 0) return false
    this.#words[index >>> 5]! &= ~bit
    this.#count--
    return true
  }

  clearAll(): void {
    this.#words.fill(0)
    this.#count = 0
  }

  /** Sets [first, end). */
  setRange(first: number, end: number): void {
    this.#checkRange(first, end)
    for (let at = first; at < end; ) {
      const stop = Math.min(end, (at | 31) + 1)
      const word = this.#words[at >>> 5]!
      const filled = word | maskOf(at & 31, stop - at)
      this.#words[at >>> 5] = filled
      this.#count += ones(filled) - ones(word)
      at = stop
    }
  }

  /** Clears [first, end). */
  clearRange(first: number, end: number): void {
    this.#checkRange(first, end)
    for (let at = first; at < end; ) {
      const stop = Math.min(end, (at | 31) + 1)
      const word = this.#words[at >>> 5]!
      const cleared = (word & ~maskOf(at & 31, stop - at)) >>> 0
      this.#words[at >>> 5] = cleared
      this.#count -= ones(word) - ones(cleared)
      at = stop
    }
  }

  /** The first that is not set in [from, end); undefined where all are. */
  firstMissing(from = 0, end = this.size): number | undefined {
    return this.#first(from, end, 0xffff_ffff)
  }

  /** The first that is set in [from, end); undefined where none is. */
  firstSet(from = 0, end = this.size): number | undefined {
    return this.#first(from, end, 0)
  }

  /** The first in [from, end) that is set here and in `other`, which is as large; undefined where none is. */
  firstCommon(other: Bitmap, from = 0, end = this.size): number | undefined {
    assert(other.size === this.size, `bitmaps of ${this.size} and ${other.size}`)
    for (let at = from; at < end; at = (at | 31) + 1) {
      const word = this.#words[at >>> 5]! & other.#words[at >>> 5]! & maskFrom(at & 31)
      const found = (at & ~31) + Math.clz32(word)
      if (word !== 0) return found < end ? found : undefined
    }
    return undefined
  }

  /** Visits, in order, each that is not set in [first, end). */
  forEachMissing(first: number, end: number, visit: (index: number) => void): void {
    for (let i = this.firstMissing(first, end); i !== undefined; i = this.firstMissing(i + 1, end)) visit(i)
  }

  /** Visits, in order, each that is set in [first, end). */
  forEachSet(first: number, end: number, visit: (index: number) => void): void {
    for (let i = this.firstSet(first, end); i !== undefined; i = this.firstSet(i + 1, end)) visit(i)
  }

  /** How many are set in [first, end). */
  countIn(first: number, end: number): number {
    this.#checkRange(first, end)
    let count = 0
    for (let at = first; at < end; ) {
      const stop = Math.min(end, (at | 31) + 1)
      count += ones(this.#words[at >>> 5]! & maskOf(at & 31, stop - at))
      at = stop
    }
    return count
  }

  /** Writes the set bits as `octetsFor(size)` octets. @returns the offset behind them */
  toOctets(into: Uint8Array, at = 0): number {
    return this.#write(into, at, 0)
  }

  /** Writes the bits that are not set, as a PULL wants them: `octetsFor(size)` octets. @returns the offset behind them */
  missingToOctets(into: Uint8Array, at = 0): number {
    return this.#write(into, at, 0xffff_ffff)
  }

  /** The first in [from, end) whose bit, flipped by `flip`, is 1. */
  #first(from: number, end: number, flip: number): number | undefined {
    this.#checkRange(from, Math.max(from, end))
    let at = from
    while (at < end) {
      const found = (at & ~31) + Math.clz32(((this.#words[at >>> 5]! ^ flip) & maskFrom(at & 31)) >>> 0)
      // A word without such a bit counts 32 zeros, which is where the next one starts.
      if (found < Math.min(end, (at | 31) + 1)) return found
      at = (at | 31) + 1
    }
    return undefined
  }

  #write(into: Uint8Array, at: number, flip: number): number {
    const length = octetsFor(this.size)
    assert(at + length <= into.length, 'no room for the bitmap')
    for (let i = 0; i < length; i++) into[at + i] = (this.#words[i >>> 2]! ^ flip) >>> (24 - 8 * (i & 3))
    if (this.size % 8 !== 0) into[at + length - 1]! &= 0xff00 >>> (this.size % 8)
    return at + length
  }

  /** Apart, so that no message is put together where all is well: this is asked for every chunk. */
  #fail(index: number): never {
    throw new InvariantError(`bit ${index} of ${this.size}`)
  }

  #checkRange(first: number, end: number): void {
    if (first < 0 || first > end || end > this.size) {
      throw new InvariantError(`bits ${first} to ${end} of ${this.size}`)
    }
  }
}

/** How many octets `size` bits take on the wire. */
export function octetsFor(size: number): number {
  return Math.ceil(size / 8)
}

/** The bits of a word from the `first` highest down. @param first 0 to 31 */
function maskFrom(first: number): number {
  return 0xffff_ffff >>> first
}

/** The `length` highest bits of a word. @param length 1 to 32 */
function maskTo(length: number): number {
  return 0xffff_ffff << (WORD_BITS - length)
}

/** `length` bits of a word from the `first` highest down. @param length at least 1; first + length up to 32 */
function maskOf(first: number, length: number): number {
  return maskFrom(first) & maskTo(first + length)
}

/** How many bits of a word are 1: sums of 1, 2, 4 and then 8 bits side by side (Hacker's Delight, 5-1). */
function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555)
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333)
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}
