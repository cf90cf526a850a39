// What `npm run sim` does: seeded swarms, one after the other.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { UsageError } from '../errors.js'
import type { Outcome } from './oracle.js'
import { PcapCapture } from './pcap.js'
import { runScenario, type ScenarioResult } from './scenario.js'
import type { Watcher } from './trace.js'
import { TraceFile } from './trace-file.js'
import { SimulationError } from './world.js'

const USAGE = 'usage: npm run sim -- [--seeds COUNT] [--seed FIRST] [--pcap FILE] [--trace FILE]'
const SEEDS = 100
const SEED_MAX = 2 ** 32 - 1
const WRONG = 'WRONG'

export interface SimArguments {
  readonly first: number
  readonly count: number
  readonly pcap: string | undefined
  readonly trace: string | undefined
}

/** @throws UsageError for arguments that make no sense */
export function readArguments(argv: readonly string[]): SimArguments {
  const { seeds, seed, pcap, trace } = parse(argv)
  const isOne = seed !== undefined && seeds === undefined
  return {
    first: seed === undefined ? 1 : wholeNumber('--seed', seed, 0),
    count: seeds === undefined ? (isOne ? 1 : SEEDS) : wholeNumber('--seeds', seeds, 1),
    pcap,
    trace,
  }
}

/**
 * Runs the seeds, a line for each that fails, and a summary.
 *
 * @returns whether all ended well
 */
export function runSeeds({ first, count, pcap, trace }: SimArguments, print: (line: string) => void): boolean {
  const start = performance.now()
  const capture = pcap === undefined ? undefined : new PcapCapture()
  const traceFile = trace === undefined ? undefined : new TraceFile(trace)
  const watchers: readonly Watcher[] = [capture, traceFile].filter(watcher => watcher !== undefined)
  const kinds = new Map<string, number>()
  let [datagrams, virtual] = [0, 0]
  for (let seed = first; seed < first + count; seed++) {
    const ended = attempt(seed, watchers)
    if (ended instanceof SimulationError) print(count === 1 ? ended.message : ended.summary)
    else {
      datagrams += ended.datagrams
      virtual += ended.virtual
    }
    for (const kind of ended instanceof SimulationError ? [WRONG] : ended.outcomes.map(kindOf)) {
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    }
  }
  if (capture !== undefined && pcap !== undefined) writeFileSync(pcap, capture.octets())
  traceFile?.close()
  const counts = [...kinds].map(([kind, times]) => `${times} ${kind}`).join(', ')
  const times = `${(virtual / 1_000).toFixed()} s simulated in ${((performance.now() - start) / 1_000).toFixed(1)} s`
  print(`${count} seeds, by collector: ${counts}; ${datagrams} datagrams, ${times}`)
  return !kinds.has(WRONG)
}

function parse(argv: readonly string[]) {
  const string = { type: 'string' } as const
  try {
    return parseArgs({ args: [...argv], options: { seeds: string, seed: string, pcap: string, trace: string } }).values
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}; ${USAGE}`)
  }
}

function wholeNumber(flag: string, text: string, least: number): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= least && number <= SEED_MAX) return number
  throw new UsageError(`${flag} takes a whole number from ${least} to ${SEED_MAX}, not '${text}'; ${USAGE}`)
}

function attempt(seed: number, watchers: readonly Watcher[]): ScenarioResult | SimulationError {
  try {
    return runScenario(seed, watchers)
  } catch (error) {
    if (error instanceof SimulationError) return error
    throw error
  }
}

function kindOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'identical':
      return 'identical'
    case 'failed':
      return `rightly ${outcome.failure.kind}`
    case 'none':
      return 'with nothing to collect'
  }
}
