import type { Instant } from '../units.js'

interface Bucket {
  readonly tokens: number
  readonly at: Instant
}

/**
 * How many registrations each address may make: one token bucket an address.
 *
 * When the table is full the address heard least lately is forgotten: its bucket is the one most likely full again.
 * Whoever could abuse that owns thousands of addresses that receive, and needs no trick.
 */
export class Admission {
  readonly #perMillisecond: number
  readonly #burst: number
  readonly #addressesMax: number
  /** A map keeps the order of insertion; each use inserts anew, so the first is the one used least lately. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(perSecond: number, burst: number, addressesMax: number) {
    this.#perMillisecond = perSecond / 1_000
    this.#burst = burst
    this.#addressesMax = addressesMax
  }

  /** Takes a token of this address, if it has one left. */
  admits(address: string, now: Instant): boolean {
    const bucket = this.#buckets.get(address) ?? { tokens: this.#burst, at: now }
    const tokens = Math.min(this.#burst, bucket.tokens + (now - bucket.at) * this.#perMillisecond)
    const admitted = tokens >= 1
    this.#buckets.delete(address)
    if (this.#buckets.size >= this.#addressesMax) this.#forgetOldest()
    this.#buckets.set(address, { tokens: admitted ? tokens - 1 : tokens, at: now })
    return admitted
  }

  #forgetOldest(): void {
    for (const address of this.#buckets.keys()) {
      this.#buckets.delete(address)
      return
    }
  }
}
