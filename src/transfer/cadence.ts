/** Between PULLs: a quarter of the round trip within these (one PULL for 30 to 200 datagrams). */
const CADENCE_MIN_MS = 2
const CADENCE_MAX_MS = 25
/** Datagrams that are worth a PULL to a peer that collects itself: such peers are many, each serves many, and each PULL takes from that. */
const DATAGRAMS = 8

/**
 * Time from one PULL to the next of a path.
 *
 * @param roundTrip smoothed, milliseconds
 * @param spacing from one datagram to the next, milliseconds; undefined: the peer has the whole file
 * @returns milliseconds
 */
export function cadence(roundTrip: number, spacing: number | undefined): number {
  const usual = Math.min(CADENCE_MAX_MS, Math.max(CADENCE_MIN_MS, roundTrip / 4))
  return spacing === undefined ? usual : Math.max(usual, Math.min(roundTrip, DATAGRAMS * spacing))
}
