// What the pure layers may not make themselves is handed in: randomness and digests.

/** The only source of chance. Production takes it from the operating system, the simulator from a seed. */
export interface Random {
  /** A whole number in [0, 2^32). */
  u32(): number
}

/** A random 64-bit session id; never 0, which means none. */
export function randomSession(random: Random): bigint {
  const session = (BigInt(random.u32()) << 32n) | BigInt(random.u32())
  return session === 0n ? 1n : session
}

export interface Digests {
  /** SHA-256 (FIPS 180-4) over the parts one after the other; 32 octets. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array
  /** HMAC-SHA256 (RFC 2104) over the parts one after the other; 32 octets. */
  hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array
}
