// `npm run bench`: exit code 1 where a transfer failed, 2 for arguments that make no sense, 130 after Ctrl-C.
import { EXIT, type ExitCode } from '../src/commands/exit-codes.js'
import { Output } from '../src/commands/output.js'
import { UsageError } from '../src/errors.js'
import { type BenchOptions, HELP, readOptions } from './options.js'
import { runRaw } from './raw/main.js'
import { benchTable, remarks } from './report/table.js'
import { writeReport } from './report/write-report.js'
import { runBench } from './run.js'

const output = new Output({ json: false })
try {
  const raw = process.argv[2] === 'raw' ? await runRaw(process.argv.slice(3), output) : undefined
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
  const result = await runBench(options, output, interruption())
  if (result === undefined) return EXIT.INTERRUPTED
  const { description, rows, isFine } = result
  process.stdout.write(`${[...benchTable(rows, options), '', ...remarks(rows)].join('\n')}\n`)
  for (const path of await writeReport({ options, description, rows })) output.say(`wrote ${path}`)
  return isFine ? EXIT.FINE : EXIT.INTERNAL
}

/** Aborts at Ctrl-C, so that no process and no file stays. Further ones change nothing: npm passes the first on a second time. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => controller.abort())
  return controller.signal
}
