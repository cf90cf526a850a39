// `peer-udp peer`: joins a swarm, serves its file, and collects one where it was asked to.
import { stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import {
  createPeer,
  endpointKey,
  FileError,
  type Node,
  type PeerOptions,
  type SocketKind,
  type StopReason,
  TraceFileError,
  type TransferResult,
  UsageError,
} from '../index.js'
import { Dashboard } from './dashboard.js'
import { EXIT, EXIT_OF_FAILURE, EXIT_OF_STOP, type ExitCode } from './exit-codes.js'
import { failureOf } from './joining.js'
import { Output } from './output.js'
import { type Failure, type Outcome, resultFields, sayOutcome, unfinished, verified } from './result.js'
import { stopWords } from './stop-words.js'
import { shortPath } from './words.js'

export interface PeerCommand {
  readonly port: number
  /** Seconds; undefined: until the manager closes. */
  readonly ttl: number | undefined
  /** HOST:PORT. */
  readonly manager: string
  readonly listen: string | undefined
  /** The file to offer; a collector may lack it, and takes the name from it. */
  readonly share: string
  /** Where a collector writes; undefined: beside the shared file. */
  readonly out: string | undefined
  readonly collect: boolean
  /** A collector leaves when it is done. */
  readonly once: boolean
  /** A collector drops what an earlier run left. */
  readonly background: boolean
  readonly restart: boolean
  /** Bits a second that may be uploaded, and collected. */
  readonly limit: number | undefined
  /** Wait for a manager for as long as it takes. */
  readonly wait: boolean
  /** Undefined: what works best here. */
  readonly socket: SocketKind | undefined
  readonly json: boolean
  /** Where the transfer is traced to. */
  readonly trace: string | undefined
}

const OUT_DEFAULT = 'reconstructed_file.txt'

/** Runs until its TTL, the manager or `signal` ends it. @returns the exit code @throws UsageError, PortError, FileError */
export async function runPeer(command: PeerCommand, signal: AbortSignal): Promise<ExitCode> {
  const output = new Output({ json: command.json })
  try {
    return await run(command, signal, output)
  } catch (error) {
    output.live('')
    if (command.collect) output.last('result', resultFields(unfinished(nameOf(command), failureOf(error))))
    throw error
  }
}

async function run(command: PeerCommand, signal: AbortSignal, output: Output): Promise<ExitCode> {
  const out = outOf(command)
  const own = await ownCopy(command)
  if (command.collect && own !== undefined) await assertOtherFile(out, own)
  output.live(`looking for a manager at ${command.manager} …`)

  let broken: TransferResult | undefined
  let outcome: Promise<Outcome> | undefined
  const node = await createPeer({
    ...nodeOptions(command, own, out),
    signal,
    onEvent: event => {
      dashboard.draw(event)
      if (event.kind !== 'result') return
      // What interrupted it is known when the node has stopped.
      if (event.result.failure?.kind === 'interrupted') broken = event.result
      else outcome = verified(event.result, out, own).then(end => conclude(end, out, command.once, node, output))
    },
  }).catch(error => {
    throw withAdvice(error, command.collect)
  })
  const part = shortPath(`${out}.part`)
  const dashboard = new Dashboard({ output, own: node.local, part, now: () => node.now() })
  if (node.remark !== undefined) output.say(node.remark)
  output.emit('started', {
    role: command.collect ? 'collector' : 'peer',
    local: endpointKey(node.local),
    manager: command.manager,
    ttl: command.ttl ?? null,
    socket: node.socket,
  })
  const why = await node.done
  output.live('')
  const ended = await outcome
  if (ended?.failure !== undefined) return EXIT_OF_FAILURE[ended.failure.kind]
  const words = stopWords(why, command)
  if (command.collect && ended === undefined) return fail(why, words, broken, command, output)
  output.say(EXIT_OF_STOP[why] === EXIT.FINE ? words : `peer-udp: ${words}`)
  if (command.collect) return EXIT_OF_STOP[why]
  output.emit('counters', node.counters())
  output.emit('stopped', { why })
  return EXIT_OF_STOP[why]
}

/** Shows how the transfer ended; a failed collector has no reason to stay. */
async function conclude(outcome: Outcome, out: string, once: boolean, node: Node, output: Output): Promise<Outcome> {
  sayOutcome(outcome, out, output)
  output.emit('counters', node.counters())
  output.last('result', resultFields(outcome))
  if (outcome.failure !== undefined) await node.stop()
  else if (!once) output.say('staying in the swarm as an active peer (Ctrl-C leaves)')
  return outcome
}

/** A collector that had to leave without its file. @param broken as far as the transfer came */
function fail(
  why: StopReason,
  words: string,
  broken: TransferResult | undefined,
  command: PeerCommand,
  output: Output,
): ExitCode {
  const failure: Failure =
    why === 'asked' ? { kind: 'interrupted', detail: 'interrupted before it was whole' } : { kind: why, detail: words }
  const outcome = unfinished(nameOf(command), failure, broken)
  if (outcome.result.fragments.length > 0) sayOutcome(outcome, outOf(command), output)
  else output.say(`peer-udp: ${failure.detail}`)
  output.last('result', resultFields(outcome))
  return EXIT_OF_FAILURE[failure.kind]
}

function nodeOptions(command: PeerCommand, own: string | undefined, out: string): PeerOptions {
  const { port, manager, wait, ttl, listen, limit, background, once, restart, trace, socket } = command
  return {
    port,
    manager,
    wait,
    isAlone: true,
    background,
    share: own === undefined ? [] : [own],
    ...(ttl === undefined ? {} : { ttl }),
    ...(listen === undefined ? {} : { listen }),
    ...(limit === undefined ? {} : { limit }),
    ...(trace === undefined ? {} : { trace }),
    ...(socket === undefined ? {} : { socket }),
    ...(command.collect ? { collect: { name: nameOf(command), out, once, restart } } : {}),
  }
}

function outOf({ out, share }: PeerCommand): string {
  return resolve(out ?? join(dirname(share), OUT_DEFAULT))
}

function nameOf({ share }: PeerCommand): string {
  return basename(resolve(share))
}

/** The file to share; undefined where a collector has none. What is wrong with one that is there, the library says. */
async function ownCopy({ share, collect }: PeerCommand): Promise<string | undefined> {
  const missing = await stat(share).then(
    () => false,
    error => (error as NodeJS.ErrnoException).code === 'ENOENT',
  )
  return collect && missing ? undefined : share
}

/** @throws UsageError where the target is the shared file, perhaps by another name */
async function assertOtherFile(out: string, own: string): Promise<void> {
  const [target, source] = await Promise.all([out, own].map(path => stat(path).catch(() => undefined)))
  if (target === undefined || target.dev !== source?.dev || target.ino !== source.ino) return
  throw new UsageError(`${shortPath(out)} is the shared file itself: name another target with --out PATH`)
}

/** The library knows what is wrong with a file, but not by which flag another is named. */
function withAdvice(error: unknown, collect: boolean): unknown {
  if (error instanceof TraceFileError) return new FileError(`${error.message}: name another with --trace FILE`)
  if (!(error instanceof FileError)) return error
  return new FileError(`${error.message}: name another with --share PATH${collect ? ' or --out PATH' : ''}`)
}
