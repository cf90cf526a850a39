import type { StopReason } from '../host/contract.js'
import type { TransferFailure } from '../transfer/report.js'

/** What the processes exit with; spec/interface.md explains each. `errors.ts` carries 2, 4 and 5 with the error itself. */
export const EXIT = {
  FINE: 0,
  INTERNAL: 1,
  USAGE: 2,
  NO_MANAGER: 3,
  PORT: 4,
  FILE: 5,
  NOT_IDENTICAL: 6,
  INCOMPLETE: 7,
  /** 128 + SIGINT, as shells do. */
  INTERRUPTED: 130,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The exit code of a manager or a serving peer by the reason for its end. */
export const EXIT_OF_STOP: Readonly<Record<StopReason, ExitCode>> = {
  asked: EXIT.FINE,
  'ttl-ended': EXIT.FINE,
  'manager-closed': EXIT.FINE,
  collected: EXIT.FINE,
  'manager-silent': EXIT.NO_MANAGER,
  'no-manager': EXIT.NO_MANAGER,
  refused: EXIT.NO_MANAGER,
  replaced: EXIT.PORT,
}

/** Why a collector has no file: the transfer failed, or the process ended before it was done. */
export type FailureKind =
  | TransferFailure['kind']
  | Exclude<StopReason, 'asked'>
  /** What is offered is a bundle whose manifest breaks the rules. */
  | 'malformed'
  | 'port'
  | 'file'
  | 'usage'
  | 'internal'

/** The exit code of a collector without its file. */
export const EXIT_OF_FAILURE: Readonly<Record<FailureKind, ExitCode>> = {
  incomplete: EXIT.INCOMPLETE,
  'no-offer': EXIT.INCOMPLETE,
  disk: EXIT.FILE,
  'other-part': EXIT.FILE,
  'not-identical': EXIT.NOT_IDENTICAL,
  malformed: EXIT.NOT_IDENTICAL,
  interrupted: EXIT.INTERRUPTED,
  'ttl-ended': EXIT.INCOMPLETE,
  'manager-closed': EXIT.INCOMPLETE,
  collected: EXIT.INCOMPLETE,
  'manager-silent': EXIT.NO_MANAGER,
  'no-manager': EXIT.NO_MANAGER,
  refused: EXIT.NO_MANAGER,
  replaced: EXIT.PORT,
  port: EXIT.PORT,
  file: EXIT.FILE,
  usage: EXIT.USAGE,
  internal: EXIT.INTERNAL,
}
