// Timers and limits of membership with their defaults. Two implementations need not agree on any of these: what
// a peer must know of the manager's choice (the heartbeat interval) is told to it in REGISTERED.
// The same table, for people: spec/membership.md, "Timers and limits".
import { PEERS_MAX } from '../wire/layout.js'

/** Times in milliseconds. */
export interface ManagerSettings {
  /** Members at one time; who comes after gets LIST_FULL. */
  readonly peersMax: number
  /** Registrations that one address may make a second, and how many at once. */
  readonly registrationsPerSecond: number
  readonly registrationsBurst: number
  /** Addresses whose registrations are counted; the one that was silent longest is forgotten first. */
  readonly addressesMax: number
  /** The heartbeat interval is the larger of `heartbeatMin` and `heartbeatPerMember` times the members. */
  readonly heartbeatMin: number
  readonly heartbeatPerMember: number
  /** A member is silent after this many of its intervals. */
  readonly silentIntervals: number
  /** Changes wait `coalesceBase` plus `coalescePerMember` times the members, `coalesceMax` at most. */
  readonly coalesceBase: number
  readonly coalescePerMember: number
  readonly coalesceMax: number
  /** LIST pages under way to one member. */
  readonly pagesInFlight: number
  /** LIST and repeated GOODBYE datagrams in each `burstEvery`. */
  readonly burstMax: number
  readonly burstEvery: number
  /** Changes kept for deltas; who lacks older ones gets a snapshot. */
  readonly logChangesMax: number
  /** How long `stop` waits for its GOODBYEs to be confirmed. */
  readonly closing: number
}

export const MANAGER_DEFAULTS: ManagerSettings = {
  peersMax: PEERS_MAX,
  registrationsPerSecond: 500,
  registrationsBurst: 1_000,
  addressesMax: 4_096,
  heartbeatMin: 1_000,
  heartbeatPerMember: 0.5,
  silentIntervals: 3.5,
  coalesceBase: 5,
  coalescePerMember: 0.5,
  coalesceMax: 1_000,
  pagesInFlight: 8,
  burstMax: 256,
  burstEvery: 5,
  logChangesMax: 4_096,
  closing: 1_000,
}

/** Times in milliseconds. */
export interface MemberSettings {
  /** First wait for an answer to HELLO and REGISTER; each further one is `backOff` times longer, `retryMax` at most. */
  readonly retryMin: number
  readonly backOff: number
  readonly retryMax: number
  /** Without any answer for so long there is no manager. */
  readonly joinPatience: number
  /** Wait after TOO_MANY_REGISTRATIONS; as much again is left to chance. */
  readonly refusedWait: number
  /** The manager is silent after this many intervals. */
  readonly silentIntervals: number
  /** Heartbeats that were not answered follow one another at `beatAgainMin` to `beatAgainMax` times the interval. */
  readonly beatAgainMin: number
  readonly beatAgainMax: number
  readonly beatBackOff: number
  /** Least time between two heartbeats that ask for missing changes. */
  readonly askAgain: number
  /** How long after its TTL ended, by its own clock, a peer still waits for the manager's word. */
  readonly ttlGrace: number
  /** How long a GOODBYE is repeated. */
  readonly leaving: number
  /** A cookie older than this is not tried again: the manager's validity is 60 to 120 s. */
  readonly cookieAge: number
}

export const MEMBER_DEFAULTS: MemberSettings = {
  retryMin: 100,
  backOff: 1.5,
  retryMax: 1_000,
  joinPatience: 5_000,
  refusedWait: 1_000,
  silentIntervals: 3.5,
  // Eleven tries before the manager counts as silent: at 20 % loss each way, one interval in 80 000 fails.
  beatAgainMin: 1 / 8,
  beatAgainMax: 1 / 4,
  beatBackOff: 1.25,
  askAgain: 100,
  ttlGrace: 1_500,
  leaving: 1_000,
  cookieAge: 55_000,
}
