// The whole run: what the relay carries, the file, every transfer one after another, and all of it taken away again.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Output } from '../src/commands/output.js'
import { exact } from '../src/commands/words.js'
import { checkRate, highestRate, measureCeiling } from './ceiling.js'
import { figuresOf, type Row, rowsOf } from './figures.js'
import { highestCapacity } from './network-plan.js'
import type { BenchOptions } from './options.js'
import { Loopback } from './places/loopback.js'
import { Namespaces } from './places/namespaces.js'
import { RelayProcess } from './relay/relay-process.js'
import { describeRun, type RunDescription } from './report/description.js'
import { percent } from './report/table.js'
import { reportFolder } from './report/write-report.js'
import { checkSystems, SYSTEMS, systemsOf } from './systems.js'
import { BenchFile } from './transfer/bench-file.js'
import { runTrial, type Trial, type TrialParts, type TrialPlan } from './trial.js'

/** Milliseconds of one flood. */
const FLOOD_TIME = 250
const FLOOD_TIME_SMOKE = 50

export interface BenchResult {
  readonly description: RunDescription
  readonly rows: readonly Row[]
  /** No transfer of the command itself failed. */
  readonly isFine: boolean
}

/** @returns undefined where it was interrupted @throws UsageError for what this computer has not, or can't carry */
export async function runBench(
  options: BenchOptions,
  output: Output,
  signal: AbortSignal,
): Promise<BenchResult | undefined> {
  await checkSystems(options)
  const relay = new RelayProcess()
  const count = options.peers + 2
  let [namespaces, file]: [Namespaces | undefined, BenchFile | undefined] = [undefined, undefined]
  try {
    if (options.namespaces) namespaces = await Namespaces.open(relay, count)
    const places = namespaces ?? new Loopback(relay)
    const ceiling = await measureCeiling(relay, places, count, options.smoke ? FLOOD_TIME_SMOKE : FLOOD_TIME)
    const words = `the relay carries ${exact(Math.round(ceiling))} datagrams/s on this computer`
    output.say(`${words}: good for rates up to ${exact(Math.floor(highestRate(ceiling)))} Mbit/s`)
    checkRate(highestCapacity(options), ceiling)
    const description = describeRun(options, ceiling)
    output.say(description.settings)
    file = await BenchFile.make(options.size, options.seed)
    const trials = await runTrials(options, { places, relay, file, signal }, namespaces, output)
    if (signal.aborted) return undefined
    const isFine = trials.every(trial => trial.kind === 'done' || trial.system !== 'peer-udp')
    return { description, rows: rowsOf(trials, options), isFine }
  } finally {
    await file?.remove()
    await namespaces?.close()
    relay.close()
  }
}

/** Systems within losses within runs, so that what changes on the computer meanwhile meets all of them. */
async function runTrials(
  options: BenchOptions,
  parts: Pick<TrialParts, 'places' | 'relay' | 'file' | 'signal'>,
  namespaces: Namespaces | undefined,
  output: Output,
): Promise<readonly Trial[]> {
  const trials: Trial[] = []
  for (const plan of plansOf(options)) {
    if (parts.signal.aborted) return trials
    const { congestionControl } = SYSTEMS[plan.system]
    if (congestionControl !== undefined) await namespaces?.useCongestionControl(congestionControl)
    const title = titleOf(plan, options)
    output.live(`${title}the swarm gathers`)
    const onProgress = (share: number) => output.live(`${title}${Math.floor(share * 100)} %`)
    const trace = options.trace && plan.system === 'peer-udp' ? await traceFile(options, plan) : undefined
    const trial = await runTrial(plan, { ...parts, options, trace, onProgress })
    output.live('')
    output.say(`${title}${wordsOf(trial, options, output)}`)
    trials.push(trial)
  }
  return trials
}

function plansOf(options: BenchOptions): TrialPlan[] {
  const runs = Array.from({ length: options.runs }, (_, at) => at + 1)
  const systems = systemsOf(options)
  return runs.flatMap(run => options.losses.flatMap(loss => systems.map(system => ({ system, loss, run }))))
}

function titleOf({ system, loss, run }: TrialPlan, options: BenchOptions): string {
  const name = systemsOf(options).length > 1 ? `, ${system}` : ''
  return `${percent(loss).padStart(6)} loss${name}${options.runs > 1 ? `, run ${run} of ${options.runs}` : ''}: `
}

/** Beside the report, under a name that says what it is of. */
async function traceFile(options: BenchOptions, { loss, run }: TrialPlan): Promise<string> {
  const folder = reportFolder(options)
  await mkdir(folder, { recursive: true })
  return join(folder, `trace-loss-${percent(loss).replace(' %', '')}-run-${run}.jsonl`)
}

function wordsOf(trial: Trial, options: BenchOptions, output: Output): string {
  if (trial.kind === 'failed') return output.paint('red', `failed: ${trial.why}`)
  const { seconds, goodput, efficiency } = figuresOf(trial)
  const part = trial.isWhole ? '' : `, stopped at ${percent(trial.octets / options.size, 0)}`
  return `${seconds.toFixed(2)} s, ${goodput.toFixed(1)} Mbit/s, E ${efficiency.toFixed(3)}${part}`
}
