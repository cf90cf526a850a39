// What shares a link in the simulations of the rate control, and the loop that lets it all happen on a virtual clock.
import { type Instant, instant } from '../units.js'

/** No flow looks more often than this, ms: what comes in between is one batch. */
const WAKE_MS = 0.1

/** A sender and its receiver. */
export interface Flow {
  /** Octets of IP datagrams with data that came. */
  readonly octets: number
  /** Everything that is due. */
  step(now: Instant): void
  /** When something will be due; Infinity if that depends on others. */
  nextAt(): number
}

/** Lets time pass from `start` to `end`. @param look is called after each step */
export function runFlows(flows: readonly Flow[], start: Instant, end: number, look: (now: Instant) => void): Instant {
  let now = start
  for (let turn = 0; now < end; turn++) {
    // Whoever comes first finds room in a queue that is nearly full: take turns.
    for (let i = 0; i < flows.length; i++) flows[(turn + i) % flows.length]!.step(now)
    look(now)
    const next = flows.reduce((at, flow) => Math.min(at, flow.nextAt()), Infinity)
    now = instant(Math.min(end, Math.max(now + WAKE_MS, next)))
  }
  return now
}
