import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { shortPath } from '../../src/commands/words.js'
import { opponentsText } from '../beside/opponents.js'
import { type SharedRow, sharesOf } from '../beside/shares.js'
import { figuresOf, type Row } from '../figures.js'
import { productOf } from '../network-plan.js'
import type { BenchOptions } from '../options.js'
import { readTrace } from '../trace/read-trace.js'
import { goodputChart } from './charts.js'
import type { RunDescription } from './description.js'
import { page, type TraceOfTrial } from './page.js'
import { standalone } from './svg.js'

/** Of the package, wherever this module was compiled to. */
const FOLDER_DEFAULT = fileURLToPath(new URL('../bench/out', import.meta.resolve('peer-udp')))
const VERSION = 1

export interface Report {
  readonly options: BenchOptions
  readonly description: RunDescription
  readonly rows: readonly Row[]
}

/** Where the report of these options goes. */
export function reportFolder({ out }: Pick<BenchOptions, 'out'>): string {
  return resolve(out ?? FOLDER_DEFAULT)
}

/** @returns the files that it wrote, as seen from the working directory */
export async function writeReport(report: Report): Promise<string[]> {
  const { options, description, rows } = report
  const folder = reportFolder(options)
  const files = [
    [join(folder, 'report.html'), page({ options, rows, description, traces: await tracesOf(rows, folder) })],
    [join(folder, 'goodput.svg'), standalone(goodputChart(rows, options, description.settings))],
    ...(options.json === undefined ? [] : [[resolve(options.json), `${jsonOf(report)}\n`] as const]),
  ] as const
  for (const [path, content] of files) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
  return files.map(([path]) => shortPath(path))
}

/** With `--beside` there are no charts. @returns as `writeReport` */
export async function writeSharedReport(
  options: BenchOptions,
  description: RunDescription,
  rows: readonly SharedRow[],
): Promise<string[]> {
  if (options.json === undefined) return []
  const path = resolve(options.json)
  const withFigures = rows.map(({ opponents, queue, median, trials }) => ({
    opponents: opponentsText(opponents),
    queue,
    product: productOf(options),
    median: median ?? null,
    trials: trials.map(trial => (trial.kind === 'done' ? { ...trial, figures: sharesOf(trial) } : trial)),
  }))
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `${reportJson(options, description, withFigures)}\n`)
  return [shortPath(path)]
}

/** In the order of the rows. @param folder of the report */
async function tracesOf(rows: readonly Row[], folder: string): Promise<TraceOfTrial[]> {
  const traces: TraceOfTrial[] = []
  for (const trial of rows.flatMap(({ trials }) => trials)) {
    if (trial.kind === 'failed' || trial.trace === undefined) continue
    const { loss, run, trace } = trial
    traces.push({ loss, run, file: relative(folder, trace), paths: readTrace(await readFile(trace, 'utf8')) })
  }
  return traces
}

/** README.md beside the bench says what each field is. */
function jsonOf({ options, description, rows }: Report): string {
  const trials = rows.map(({ system, loss, limit, median, ratio, trials }) => ({
    system,
    loss,
    limit,
    median: median ?? null,
    ratio,
    trials: trials.map(trial => (trial.kind === 'done' ? { ...trial, figures: figuresOf(trial) } : trial)),
  }))
  return reportJson(options, description, trials)
}

/** @param rows in the shape that the kind of measurement gives them */
function reportJson(options: BenchOptions, description: RunDescription, rows: readonly unknown[]): string {
  const { json: _json, out: _out, ...settings } = options
  return JSON.stringify({ v: VERSION, ...description, options: settings, rows }, undefined, 2)
}
