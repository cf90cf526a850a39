#!/usr/bin/env node
// argv -> checked options -> a command. The only file that reads argv and sets the exit code.
import meow from 'meow'
import { runDoctor } from './commands/doctor.js'
import { EXIT } from './commands/exit-codes.js'
import { runManager } from './commands/manager.js'
import { runPeer } from './commands/peer.js'
import { portOf, rateOf, socketOf, ttlOf } from './commands/values.js'
import { UsageError } from './errors.js'

const HELP = `
Usage
  $ peer-udp manager               keep the list of active peers, until Ctrl-C
  $ peer-udp peer PORT [TTL]       join from PORT for TTL seconds, or until the manager closes
  $ peer-udp peer 5001             the same, and collect the shared file from all peers
  $ peer-udp doctor                what this machine gives: sockets, buffers, MTU

Options of both
  --listen ADDR        address to listen on; loopback, or for a peer what reaches the manager
  --socket KIND        dgram or batched; what works best here
  --json               one JSON object a line on stdout (spec/interface.md)
  -h, --help           this text
  --version            the version

Options of manager
  --port PORT          UDP port to listen on; 5000

Options of peer
  --manager HOST:PORT  where the manager is; 127.0.0.1:5000
  --share PATH         the file to offer; ./shared_file.txt
  --limit RATE         upload, and collect, no faster than this: 500kbit, 20mbit, 1gbit
  --wait               wait for a manager for as long as it takes
  --collect            collect the file that bears the base name of --share; port 5001 does so anyway
  --no-collect         don't, not even on port 5001
  --out PATH           where a collector writes; reconstructed_file.txt beside the shared file
  --once               a collector leaves when it is done
  --restart            a collector drops what an earlier run left instead of going on with it
  --trace FILE         a collector writes down what the transfer does, as JSON lines (spec/interface.md)

Exit codes
  0 fine   1 internal error   2 usage   3 no manager   4 port   5 file or disk
  6 not identical   7 incomplete   130 interrupted before the file was there
`

const COLLECTOR_PORT = 5001
const MANAGER_PORT_DEFAULT = '5000'
const MANAGER_DEFAULT = '127.0.0.1:5000'
const SHARE_DEFAULT = 'shared_file.txt'

/** Numbers stay texts here, so that values.ts can say what is wrong with them. */
const SHARED_FLAGS = {
  help: { type: 'boolean', shortFlag: 'h' },
  version: { type: 'boolean' },
  json: { type: 'boolean' },
  listen: { type: 'string' },
  socket: { type: 'string' },
} as const
const MANAGER_FLAGS = { port: { type: 'string' } } as const
const PEER_FLAGS = {
  manager: { type: 'string' },
  share: { type: 'string' },
  limit: { type: 'string' },
  wait: { type: 'boolean' },
  collect: { type: 'boolean' },
  out: { type: 'string' },
  once: { type: 'boolean' },
  restart: { type: 'boolean' },
  trace: { type: 'string' },
} as const
const DOCTOR_FLAGS = { help: SHARED_FLAGS.help, version: SHARED_FLAGS.version, json: SHARED_FLAGS.json } as const
const FLAGS_OF = {
  manager: { ...SHARED_FLAGS, ...MANAGER_FLAGS },
  peer: { ...SHARED_FLAGS, ...PEER_FLAGS },
  doctor: DOCTOR_FLAGS,
} as const
const ALL_FLAGS = { ...FLAGS_OF.manager, ...FLAGS_OF.peer }
type Verb = keyof typeof FLAGS_OF
const VERBS = ['peer', 'manager', 'doctor'] as const
type Flags = Readonly<Record<string, unknown>>

/** npm and npx pass Ctrl-C on although the terminal sent it to all: what comes so soon after the first is the same one. */
const SAME_SIGNAL = 300

type Command = (signal: AbortSignal) => Promise<number>

try {
  process.exitCode = await parse(process.argv.slice(2))(interruption())
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`peer-udp: ${error.message}\n`)
  process.exitCode = error.exitCode
}

/** @throws UsageError at the first thing that is wrong, so that one line tells it */
function parse(argv: readonly string[]): Command {
  const { input, flags, help, version } = read(argv)
  if (flags.help === true) return print(help)
  if (flags.version === true) return print(version)

  const [verb, ...positionals] = input
  if (verb === undefined) throw new UsageError('say what to run: "peer-udp manager" or "peer-udp peer PORT" (--help)')
  if (verb !== 'manager' && verb !== 'peer' && verb !== 'doctor') {
    throw new UsageError(`unknown verb "${verb}": use "peer-udp manager" or "peer-udp peer PORT" (--help)`)
  }
  checkFlags(verb, flags)
  if (verb === 'doctor') return doctorCommand(positionals, flags)
  return verb === 'manager' ? managerCommand(positionals, flags) : peerCommand(positionals, flags)
}

function managerCommand(positionals: readonly string[], flags: Flags): Command {
  checkCount(positionals, 0, 'manager takes no arguments (another port: --port PORT)')
  const options = {
    port: portOf(textOf(flags, 'port') ?? MANAGER_PORT_DEFAULT),
    listen: textOf(flags, 'listen'),
    socket: optional(textOf(flags, 'socket'), socketOf),
    json: flags.json === true,
  }
  return signal => runManager(options, signal)
}

function doctorCommand(positionals: readonly string[], flags: Flags): Command {
  checkCount(positionals, 0, 'doctor takes no arguments')
  return () => runDoctor({ json: flags.json === true })
}

function peerCommand(positionals: readonly string[], flags: Flags): Command {
  const [portText, ttlText] = positionals
  if (portText === undefined)
    throw new UsageError('peer needs a port: "peer-udp peer PORT [TTL]", as in "peer-udp peer 4000 20"')
  checkCount(positionals, 2, 'peer takes a port and a TTL, no more')
  const port = portOf(portText)
  const collect = typeof flags.collect === 'boolean' ? flags.collect : port === COLLECTOR_PORT
  for (const flag of ['out', 'once', 'restart', 'trace'] as const) {
    if (!collect && flags[flag] !== undefined) throw new UsageError(`--${flag} is for a collector: add --collect`)
  }
  const options = {
    port,
    ttl: optional(ttlText, ttlOf),
    manager: textOf(flags, 'manager') ?? MANAGER_DEFAULT,
    listen: textOf(flags, 'listen'),
    socket: optional(textOf(flags, 'socket'), socketOf),
    share: textOf(flags, 'share') ?? SHARE_DEFAULT,
    out: textOf(flags, 'out'),
    collect,
    once: flags.once === true,
    restart: flags.restart === true,
    limit: optional(textOf(flags, 'limit'), rateOf),
    wait: flags.wait === true,
    json: flags.json === true,
    trace: textOf(flags, 'trace'),
  }
  return signal => runPeer(options, signal)
}

/** Unknown flags are let through by meow, which reports them in two lines, and refused by `checkFlags` in one. */
function read(argv: readonly string[]) {
  try {
    const { input, flags, help, pkg } = meow(HELP, {
      importMeta: import.meta,
      argv,
      flags: ALL_FLAGS,
      autoHelp: false,
      autoVersion: false,
      booleanDefault: undefined,
      allowUnknownFlags: true,
      helpIndent: 0,
    })
    return { input, flags: flags as Flags, help, version: String(pkg.version) }
  } catch (error) {
    // The one mistake that meow itself throws on: "The flag --x can only be set once."
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function checkFlags(verb: Verb, flags: Flags): void {
  for (const flag of Object.keys(flags)) {
    if (Object.hasOwn(FLAGS_OF[verb], flag)) continue
    const written = flag.length === 1 ? `-${flag}` : `--${flag}`
    if (!Object.hasOwn(ALL_FLAGS, flag)) throw new UsageError(`unknown flag ${written} (--help lists what there is)`)
    const owner = VERBS.find(other => Object.hasOwn(FLAGS_OF[other], flag))
    throw new UsageError(`${written} is no flag of ${verb}, but of ${owner} (--help)`)
  }
}

function checkCount(positionals: readonly string[], max: number, rule: string): void {
  const tooMany = positionals[max]
  if (tooMany !== undefined) throw new UsageError(`"${tooMany}" is one argument too many: ${rule}`)
}

/** The text after a flag. @throws UsageError where the flag stands without one */
function textOf(flags: Flags, flag: keyof typeof ALL_FLAGS): string | undefined {
  const value = flags[flag]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '') throw new UsageError(`--${flag} needs a value after it (--help)`)
  return value
}

function optional<T>(text: string | undefined, convert: (text: string) => T): T | undefined {
  return text === undefined ? undefined : convert(text)
}

function print(text: string): Command {
  return async () => {
    process.stdout.write(`${text.trim()}\n`)
    return EXIT.FINE
  }
}

/** Aborts at the first Ctrl-C, SIGTERM or SIGHUP, for a polite goodbye; the second ends the process at once. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  let first = Number.POSITIVE_INFINITY
  const onSignal = () => {
    if (performance.now() - first > SAME_SIGNAL) process.exit(EXIT.INTERRUPTED)
    first = Math.min(first, performance.now())
    controller.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  // A file that grows over the limit of its size (ulimit -f) is an error of that write, not the end of the process.
  process.on('SIGXFSZ', () => {})
  return controller.signal
}
