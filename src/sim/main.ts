// `npm run sim`. Exit code 1 where a seed fails, 2 for arguments that make no sense.
import { UsageError } from '../errors.js'
import { readArguments, runSeeds } from './command-line.js'

try {
  process.exitCode = runSeeds(readArguments(process.argv.slice(2)), line => console.log(line)) ? 0 : 1
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exitCode = error.exitCode
}
