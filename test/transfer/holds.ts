import fc from 'fast-check'
import type { Test } from 'tap'

/** Properties are tried with the same values every time, unless PEER_UDP_SEED gives others. */
const SEED = Number(process.env.PEER_UDP_SEED ?? 7)

/** @throws with the smallest counterexample, where the property does not hold */
export function holds<T>(t: Test, property: fc.IProperty<T>, numRuns = 200): void {
  fc.assert(property, { seed: SEED, numRuns })
  t.pass('holds')
}
