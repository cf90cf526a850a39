#!/usr/bin/env node
// argv -> checked options -> a command. The only file that reads argv and sets the exit code.
import { setFlagsFromString } from 'node:v8'
import meow from 'meow'
import { EXIT } from './commands/exit-codes.js'
import type { JoinCommand } from './commands/joining.js'
import { idOf, portOf, rateOf, seedOf, socketOf, ttlOf } from './commands/values.js'
import { UsageError } from './errors.js'

const HELP = `
Usage
  $ peer-udp manager               keep the list of active peers, until Ctrl-C
  $ peer-udp share PATH...         offer files and folders, or - for stdin, until Ctrl-C
  $ peer-udp ls [NAME|ID]          what the swarm offers and who has it; what is in a content
  $ peer-udp get NAME|ID           fetch it from everyone who has any of it
  $ peer-udp verify PATH...        check files against an id, or say which id they have

  $ peer-udp peer PORT [TTL]       join from PORT for TTL seconds, or until the manager closes
  $ peer-udp peer 5001             the same, and collect the shared file from all peers
  $ peer-udp doctor                what this machine gives: sockets, buffers, MTU

Options of all
  --listen ADDR        address to listen on; loopback, or for a peer what reaches the manager
  --socket KIND        dgram or batched; what works best here
  --json               one JSON object a line on stdout (spec/interface.md)
  -h, --help           this text
  --version            the version

Options of manager
  --port PORT          UDP port to listen on; 5000

Options of all but manager
  --manager HOST:PORT  where the manager is; 127.0.0.1:5000
  --wait               wait for a manager for as long as it takes; with get and ls also for an offer

Options of share, ls, get, verify
  --port PORT          UDP port to join from; any free one

Options of share, verify
  --include GLOB       only files that match, as '*.jpg' or 'photos/**'; may be given again
  --exclude GLOB       leave out what matches, with all that is in it; may be given again

Options of share
  --name NAME          what others find it by; the name of the path
  --ttl SECONDS        leave after so long
  --limit RATE         upload no faster than this, as 500kbit, 20mbit or 1gbit

Options of get
  -o, --out DIR        folder to write into, made where it is missing; the working folder. - writes to stdout
  --pick GLOB          only files that match; may be given again
  -y, --yes            don't ask before writing
  --overwrite, --rename, --skip
                       what to do where a file is in the way, or a name that not every system can hold
  --any-names          write such names as they are
  --seed [TTL]         serve it for TTL seconds when it is there, or until Ctrl-C
  --limit RATE         upload, and collect, no faster than this: 500kbit, 20mbit, 1gbit
  --background         take only what others leave of the links
  --restart            drop what an earlier run left instead of going on with it
  --trace FILE         write down what the transfer does, as JSON lines (spec/interface.md)

Options of verify
  --root ID            the id to check against, or 16 or more of its first digits

Options of peer
  --share PATH         the file to offer; ./shared_file.txt
  --limit RATE         upload, and collect, no faster than this: 500kbit, 20mbit, 1gbit
  --collect            collect the file that bears the base name of --share; port 5001 does so anyway
  --no-collect         don't, not even on port 5001
  --out PATH           where a collector writes; reconstructed_file.txt beside the shared file
  --once               a collector leaves when it is done
  --background         a collector takes only what others leave of the links
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
const JOIN_FLAGS = { manager: { type: 'string' }, port: { type: 'string' }, wait: { type: 'boolean' } } as const
const FILTER_FLAGS = {
  include: { type: 'string', isMultiple: true },
  exclude: { type: 'string', isMultiple: true },
} as const
const SHARE_FLAGS = {
  name: { type: 'string' },
  ttl: { type: 'string' },
  limit: { type: 'string' },
} as const
const GET_FLAGS = {
  out: { type: 'string', shortFlag: 'o' },
  pick: { type: 'string', isMultiple: true },
  yes: { type: 'boolean', shortFlag: 'y' },
  overwrite: { type: 'boolean' },
  rename: { type: 'boolean' },
  skip: { type: 'boolean' },
  anyNames: { type: 'boolean' },
  limit: { type: 'string' },
  seed: { type: 'string' },
  background: { type: 'boolean' },
  restart: { type: 'boolean' },
  trace: { type: 'string' },
} as const
const VERIFY_FLAGS = { root: { type: 'string' } } as const
const PEER_FLAGS = {
  manager: { type: 'string' },
  share: { type: 'string' },
  limit: { type: 'string' },
  wait: { type: 'boolean' },
  collect: { type: 'boolean' },
  out: { type: 'string', shortFlag: 'o' },
  once: { type: 'boolean' },
  background: { type: 'boolean' },
  restart: { type: 'boolean' },
  trace: { type: 'string' },
} as const
const DOCTOR_FLAGS = { help: SHARED_FLAGS.help, version: SHARED_FLAGS.version, json: SHARED_FLAGS.json } as const
const FLAGS_OF = {
  manager: { ...SHARED_FLAGS, ...MANAGER_FLAGS },
  peer: { ...SHARED_FLAGS, ...PEER_FLAGS },
  doctor: DOCTOR_FLAGS,
  share: { ...SHARED_FLAGS, ...JOIN_FLAGS, ...FILTER_FLAGS, ...SHARE_FLAGS },
  ls: { ...SHARED_FLAGS, ...JOIN_FLAGS },
  get: { ...SHARED_FLAGS, ...JOIN_FLAGS, ...GET_FLAGS },
  verify: { ...SHARED_FLAGS, ...JOIN_FLAGS, ...FILTER_FLAGS, ...VERIFY_FLAGS },
} as const
const ALL_FLAGS = {
  ...FLAGS_OF.manager,
  ...FLAGS_OF.peer,
  ...FLAGS_OF.share,
  ...FLAGS_OF.get,
  ...FLAGS_OF.verify,
}
type Verb = keyof typeof FLAGS_OF
const VERBS = Object.keys(FLAGS_OF) as readonly Verb[]
type Flags = Readonly<Record<string, unknown>>

/** npm and npx pass Ctrl-C on although the terminal sent it to all: what comes so soon after the first is the same one. */
const SAME_SIGNAL = 300

type Command = (signal: AbortSignal) => Promise<number>

const COMMANDS: Readonly<Record<Verb, (positionals: readonly string[], flags: Flags) => Command>> = {
  manager: managerCommand,
  peer: peerCommand,
  share: shareCommand,
  ls: lsCommand,
  get: getCommand,
  verify: verifyCommand,
  doctor: doctorCommand,
}

// The modules of a command are compiled whole as they are loaded: its first datagrams don't wait for that.
setFlagsFromString('--no-lazy')
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
  const verbs = 'manager, share, ls, get, verify, peer or doctor'
  if (verb === undefined)
    throw new UsageError(`say what to run: "peer-udp manager", "peer-udp share PATH" ... (--help)`)
  if (!isVerb(verb)) throw new UsageError(`unknown verb "${verb}": use ${verbs} (--help)`)
  checkFlags(verb, flags)
  for (const flag of ['include', 'exclude', 'pick']) checkValues(flag, flags, argv)
  return COMMANDS[verb](positionals, flags)
}

function managerCommand(positionals: readonly string[], flags: Flags): Command {
  checkCount(positionals, 0, 'manager takes no arguments (another port: --port PORT)')
  const options = {
    port: portOf(textOf(flags, 'port') ?? MANAGER_PORT_DEFAULT),
    listen: textOf(flags, 'listen'),
    socket: optional(textOf(flags, 'socket'), socketOf),
    json: flags.json === true,
  }
  return async signal => (await import('./commands/manager.js')).runManager(options, signal)
}

function doctorCommand(positionals: readonly string[], flags: Flags): Command {
  checkCount(positionals, 0, 'doctor takes no arguments')
  return async () => (await import('./commands/doctor.js')).runDoctor({ json: flags.json === true })
}

function peerCommand(positionals: readonly string[], flags: Flags): Command {
  const [portText, ttlText] = positionals
  if (portText === undefined)
    throw new UsageError('peer needs a port: "peer-udp peer PORT [TTL]", as in "peer-udp peer 4000 20"')
  checkCount(positionals, 2, 'peer takes a port and a TTL, no more')
  const port = portOf(portText)
  const collect = typeof flags.collect === 'boolean' ? flags.collect : port === COLLECTOR_PORT
  for (const flag of ['out', 'once', 'background', 'restart', 'trace'] as const) {
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
    background: flags.background === true,
    restart: flags.restart === true,
    limit: optional(textOf(flags, 'limit'), rateOf),
    wait: flags.wait === true,
    json: flags.json === true,
    trace: textOf(flags, 'trace'),
  }
  return async signal => (await import('./commands/peer.js')).runPeer(options, signal)
}

function shareCommand(paths: readonly string[], flags: Flags): Command {
  if (paths.length === 0) throw new UsageError('share needs a path: "peer-udp share PATH...", or - for stdin')
  const options = {
    ...joinOf(flags),
    paths,
    name: textOf(flags, 'name'),
    include: textsOf(flags, 'include'),
    exclude: textsOf(flags, 'exclude'),
    ttl: optional(textOf(flags, 'ttl'), ttlOf),
    limit: optional(textOf(flags, 'limit'), rateOf),
  }
  return async signal => (await import('./commands/share.js')).runShare(options, signal)
}

function lsCommand([what, ...more]: readonly string[], flags: Flags): Command {
  checkCount(more, 0, 'ls takes one name or id, or none')
  const options = { ...joinOf(flags), what }
  return async signal => (await import('./commands/ls.js')).runLs(options, signal)
}

function getCommand([what, ...more]: readonly string[], flags: Flags): Command {
  const seed = typeof flags.seed === 'string' ? seedOf(flags.seed) : undefined
  if (what === undefined) throw new UsageError('get needs a name or an id: "peer-udp ls" shows what there is')
  checkCount(more, 0, 'get takes one name or id; quote a name with blanks')
  const decisions = (['overwrite', 'rename', 'skip'] as const).filter(flag => flags[flag] === true)
  if (decisions.length > 1) throw new UsageError(`--${decisions[0]} and --${decisions[1]}: choose one of them`)
  const out = textOf(flags, 'out')
  if (out === '-' && flags.json === true)
    throw new UsageError('--json and -o - both write to stdout: choose one of them')
  if (out === '-' && seed !== undefined)
    throw new UsageError('--seed serves files, and -o - writes none: choose one of them')
  const options = {
    ...joinOf(flags),
    what,
    out,
    seed,
    limit: optional(textOf(flags, 'limit'), rateOf),
    pick: textsOf(flags, 'pick'),
    yes: flags.yes === true,
    taken: decisions[0] ?? ('refuse' as const),
    anyNames: flags.anyNames === true,
    background: flags.background === true,
    restart: flags.restart === true,
    trace: textOf(flags, 'trace'),
  }
  return async signal => (await import('./commands/get.js')).runGet(options, signal)
}

function verifyCommand(paths: readonly string[], flags: Flags): Command {
  if (paths.length === 0) throw new UsageError('verify needs a path: "peer-udp verify PATH... [--root ID]"')
  const options = {
    ...joinOf(flags),
    paths,
    root: optional(textOf(flags, 'root'), idOf),
    include: textsOf(flags, 'include'),
    exclude: textsOf(flags, 'exclude'),
  }
  return async signal => (await import('./commands/verify.js')).runVerify(options, signal)
}

function joinOf(flags: Flags): JoinCommand {
  return {
    manager: textOf(flags, 'manager') ?? MANAGER_DEFAULT,
    listen: textOf(flags, 'listen'),
    port: optional(textOf(flags, 'port'), portOf),
    wait: flags.wait === true,
    socket: optional(textOf(flags, 'socket'), socketOf),
    json: flags.json === true,
  }
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
  for (const [flag, value] of Object.entries(flags)) {
    // What may be given again is there without being given.
    if (Object.hasOwn(FLAGS_OF[verb], flag) || (Array.isArray(value) && value.length === 0)) continue
    const written = flag.length === 1 ? `-${flag}` : `--${kebab(flag)}`
    if (!Object.hasOwn(ALL_FLAGS, flag)) throw new UsageError(`unknown flag ${written} (--help lists what there is)`)
    const others = VERBS.filter(other => Object.hasOwn(FLAGS_OF[other], flag)).join(', ')
    throw new UsageError(`${written} is no flag of ${verb}, but of ${others} (--help)`)
  }
}

/** A flag that may be given again stands without a value where it was given more often than it has values. */
function checkValues(flag: string, flags: Flags, argv: readonly string[]): void {
  const given = argv.filter(text => text === `--${flag}` || text.startsWith(`--${flag}=`)).length
  const values = flags[flag]
  if (!Array.isArray(values)) return
  if (values.length < given || values.includes('')) throw new UsageError(`--${flag} needs a value after it (--help)`)
}

function isVerb(text: string): text is Verb {
  return Object.hasOwn(FLAGS_OF, text)
}

function kebab(flag: string): string {
  return flag.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

function checkCount(positionals: readonly string[], max: number, rule: string): void {
  const tooMany = positionals[max]
  if (tooMany !== undefined) throw new UsageError(`"${tooMany}" is one argument too many: ${rule}`)
}

/** The text after a flag. @throws UsageError where the flag stands without one */
function textOf(flags: Flags, flag: keyof typeof ALL_FLAGS): string | undefined {
  const value = flags[flag]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '')
    throw new UsageError(`--${kebab(flag)} needs a value after it (--help)`)
  return value
}

function textsOf(flags: Flags, flag: keyof typeof ALL_FLAGS): readonly string[] {
  return (flags[flag] ?? []) as readonly string[]
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
