import { unreachable } from '../errors.js'
import type { StopReason } from '../index.js'
import { timeLeft } from './words.js'

export interface Stopped {
  /** HOST:PORT. */
  readonly manager: string
  /** Of the peer. */
  readonly port: number
  /** Seconds. */
  readonly ttl: number | undefined
}

/** Why a peer stopped, and what can be done about it. */
export function stopWords(why: StopReason, { manager, port, ttl }: Stopped): string {
  switch (why) {
    case 'asked':
      return 'said goodbye to the manager'
    case 'ttl-ended':
      return `time is up: the TTL of ${timeLeft((ttl ?? 0) * 1_000)} ended, and the manager removed this peer`
    case 'manager-closed':
      return 'the manager closed the swarm: leaving'
    case 'manager-silent':
      return `the manager ${manager} fell silent: leaving (--wait waits for its return)`
    case 'no-manager':
      return `no manager answered at ${manager}: start one with "peer-udp manager", or name another with --manager HOST:PORT`
    case 'replaced':
      return `another process registered from port ${port}: leaving it the place; pick another port`
    case 'refused':
      return `the manager ${manager} refused this peer: try again later, or name another with --manager HOST:PORT`
    case 'collected':
      return 'done, and said goodbye to the manager'
    default:
      return unreachable(why)
  }
}
