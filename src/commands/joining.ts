// What `share`, `get`, `ls` and `verify` have in common: a peer that joins for a while, and what becomes of errors.
import {
  ContentError,
  DeclinedError,
  FileError,
  type PeerOptions,
  PortError,
  type SocketKind,
  StoppedError,
  type StopReason,
  TransferError,
  UsageError,
} from '../index.js'
import { EXIT_OF_FAILURE, type ExitCode, type FailureKind } from './exit-codes.js'
import type { Failure } from './result.js'
import { stopWords } from './stop-words.js'

export interface JoinCommand {
  /** HOST:PORT. */
  readonly manager: string
  readonly listen: string | undefined
  /** Undefined: any free one. */
  readonly port: number | undefined
  /** Wait for as long as it takes: for a manager, and for an offer. */
  readonly wait: boolean
  readonly socket: SocketKind | undefined
  readonly json: boolean
}

export function joinOptions({ manager, listen, port, wait, socket }: JoinCommand): PeerOptions {
  return {
    manager,
    wait,
    isAlone: true,
    ...(listen === undefined ? {} : { listen }),
    ...(port === undefined ? {} : { port }),
    ...(socket === undefined ? {} : { socket }),
  }
}

/**
 * What ended a command early, and what it exits with.
 *
 * @param error whatever the library threw
 * @param port of the peer
 * @returns undefined for an error that the command line itself tells
 */
export function endOf(error: unknown, command: JoinCommand, port: number, signal: AbortSignal): Failure | undefined {
  if (signal.aborted) return { kind: 'interrupted', detail: 'interrupted' }
  if (error instanceof StoppedError) return stopped(error.why, command, port)
  if (error instanceof TransferError) {
    const { failure } = error
    return failure.kind === 'incomplete' ? { ...failure } : { kind: failure.kind, detail: failure.detail }
  }
  if (error instanceof ContentError) return { kind: 'malformed', detail: error.message }
  if (error instanceof DeclinedError) return { kind: 'interrupted', detail: error.message }
  return undefined
}

export function exitCodeOf({ kind }: Failure): ExitCode {
  return EXIT_OF_FAILURE[kind]
}

/** What happened, of an error that the command line itself tells. */
export function failureOf(error: unknown): Failure {
  const detail = error instanceof Error ? error.message : String(error)
  if (error instanceof PortError) return { kind: 'port', detail }
  if (error instanceof FileError) return { kind: 'file', detail }
  return { kind: error instanceof UsageError ? 'usage' : 'internal', detail }
}

function stopped(why: StopReason, { manager }: JoinCommand, port: number): Failure {
  if (why === 'asked') return { kind: 'interrupted', detail: 'interrupted' }
  return { kind: why satisfies FailureKind, detail: stopWords(why, { manager, port, ttl: undefined }) }
}
