import { createHash, createHmac } from 'node:crypto'
import type { Digests } from '../ambient.js'

/** The real digests: a simulated file is verified exactly as a real one is. */
export const DIGESTS: Digests = {
  sha256(...parts) {
    const hash = createHash('sha256')
    for (const part of parts) hash.update(part)
    return hash.digest()
  },
  hmac(key, ...parts) {
    const hash = createHmac('sha256', key)
    for (const part of parts) hash.update(part)
    return hash.digest()
  },
}
