// Chance from a seed: the same seed and label give the same numbers on every machine.
import type { Random } from '../ambient.js'

/** xoshiro128** 1.1 by Blackman and Vigna (prng.di.unimi.it), seeded through a string hash and splitmix32. */
export class SeededRandom implements Random {
  readonly #seed: number
  readonly #label: string
  #a: number
  #b: number
  #c: number
  #d: number

  /** @param label tells streams of one seed apart */
  constructor(seed: number, label = '') {
    this.#seed = seed
    this.#label = label
    let state = fnv1a(`${seed}/${label}`)
    const next = () => {
      state = (state + 0x9e3779b9) | 0
      let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      return z ^ (z >>> 15)
    }
    this.#a = next()
    this.#b = next()
    this.#c = next()
    // All zeros is the one state that never changes.
    this.#d = next() | 1
  }

  /** A stream of its own: what is drawn from it shifts no number of any other, so a scenario can grow without new luck elsewhere. */
  fork(label: string): SeededRandom {
    return new SeededRandom(this.#seed, `${this.#label}/${label}`)
  }

  u32(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9)
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = rotateLeft(this.#d, 11)
    return result >>> 0
  }

  /** In [0, 1), in steps of 2^-32. */
  uniform(): number {
    return this.u32() / 0x1_0000_0000
  }

  /** True with probability `p`; draws nothing where the answer is certain. */
  chance(p: number): boolean {
    return p > 0 && (p >= 1 || this.uniform() < p)
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform()
  }

  /** A whole number in [0, count). */
  below(count: number): number {
    return Math.floor(this.uniform() * count)
  }

  /** @param choices at least one */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!
  }

  /** Octets that no two blocks or files share by accident. */
  octets(count: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(count / 4))
    for (let i = 0; i < words.length; i++) words[i] = this.u32()
    return new Uint8Array(words.buffer, 0, count)
  }
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits))
}

/** FNV-1a, 32 bit. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
