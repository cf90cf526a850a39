// `peer-udp share`: offers files and folders, or what comes from stdin, until it is stopped.
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createPeer, endpointKey, FileError, type Peer, type Shared, UsageError } from '../index.js'
import { Dashboard } from './dashboard.js'
import { EXIT, EXIT_OF_STOP, type ExitCode } from './exit-codes.js'
import { endOf, exitCodeOf, type JoinCommand, joinOptions } from './joining.js'
import { Output } from './output.js'
import { stopWords } from './stop-words.js'
import { counted, printable, size } from './words.js'

export interface ShareCommand extends JoinCommand {
  /** `-` alone: stdin. */
  readonly paths: readonly string[]
  readonly name: string | undefined
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** Seconds; undefined: until the manager closes. */
  readonly ttl: number | undefined
  /** Bits a second that may be uploaded. */
  readonly limit: number | undefined
}

const STDIN = '-'
const STDIN_NAME = 'stdin'
/** Paths shown to people; the JSON line has them all. */
const PATHS_SHOWN = 20

/** Runs until its TTL, the manager or `signal` ends it. @returns the exit code @throws UsageError, PortError, FileError */
export async function runShare(command: ShareCommand, signal: AbortSignal): Promise<ExitCode> {
  const output = new Output({ json: command.json })
  const { ttl, limit } = command
  const options = {
    ...joinOptions(command),
    ...(ttl === undefined ? {} : { ttl }),
    ...(limit === undefined ? {} : { limit }),
  }
  const peer = await createPeer({ ...options, signal, onEvent: event => dashboard.draw(event) })
  const dashboard = new Dashboard({ output, own: peer.local, now: () => peer.now() })
  output.emit('started', {
    role: 'peer',
    local: endpointKey(peer.local),
    manager: command.manager,
    ttl: ttl ?? null,
  })
  try {
    output.live(`reading ${command.paths.map(printable).join(' ')} …`)
    const shared = await share(peer, command, signal)
    output.live('')
    saySharing(shared, output)
  } catch (error) {
    await peer.stop()
    output.live('')
    const end = endOf(error, command, peer.local.port, signal)
    if (end === undefined) throw error
    output.say(`peer-udp: ${end.detail}`)
    return signal.aborted ? EXIT.FINE : exitCodeOf(end)
  }
  const why = await peer.done
  output.live('')
  const words = stopWords(why, { manager: command.manager, port: peer.local.port, ttl })
  output.say(EXIT_OF_STOP[why] === EXIT.FINE ? words : `peer-udp: ${words}`)
  output.emit('stopped', { why })
  return EXIT_OF_STOP[why]
}

async function share(peer: Peer, command: ShareCommand, signal: AbortSignal): Promise<Shared> {
  const { paths, name, include, exclude } = command
  const options = {
    ...(name === undefined ? {} : { name }),
    ...(include.length === 0 ? {} : { include }),
    ...(exclude.length === 0 ? {} : { exclude }),
  }
  if (!paths.includes(STDIN)) return peer.share(paths, options)
  if (paths.length > 1) throw new UsageError('stdin (-) is shared alone: run share once more for the paths')
  const folder = await mkdtemp(join(tmpdir(), 'peer-udp-'))
  // It is open as long as it is shared, and nobody else has a use for it.
  const remove = () => rm(folder, { recursive: true, force: true }).catch(() => {})
  void peer.done.then(remove)
  const file = join(folder, STDIN_NAME)
  await pipeline(process.stdin, createWriteStream(file, { mode: 0o600 }), { signal }).catch(error => {
    signal.throwIfAborted()
    throw new FileError(`can't keep what comes from stdin in ${file}: ${error.message}`)
  })
  const shared = await peer.share(file, { name: STDIN_NAME, ...options })
  if (process.platform !== 'win32') await remove()
  return shared
}

function saySharing({ id, name, bytes, paths, leftOut }: Shared, output: Output): void {
  output.emit('shared', { id, name, bytes, paths, leftOut })
  const shown = paths.slice(0, PATHS_SHOWN).map(path => `  ${printable(path)}`)
  if (paths.length > shown.length) shown.push(`  and ${paths.length - shown.length} more`)
  const isOne = paths.length === 1 && paths[0] === name
  output.say(
    `${output.paint('green', 'sharing')} ${printable(name)}, ${size(bytes)}${isOne ? '' : `, ${counted(paths.length, 'path')}:`}`,
    ...(isOne ? [] : shown),
    `id ${id}`,
  )
  if (leftOut.length === 0) return
  const some = leftOut.slice(0, 3).map(printable).join(', ')
  output.say(
    output.paint(
      'yellow',
      `left out, as links and devices are: ${some}${leftOut.length > 3 ? `, and ${leftOut.length - 3} more` : ''}`,
    ),
  )
}
