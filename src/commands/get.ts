// `peer-udp get`: fetches a content from everyone who has any of it, after it has shown what it would write.
import { createPeer, endpointKey, type GetEvent, type GetOptions, type Got, type Peer, PlanError } from '../index.js'
import { Dashboard } from './dashboard.js'
import { EXIT, EXIT_OF_STOP, type ExitCode } from './exit-codes.js'
import { endOf, exitCodeOf, failureOf, type JoinCommand, joinOptions } from './joining.js'
import { type JsonFields, Output } from './output.js'
import { agreed, plannedFields, sayPlanned, withDecision } from './planned.js'
import type { Failure } from './result.js'
import { stopWords } from './stop-words.js'
import { table } from './table.js'
import { counted, duration, exact, printable, shortPath, size } from './words.js'

export interface GetCommand extends JoinCommand {
  /** A name or an id. */
  readonly what: string
  /** A folder; undefined: the working one; `-`: stdout. */
  readonly out: string | undefined
  readonly pick: readonly string[]
  /** Don't ask. */
  readonly yes: boolean
  readonly taken: NonNullable<GetOptions['taken']>
  readonly anyNames: boolean
  /** Seconds to serve it for when it is there; Infinity: until something else ends that; undefined: not at all. */
  readonly seed: number | undefined
  /** Bits a second that may be uploaded, and collected. */
  readonly limit: number | undefined
  readonly background: boolean
  readonly restart: boolean
  /** Where the transfer is traced to. */
  readonly trace: string | undefined
}

const STDOUT = '-'

/** @returns the exit code @throws UsageError, PortError, FileError */
export async function runGet(command: GetCommand, signal: AbortSignal): Promise<ExitCode> {
  const output = new Output({ json: command.json })
  const { limit, trace } = command
  const told = new Set<GetEvent['kind']>()
  let peer: Peer | undefined
  try {
    peer = await createPeer({
      ...joinOptions(command),
      background: command.background,
      ...(limit === undefined ? {} : { limit }),
      ...(trace === undefined ? {} : { trace }),
    })
    output.emit('started', { role: 'get', local: endpointKey(peer.local), manager: command.manager })
    output.live(`looking for ${printable(command.what)} …`)
    const got = await get(peer, command, signal, output, told)
    output.live('')
    sayGot(got, output)
    if (command.seed === undefined) {
      output.last('got', gotFields(got))
      return EXIT.FINE
    }
    output.emit('got', gotFields(got))
    return await seed(got, peer, command, signal, output)
  } catch (thrown) {
    output.live('')
    const error = thrown instanceof PlanError ? withDecision(thrown) : thrown
    const end = endOf(error, command, peer?.local.port ?? 0, signal)
    output.last('got', failedFields(command.what, end ?? failureOf(error)))
    if (end === undefined) throw error
    output.say(`peer-udp: ${end.detail}`)
    const advice = adviceOn(end, command, told.has('chosen'))
    if (advice !== undefined) output.say(advice)
    return exitCodeOf(end)
  } finally {
    await peer?.stop()
  }
}

/** Serves what is there for its time. @returns the exit code */
async function seed(got: Got, peer: Peer, command: GetCommand, signal: AbortSignal, output: Output): Promise<ExitCode> {
  const { manager, seed = 0 } = command
  if (got.seeding === undefined) {
    output.say(`not served on, because not all of it came now: "peer-udp share" offers what is there`)
  } else {
    const time = Number.isFinite(seed) ? ` for ${duration(seed)}` : ''
    output.say(`serving ${printable(got.name)}${time} (Ctrl-C leaves)`)
    const stop = () => void peer.stop()
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    const end = await got.seeding
    if (end === 'over') output.say(`time is up: served it for ${duration(seed)}`)
    else if (end === 'lost') output.say(output.paint('yellow', 'its files were changed or removed: leaving'))
  }
  const why = await peer.stop()
  const words = stopWords(why, { manager, port: peer.local.port, ttl: undefined })
  if (why !== 'asked' || signal.aborted) output.say(EXIT_OF_STOP[why] === EXIT.FINE ? words : `peer-udp: ${words}`)
  output.last('stopped', { why })
  return EXIT_OF_STOP[why]
}

/** @param told takes what kinds of events there were */
async function get(
  peer: Peer,
  command: GetCommand,
  signal: AbortSignal,
  output: Output,
  told: Set<GetEvent['kind']>,
): Promise<Got> {
  const dashboard = new Dashboard({ output, own: peer.local, part: 'an earlier run', now: () => peer.now() })
  const getting = peer.get(command.what, { ...optionsOf(command, signal, output), signal })
  for await (const event of getting) {
    told.add(event.kind)
    if (event.kind === 'planned') output.emit('planned', plannedFields(event.planned))
    else if (event.kind !== 'found') dashboard.draw(event)
  }
  return getting
}

function optionsOf(command: GetCommand, signal: AbortSignal, output: Output): GetOptions {
  const { out, pick, taken, anyNames, restart, wait, yes, seed = 0 } = command
  const isStream = out === STDOUT
  return {
    ...(isStream ? { to: process.stdout } : { into: out ?? '.' }),
    ...(pick.length === 0 ? {} : { pick }),
    ...(wait ? { patience: Number.POSITIVE_INFINITY } : {}),
    taken,
    anyNames,
    restart,
    seed,
    confirm: async planned => {
      output.live('')
      if (isStream) return true
      sayPlanned(planned, output)
      return yes || agreed(planned, signal)
    },
  }
}

function sayGot(got: Got, output: Output): void {
  const { name, bytes, seconds, entries, into, givers, local, repaired, present } = got
  const files = entries.filter(isWritten).length
  const where = into === undefined ? 'to stdout' : `into ${shortPath(into)}`
  if (entries.every(({ state }) => state === 'there')) {
    output.say(`${output.paint('green', 'there already')} ${printable(name)}: ${size(present)}, ${where}`)
    return
  }
  const rate = seconds > 0 && bytes > 0 ? `, ${((bytes * 8) / seconds / 1e6).toFixed(1)} Mbit/s` : ''
  const rows = givers.map(giver => [
    endpointKey(giver.peer),
    exact(giver.bytes),
    exact(giver.repaired),
    exact(giver.resent),
  ])
  if (local > 0) rows.push(['this host', exact(local), exact(repaired), ''])
  output.say(
    `${output.paint('green', 'got')} ${printable(name)}: ${counted(files, 'file')}, ${size(bytes)} in ${duration(seconds)}${rate}, ${where}`,
    ...table(
      [
        { title: 'from', align: 'left' },
        { title: 'octets', align: 'right' },
        { title: 'in place of others', align: 'right' },
        { title: 'datagrams resent', align: 'right' },
      ],
      rows,
    ),
  )
  if (present > 0) output.say(`${size(present)} were there already`)
}

/** What to do about a failure. @param hasBegun whether something may have come */
function adviceOn({ kind }: Failure, { out }: GetCommand, hasBegun: boolean): string | undefined {
  if (out === STDOUT) return undefined
  if (kind === 'other-part') return 'that part is kept: --restart drops it, -o DIR writes elsewhere'
  const canGoOn = hasBegun && (kind === 'interrupted' || kind === 'incomplete')
  return canGoOn ? 'what came is kept: the same command goes on with it' : undefined
}

function gotFields(got: Got): JsonFields {
  const { id, name, bytes, into, entries, seconds, givers, local, repaired, present } = got
  return {
    ok: true,
    id,
    name,
    bytes,
    into: into ?? null,
    files: entries.filter(isWritten).length,
    seconds: Number(seconds.toFixed(3)),
    givers: givers.map(({ peer, ...given }) => ({ peer: endpointKey(peer), ...given })),
    localBytes: local,
    localRepaired: repaired,
    presentBytes: present,
    error: null,
  }
}

function failedFields(name: string, { kind, detail, missing }: Failure): JsonFields {
  return { ok: false, name, error: missing === undefined ? { kind, detail } : { kind, detail, missing } }
}

function isWritten({ kind, state }: Got['entries'][number]): boolean {
  return kind === 'file' && state !== 'there'
}
