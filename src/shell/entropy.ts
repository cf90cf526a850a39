// Randomness and digests for the pure layers, from Node's own crypto.
import { createHash, createHmac, randomFillSync } from 'node:crypto'
import type { Digests, Random } from '../ambient.js'

/** One call for fresh octets costs about as much as a thousand numbers. */
const POOL_NUMBERS = 1_024

/** Numbers from the operating system, fetched a pool at a time. */
export function systemRandom(): Random {
  const pool = new Uint32Array(POOL_NUMBERS)
  let left = 0
  return {
    u32() {
      if (left === 0) {
        randomFillSync(pool)
        left = POOL_NUMBERS
      }
      left--
      const number = pool[left]!
      // What was given out once can't be read from the pool again.
      pool[left] = 0
      return number
    },
  }
}

export const systemDigests: Digests = {
  sha256(...parts) {
    const hash = createHash('sha256')
    for (const part of parts) hash.update(part)
    return hash.digest()
  },
  hmac(key, ...parts) {
    const hmac = createHmac('sha256', key)
    for (const part of parts) hmac.update(part)
    return hmac.digest()
  },
}
