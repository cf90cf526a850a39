import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { shortPath } from '../../src/commands/words.js'
import { figuresOf, type Row } from '../figures.js'
import type { BenchOptions } from '../options.js'
import type { RunDescription } from './description.js'
import { goodputChart, page } from './page.js'

/** Of the package, wherever this module was compiled to. */
const OUT_DEFAULT = fileURLToPath(new URL('../bench/out', import.meta.resolve('peer-udp')))
const VERSION = 1

export interface Report {
  readonly options: BenchOptions
  readonly description: RunDescription
  readonly rows: readonly Row[]
}

/** @returns the files that it wrote, as seen from the working directory */
export async function writeReport(report: Report): Promise<string[]> {
  const { options, description, rows } = report
  const folder = resolve(options.out ?? OUT_DEFAULT)
  const files = [
    [join(folder, 'report.html'), page(rows, description)],
    [join(folder, 'goodput.svg'), goodputChart(rows, description)],
    ...(options.json === undefined ? [] : [[resolve(options.json), `${jsonOf(report)}\n`] as const]),
  ] as const
  for (const [path, content] of files) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
  return files.map(([path]) => shortPath(path))
}

/** README.md beside the bench says what each field is. */
function jsonOf({ options, description, rows }: Report): string {
  const { json: _json, out: _out, ...settings } = options
  const trials = rows.map(({ loss, limit, median, trials }) => ({
    loss,
    limit,
    median: median ?? null,
    trials: trials.map(trial => (trial.kind === 'done' ? { ...trial, figures: figuresOf(trial, options) } : trial)),
  }))
  return JSON.stringify({ v: VERSION, ...description, options: settings, rows: trials }, undefined, 2)
}
