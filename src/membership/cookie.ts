// A cookie proves that who registers receives at the address it writes from, and costs the manager no memory:
//
//   u32 bucket | first 16 octets of HMAC-SHA256(secret, u32 bucket | u64 session | u16 port | address as text)
//
// The bucket counts minutes of the manager's clock, so a cookie holds for one to two minutes. The address stands
// last because it alone has no fixed length. Peers return the octets as they are; only their number is protocol.
import type { Digests, Random } from '../ambient.js'
import type { Endpoint } from '../endpoint.js'
import type { Instant } from '../units.js'
import { COOKIE_BYTES } from '../wire/layout.js'

/** Milliseconds in one bucket of time. */
export const COOKIE_BUCKET = 60_000
const SECRET_WORDS = 8
const BUCKET_BYTES = 4
const FIXED_BYTES = BUCKET_BYTES + 8 + 2

export class CookieJar {
  readonly #digests: Digests
  /** Made anew at every start: no cookie outlives its manager. */
  readonly #secret: Uint8Array

  constructor(random: Random, digests: Digests) {
    this.#digests = digests
    this.#secret = new Uint8Array(Uint32Array.from({ length: SECRET_WORDS }, () => random.u32()).buffer)
  }

  bake(endpoint: Endpoint, session: bigint, now: Instant): Uint8Array {
    return this.#bakeFor(bucketAt(now), endpoint, session)
  }

  /** Whether this very cookie was made for this endpoint and session in this bucket of time or the one before. */
  isFresh(cookie: Uint8Array, endpoint: Endpoint, session: bigint, now: Instant): boolean {
    const bucket = new DataView(cookie.buffer, cookie.byteOffset, cookie.byteLength).getUint32(0)
    const age = (bucketAt(now) - bucket) >>> 0
    return age <= 1 && sameOctets(cookie, this.#bakeFor(bucket, endpoint, session))
  }

  #bakeFor(bucket: number, endpoint: Endpoint, session: bigint): Uint8Array {
    const input = new Uint8Array(FIXED_BYTES + endpoint.address.length)
    const view = new DataView(input.buffer)
    view.setUint32(0, bucket)
    view.setBigUint64(BUCKET_BYTES, session)
    view.setUint16(BUCKET_BYTES + 8, endpoint.port)
    for (let i = 0; i < endpoint.address.length; i++) input[FIXED_BYTES + i] = endpoint.address.charCodeAt(i)
    const cookie = new Uint8Array(COOKIE_BYTES)
    cookie.set(input.subarray(0, BUCKET_BYTES))
    cookie.set(this.#digests.hmac(this.#secret, input).subarray(0, COOKIE_BYTES - BUCKET_BYTES), BUCKET_BYTES)
    return cookie
  }
}

function bucketAt(now: Instant): number {
  return Math.floor(now / COOKIE_BUCKET) >>> 0
}

/** Looks at every octet whatever it finds, so that the time taken tells a guesser nothing. */
function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < b.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}
