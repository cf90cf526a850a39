// `npm run bench -- raw`: as fast as this computer can, beside TCP and udx.
import { EXIT, type ExitCode } from '../../src/commands/exit-codes.js'
import type { Output } from '../../src/commands/output.js'
import { UsageError } from '../../src/errors.js'
import { type Files, makeFiles } from './files.js'
import { canMakeVeth, LINKS_OPEN, type Link } from './link.js'
import { LINKS, type LinkKind, RAW_HELP, type RawOptions, readRawOptions, type System } from './options.js'
import { profileLines } from './profile.js'
import { runRival } from './rivals.js'
import { runSwarm } from './swarm.js'
import type { End, RawTrial } from './trial.js'

/** A file written to just now is hashed again when it is served: let it settle first. */
const SETTLE_MS = 2_500
const COLUMNS = [
  'system',
  'Gbit/s',
  'CPU s/GB source',
  'sink',
  'MB source',
  'sink',
  'delay p99 ms',
  'sink',
  'calls/64 KB',
]

/** @throws UsageError */
export async function runRaw(argv: readonly string[], output: Output): Promise<ExitCode> {
  const options = readRawOptions(argv)
  if (options === undefined) {
    process.stdout.write(`${RAW_HELP.trim()}\n`)
    return EXIT.FINE
  }
  const links = options.links ?? LINKS.filter(kind => kind !== 'veth' || canMakeVeth())
  if (links.includes('veth') && !canMakeVeth()) throw new UsageError('--links veth needs Linux, root and iproute2')
  if (options.links === undefined && !links.includes('veth'))
    output.say('no veth pair: that needs Linux, root and iproute2')
  let isFine = true
  const files = await makeFiles(options.folder, options.size)
  try {
    await new Promise(resolve => setTimeout(resolve, SETTLE_MS))
    for (const kind of links) isFine = (await measureLink(kind, files, options, output)) && isFine
  } finally {
    await files.remove()
  }
  return isFine ? EXIT.FINE : EXIT.INTERNAL
}

async function measureLink(kind: LinkKind, files: Files, options: RawOptions, output: Output): Promise<boolean> {
  const link = LINKS_OPEN[kind]()
  let isFine = true
  try {
    const trials = new Map<System, RawTrial[]>(options.systems.map(system => [system, []]))
    // Systems within runs, so that what changes on the computer meanwhile meets all of them.
    for (let run = 0; run < options.runs; run++) {
      for (const system of options.systems) {
        try {
          const trial = await runOne(system, link, files, options)
          trials.get(system)!.push(trial)
          output.say(`${link.title}: ${system} ${rateOf(trial, options).toFixed(2)} Gbit/s`)
        } catch (error) {
          isFine = false
          output.say(`${link.title}: ${system} failed: ${error instanceof Error ? error.message : String(error)}`)
        }
      }
    }
    process.stdout.write(`${table(link, trials, options).join('\n')}\n`)
    if (options.allocations) for (const line of allocations(trials, options)) process.stdout.write(`${line}\n`)
    if (options.profile) for (const line of profiles(files)) process.stdout.write(`${line}\n`)
  } finally {
    link.close()
  }
  return isFine
}

function runOne(system: System, link: Link, files: Files, options: RawOptions): Promise<RawTrial> {
  const isOurs = system === 'batched' || system === 'dgram'
  return isOurs ? runSwarm(system, link, files, options) : runRival(system, link, files)
}

function rateOf({ seconds }: RawTrial, { size, collectors }: RawOptions): number {
  return (size * collectors * 8) / seconds / 1e9
}

function table(link: Link, trials: ReadonlyMap<System, readonly RawTrial[]>, options: RawOptions): string[] {
  const rows = [...trials].filter(([, runs]) => runs.length > 0).map(([system, runs]) => rowOf(system, runs, options))
  const widths = COLUMNS.map((title, i) => Math.max(title.length, ...rows.map(row => row[i]!.length)))
  const line = (cells: readonly string[]) => cells.map((cell, i) => cell.padStart(widths[i]!)).join('  ')
  return [
    '',
    `${link.title}, ${options.size / 1e6} MB, ${options.peers} to ${options.collectors}`,
    line(COLUMNS),
    ...rows.map(line),
    '',
  ]
}

function rowOf(system: System, runs: readonly RawTrial[], options: RawOptions): string[] {
  const ours = system === 'batched' || system === 'dgram'
  const gigabytes = (options.size * (ours ? options.collectors : 1)) / 1e9
  const cpu = (end: End) =>
    end.user === undefined || end.system === undefined ? undefined : (end.user + end.system) / gigabytes
  const of = (pick: (trial: RawTrial) => number | undefined, digits: number) => {
    const value = median(runs.map(pick))
    return value === undefined ? '-' : value.toFixed(digits)
  }
  const rate = ours
    ? (trial: RawTrial) => rateOf(trial, options)
    : ({ seconds }: RawTrial) => (options.size * 8) / seconds / 1e9
  return [
    system,
    of(rate, 2),
    of(trial => cpu(trial.source), 2),
    of(trial => cpu(trial.sink), 2),
    of(trial => trial.source.memory && trial.source.memory / 1e6, 0),
    of(trial => trial.sink.memory && trial.sink.memory / 1e6, 0),
    of(trial => trial.source.delay, 1),
    of(trial => trial.sink.delay, 1),
    of(trial => trial.calls && (trial.calls.sent + trial.calls.received) / ((gigabytes * 1e9) / 65_536), 2),
  ]
}

function median(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter(value => value !== undefined).sort((a, b) => a - b)
  return known[Math.floor(known.length / 2)]
}

function profiles(files: Files): string[] {
  return ['peer', 'collector'].flatMap(kind => [`CPU time of ${kind}s:`, ...profileLines(files.profiles(kind)), ''])
}

/** Of each system of ours: for a datagram of 1444 octets of file, whatever it was that carried them. */
function allocations(trials: ReadonlyMap<System, readonly RawTrial[]>, { size, collectors }: RawOptions): string[] {
  const datagrams = (size * collectors) / 1_444
  return [...trials].flatMap(([system, runs]) => {
    const of = (pick: (trial: RawTrial) => End) => median(runs.map(trial => pick(trial).allocated))
    const [source, sink] = [of(trial => trial.source), of(trial => trial.sink)]
    if (source === undefined || sink === undefined) return []
    const words = [source, sink].map(octets => (octets / datagrams).toFixed(1))
    return [`${system}: ${words[0]} octets of memory allocated a datagram by peers, ${words[1]} by collectors`]
  })
}
