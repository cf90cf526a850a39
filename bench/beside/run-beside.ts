// The whole run of `--beside`: every measurement of the shared link one after another.
import type { Output } from '../../src/commands/output.js'
import { queuesBeside } from '../network-plan.js'
import type { BenchOptions } from '../options.js'
import type { RunDescription } from '../report/description.js'
import { type Stage, withStage } from '../stage.js'
import type { Beside } from './opponents.js'
import { sharedTitle } from './shared-table.js'
import { OTHER_PLACES, runShared, type SharedPlan, type SharedTrial } from './shared-trial.js'
import { type SharedRow, sharedRowsOf, sharesOf } from './shares.js'

export interface BesideResult {
  readonly description: RunDescription
  readonly rows: readonly SharedRow[]
  /** No measurement failed. */
  readonly isFine: boolean
}

/** @returns undefined where it was interrupted @throws UsageError for what this computer has not, or can't carry */
export function runBeside(
  options: BenchOptions,
  beside: Beside,
  output: Output,
  signal: AbortSignal,
): Promise<BesideResult | undefined> {
  return withStage(options, options.peers + OTHER_PLACES, output, async stage => {
    const plans = plansOf(options, beside)
    const trials: SharedTrial[] = []
    for (const plan of plans) {
      if (!signal.aborted) trials.push(await runOne(plan, options, beside, stage, output, signal))
    }
    if (signal.aborted) return undefined
    const isFine = trials.every(({ kind }) => kind === 'done')
    return { description: stage.description, rows: sharedRowsOf(trials, plans), isFine }
  })
}

/** Opponents within queues within runs, so that what changes on the computer meanwhile meets all of them. */
export function plansOf(options: BenchOptions, { opponents }: Beside): SharedPlan[] {
  const runs = Array.from({ length: options.runs }, (_, at) => at + 1)
  return runs.flatMap(run =>
    queuesBeside(options).flatMap(queue => opponents.map(some => ({ opponents: some, queue, run }))),
  )
}

async function runOne(
  plan: SharedPlan,
  options: BenchOptions,
  { seconds }: Beside,
  { places, namespaces, relay, file }: Stage,
  output: Output,
  signal: AbortSignal,
): Promise<SharedTrial> {
  await namespaces?.useCongestionControl(plan.opponents.congestionControl)
  const run = options.runs > 1 ? `, run ${plan.run} of ${options.runs}` : ''
  const title = `${sharedTitle(plan)}${run}: `
  output.live(`${title}${seconds} s`)
  const trial = await runShared(plan, { options, places, relay, file, seconds, signal })
  output.live('')
  output.say(`${title}${wordsOf(trial, output)}`)
  return trial
}

function wordsOf(trial: SharedTrial, output: Output): string {
  if (trial.kind === 'failed') return output.paint('red', `failed: ${trial.why}`)
  const { ours, theirs, share } = sharesOf(trial)
  return `ours ${ours.toFixed(1)}, theirs ${theirs.toFixed(1)} Mbit/s, share ${share === undefined ? '-' : share.toFixed(2)}`
}
