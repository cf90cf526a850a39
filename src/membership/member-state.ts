import type { Instant, Sequence } from '../units.js'
import type { Pulse } from './pulse.js'
import type { Repeat } from './repeat.js'

/** Why the host has it leave. */
export type LeaveWhy = 'asked' | 'collected'

/** Why a member stopped: a part of the host's reasons (host/contract.ts). */
export type MemberEnd =
  | LeaveWhy
  | 'ttl-ended'
  | 'manager-closed'
  | 'manager-silent'
  | 'no-manager'
  | 'replaced'
  | 'refused'

export type MemberState =
  | { readonly kind: 'new' }
  | { readonly kind: 'joining'; readonly repeat: Repeat; readonly giveUpAt: Instant }
  | { readonly kind: 'registering'; readonly repeat: Repeat; readonly giveUpAt: Instant; readonly cookie: Uint8Array }
  /** `after`: our last number before we were a member; what answers an older one is out of date. */
  | { readonly kind: 'member'; readonly pulse: Pulse; readonly after: Sequence }
  | { readonly kind: 'leaving'; readonly repeat: Repeat; readonly until: Instant; readonly why: LeaveWhy }
  | { readonly kind: 'stopped'; readonly why: MemberEnd }
