import { type Instant, instant } from '../units.js'

/** Now on this process's monotonic clock: changes of the wall clock don't reach the protocol. */
export function now(): Instant {
  return instant(performance.now())
}
