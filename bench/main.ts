// `npm run bench`: exit code 1 where a transfer failed, 2 for arguments that make no sense, 130 after Ctrl-C.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EXIT, type ExitCode } from '../src/commands/exit-codes.js'
import { Output } from '../src/commands/output.js'
import { exact } from '../src/commands/words.js'
import { UsageError } from '../src/errors.js'
import { checkRate, highestRate, measureCeiling } from './ceiling.js'
import { figuresOf, rowsOf } from './figures.js'
import { highestCapacity } from './network-plan.js'
import { type BenchOptions, HELP, readOptions } from './options.js'
import { RelayProcess } from './relay/relay-process.js'
import { describeRun } from './report/description.js'
import { benchTable, percent, remarks } from './report/table.js'
import { reportFolder, writeReport } from './report/write-report.js'
import { BenchFile } from './swarm/bench-file.js'
import { runTrial, type Trial, type TrialParts, type TrialPlan } from './trial.js'

/** Milliseconds of one flood. */
const FLOOD_TIME = 250
const FLOOD_TIME_SMOKE = 50

const output = new Output({ json: false })
try {
  const options = readOptions(process.argv.slice(2))
  if (options === undefined) process.stdout.write(`${HELP.trim()}\n`)
  else process.exitCode = await run(options, interruption())
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  output.say(`bench: ${error.message}`)
  process.exitCode = error.exitCode
}

async function run(options: BenchOptions, signal: AbortSignal): Promise<ExitCode> {
  const relay = new RelayProcess()
  let file: BenchFile | undefined
  try {
    const ceiling = await measureCeiling(relay, options.smoke ? FLOOD_TIME_SMOKE : FLOOD_TIME)
    const words = `the relay carries ${exact(Math.round(ceiling))} datagrams/s on this computer`
    output.say(`${words}: good for rates up to ${exact(Math.floor(highestRate(ceiling)))} Mbit/s`)
    checkRate(highestCapacity(options), ceiling)
    const description = describeRun(options, ceiling)
    output.say(description.settings)
    file = await BenchFile.make(options.size, options.seed)

    const trials = await runTrials(options, { relay, file, signal })
    if (signal.aborted) return EXIT.INTERRUPTED
    const rows = rowsOf(trials, options)
    process.stdout.write(`${[...benchTable(rows, options.rtt), '', ...remarks(rows)].join('\n')}\n`)
    for (const path of await writeReport({ options, description, rows })) output.say(`wrote ${path}`)
    return trials.every(trial => trial.kind === 'done') ? EXIT.FINE : EXIT.INTERNAL
  } finally {
    await file?.remove()
    relay.close()
  }
}

/** Losses within runs, so that what changes on the computer meanwhile meets all of them. */
async function runTrials(
  options: BenchOptions,
  parts: Pick<TrialParts, 'relay' | 'file' | 'signal'>,
): Promise<readonly Trial[]> {
  const trials: Trial[] = []
  for (let run = 1; run <= options.runs; run++) {
    for (const loss of options.losses) {
      if (parts.signal.aborted) return trials
      const title = `${percent(loss).padStart(6)} loss${options.runs > 1 ? `, run ${run} of ${options.runs}` : ''}: `
      output.live(`${title}the swarm gathers`)
      const onProgress = (share: number) => output.live(`${title}${Math.floor(share * 100)} %`)
      const trace = options.trace ? await traceFile(options, { loss, run }) : undefined
      const trial = await runTrial({ loss, run }, { ...parts, options, trace, onProgress })
      output.live('')
      output.say(`${title}${wordsOf(trial, options)}`)
      trials.push(trial)
    }
  }
  return trials
}

/** Beside the report, under a name that says what it is of. */
async function traceFile(options: BenchOptions, { loss, run }: TrialPlan): Promise<string> {
  const folder = reportFolder(options)
  await mkdir(folder, { recursive: true })
  return join(folder, `trace-loss-${percent(loss).replace(' %', '')}-run-${run}.jsonl`)
}

function wordsOf(trial: Trial, options: BenchOptions): string {
  if (trial.kind === 'failed') return output.paint('red', `failed: ${trial.why}`)
  const { seconds, goodput, efficiency } = figuresOf(trial, options.size)
  return `${seconds.toFixed(2)} s, ${goodput.toFixed(1)} Mbit/s, E ${efficiency.toFixed(3)}`
}

/** Aborts at Ctrl-C, so that no process and no file stays. Further ones change nothing: npm passes the first on a second time. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => controller.abort())
  return controller.signal
}
