// `npm run bench`: exit code 1 where a transfer failed, 2 for arguments that make no sense, 130 after Ctrl-C.
import { EXIT, type ExitCode } from '../src/commands/exit-codes.js'
import { Output } from '../src/commands/output.js'
import { UsageError } from '../src/errors.js'
import type { Beside } from './beside/opponents.js'
import { runBeside } from './beside/run-beside.js'
import { sharedRemarks, sharedTable } from './beside/shared-table.js'
import { runCrowd } from './crowd/main.js'
import { type BenchOptions, HELP, readOptions } from './options.js'
import { runRaw } from './raw/main.js'
import { benchTable, remarks } from './report/table.js'
import { writeReport, writeSharedReport } from './report/write-report.js'
import { runBench } from './run.js'

const output = new Output({ json: false })
try {
  const mode = { raw: runRaw, crowd: runCrowd }[process.argv[2] ?? '']
  const raw = await mode?.(process.argv.slice(3), output)
  const options = raw === undefined ? readOptions(process.argv.slice(2)) : undefined
  if (raw !== undefined) process.exitCode = raw
  else if (options === undefined) process.stdout.write(`${HELP.trim()}\n`)
  else process.exitCode = await main(options)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  output.say(`bench: ${error.message}`)
  process.exitCode = error.exitCode
}

async function main(options: BenchOptions): Promise<ExitCode> {
  if (options.beside !== undefined) return shareLink(options, options.beside)
  const result = await runBench(options, output, interruption())
  if (result === undefined) return EXIT.INTERRUPTED
  const { description, rows, isFine } = result
  process.stdout.write(`${[...benchTable(rows, options), '', ...remarks(rows)].join('\n')}\n`)
  for (const path of await writeReport({ options, description, rows })) output.say(`wrote ${path}`)
  return isFine ? EXIT.FINE : EXIT.INTERNAL
}

async function shareLink(options: BenchOptions, beside: Beside): Promise<ExitCode> {
  const result = await runBeside(options, beside, output, interruption())
  if (result === undefined) return EXIT.INTERRUPTED
  const { description, rows, isFine } = result
  process.stdout.write(`${[...sharedTable(rows, options), '', ...sharedRemarks(rows, options)].join('\n')}\n`)
  for (const path of await writeSharedReport(options, description, rows)) output.say(`wrote ${path}`)
  return isFine ? EXIT.FINE : EXIT.INTERNAL
}

/** Aborts at Ctrl-C, so that no process and no file stays. Further ones change nothing: npm passes the first on a second time. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => controller.abort())
  return controller.signal
}
