// Our own system: a manager and peers at one side, collectors at the other, each the command itself.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Files } from './files.js'
import type { Link, Side } from './link.js'
import { type Line, MeasuredProcess } from './measured-process.js'
import type { RawOptions, System } from './options.js'
import { measureEnds, type RawTrial } from './trial.js'

const CLI = fileURLToPath(new URL('./cli.js', import.meta.resolve('peer-udp')))
const MANAGER_PORT = 5_000
const PEER_PORT = 4_000
const COLLECTOR_PORT = 5_100

export async function runSwarm(system: System, link: Link, files: Files, options: RawOptions): Promise<RawTrial> {
  const all: MeasuredProcess[] = []
  const manager = `${link.source.address}:${MANAGER_PORT}`
  const start = (side: Side, args: readonly string[], profile?: string) => {
    const flags =
      options.profile && profile !== undefined ? ['--cpu-prof', '--cpu-prof-dir', files.profiles(profile)] : []
    const common = ['--listen', side.address, '--socket', system, '--json']
    const environment = options.allocations && profile !== undefined ? { PEER_UDP_BENCH_ALLOCATIONS: '1' } : {}
    const process = new MeasuredProcess(side, CLI, [...args, ...common], flags, environment)
    all.push(process)
    return process
  }
  try {
    await start(link.source, ['manager', '--port', `${MANAGER_PORT}`]).saw('started')
    const peers = Array.from({ length: options.peers }, (_, i) =>
      start(
        link.source,
        ['peer', `${PEER_PORT + i}`, '--manager', manager, '--no-collect', '--share', files.shared],
        'peer',
      ),
    )
    await Promise.all(peers.map(peer => peer.saw('registered')))
    const outs = Array.from({ length: options.collectors }, (_, i) => join(files.folder, `rebuilt-${i}`))
    const before = peers.map(peer => peer.cpuTime())
    const collectors = outs.map((out, i) =>
      start(
        link.sink,
        [
          'peer',
          `${COLLECTOR_PORT + i}`,
          '--manager',
          manager,
          '--collect',
          '--once',
          '--share',
          files.lacking,
          '--out',
          out,
        ],
        'collector',
      ),
    )
    const trial = await measureEnds(peers, before, collectors, outs, () => all.map(process => process.end()))
    await Promise.all(outs.map(out => rm(out, { force: true })))
    return { ...trial, calls: callsOf(trial.sourceCounters, trial.sinkCounters) }
  } finally {
    await Promise.all(all.map(process => process.end()))
  }
}

/** System calls for datagrams, at both ends; undefined for sockets that don't count them. */
function callsOf(...counters: readonly (Line | undefined)[][]): RawTrial['calls'] {
  const sum = (lines: readonly (Line | undefined)[], name: string) =>
    lines.reduce((total, line) => total + Number(line?.[name] ?? Number.NaN), 0)
  const [source = [], sink = []] = counters
  const sent = sum(source, 'socket:send-calls')
  const received = sum(sink, 'socket:receive-calls')
  return Number.isNaN(sent + received) ? undefined : { sent, received }
}
