// How long a sender took to find a new rate, from what entered the links and what came out of them.
import { FLOW_BIN, type FlowCounts } from './relay/flow.js'

/** Seconds over which rates are compared: a probe upward by a quarter for a round trip is no change of mind. */
const SPAN = 0.5
const SPAN_BINS = Math.round(SPAN / FLOW_BIN)
/** Found is a rate when this share of it arrives, and no more than that share of it is sent. */
const ARRIVING = 0.9
const SENT = 1.15

/**
 * Seconds from each change of the links to the first stretch in which the sender used the new rate and no more.
 *
 * @param rates what the links carry since each change, in Mbit/s
 * @param loss share, 0 to 1
 * @returns one for each change; undefined where the sender did not find it before the next change, or the end
 */
export function settlingTimes(flow: FlowCounts, rates: readonly number[], loss: number): (number | undefined)[] {
  const { entered, delivered, changes } = flow
  return changes.map((change, at) => {
    const most = (rates[at] ?? 0) * 1e6 * SPAN
    const end = Math.floor((changes[at + 1] ?? delivered.length * FLOW_BIN) / FLOW_BIN)
    for (let bin = Math.ceil(change / FLOW_BIN); bin + SPAN_BINS <= end; bin++) {
      const [sent, arrived] = [bitsIn(entered, bin), bitsIn(delivered, bin)]
      if (sent <= SENT * most && arrived >= ARRIVING * most * (1 - loss)) return bin * FLOW_BIN - change
    }
    return undefined
  })
}

function bitsIn(octets: readonly number[], from: number): number {
  return octets.slice(from, from + SPAN_BINS).reduce((sum, one) => sum + one * 8, 0)
}
