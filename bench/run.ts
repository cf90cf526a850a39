// The whole run: every transfer one after another.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Output } from '../src/commands/output.js'
import { figuresOf, type Row, rowsOf } from './figures.js'
import type { BenchOptions } from './options.js'
import type { RunDescription } from './report/description.js'
import { percent } from './report/table.js'
import { reportFolder } from './report/write-report.js'
import { type Stage, withStage } from './stage.js'
import { checkSystems, SYSTEMS, systemsOf } from './systems.js'
import { runTrial, type Trial, type TrialPlan } from './trial.js'

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
  return withStage(options, options.peers + 2, output, async stage => {
    const trials = await runTrials(options, stage, signal, output)
    if (signal.aborted) return undefined
    const isFine = trials.every(trial => trial.kind === 'done' || trial.system !== 'peer-udp')
    return { description: stage.description, rows: rowsOf(trials, options), isFine }
  })
}

/** Systems within losses within runs, so that what changes on the computer meanwhile meets all of them. */
async function runTrials(
  options: BenchOptions,
  { places, relay, file, namespaces }: Stage,
  signal: AbortSignal,
  output: Output,
): Promise<readonly Trial[]> {
  const trials: Trial[] = []
  for (const plan of plansOf(options)) {
    if (signal.aborted) return trials
    const { congestionControl } = SYSTEMS[plan.system]
    if (congestionControl !== undefined) await namespaces?.useCongestionControl(congestionControl)
    const title = titleOf(plan, options)
    output.live(`${title}the swarm gathers`)
    const onProgress = (share: number) => output.live(`${title}${Math.floor(share * 100)} %`)
    const trace = options.trace && plan.system === 'peer-udp' ? await traceFile(options, plan) : undefined
    const trial = await runTrial(plan, { options, places, relay, file, signal, trace, onProgress })
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
