// What all transfers of a run have in common: places, the relay between them, the file. All of it is taken away again.
import type { Output } from '../src/commands/output.js'
import { exact } from '../src/commands/words.js'
import { checkRate, highestRate, measureCeiling } from './ceiling.js'
import { highestCapacity } from './network-plan.js'
import type { BenchOptions } from './options.js'
import { Loopback } from './places/loopback.js'
import { Namespaces } from './places/namespaces.js'
import type { Places } from './places/places.js'
import { RelayProcess } from './relay/relay-process.js'
import { describeRun, type RunDescription } from './report/description.js'
import { BenchFile } from './transfer/bench-file.js'

/** Milliseconds of one flood. */
const FLOOD_TIME = 250
const FLOOD_TIME_SMOKE = 50

export interface Stage {
  readonly places: Places
  /** The same places, where they are namespaces. */
  readonly namespaces: Namespaces | undefined
  readonly relay: RelayProcess
  readonly file: BenchFile
  readonly description: RunDescription
}

/**
 * Does the work where all is ready, and says what the relay carries.
 *
 * @param count places that are used at once
 * @throws UsageError for what this computer has not, or can't carry
 */
export async function withStage<Result>(
  options: BenchOptions,
  count: number,
  output: Output,
  work: (stage: Stage) => Promise<Result>,
): Promise<Result> {
  const relay = new RelayProcess()
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
    return await work({ places, namespaces, relay, file, description })
  } finally {
    await file?.remove()
    await namespaces?.close()
    relay.close()
  }
}
