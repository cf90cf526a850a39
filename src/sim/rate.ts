// `npm run rate`: how well the rate control uses random links on a virtual clock, hundreds of them in minutes.
//
// `npm run rate -- --seeds 500` prints the seeds that miss the goals of rate-run.ts and the shares by kind of link;
// `--seed 17` runs one, and `--trace` follows its states.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { UsageError } from '../errors.js'
import { GOAL, misses, type RateLink, type RateResult, rateLinkOf, runRate } from './rate-run.js'

/** Kinds of links: a title, and the bounds that divide them. */
const CLASSES: readonly { readonly of: keyof RateLink; readonly bounds: readonly number[]; readonly unit: string }[] = [
  { of: 'loss', bounds: [0, 1e-9, 0.05, 0.15, 0.25], unit: '' },
  { of: 'queue', bounds: [0.1, 0.25, 0.5, 1, 4], unit: 'products' },
  { of: 'roundTrip', bounds: [1, 5, 20, 80, 300], unit: 'ms' },
  { of: 'rate', bounds: [1, 5, 30, 180, 1_000], unit: 'Mbit/s' },
]

interface Ran {
  readonly seed: number
  readonly link: RateLink
  readonly result: RateResult
}

/** Rows of a table: how many links of each kind met which goal. */
export function summarise(runs: readonly Ran[]): readonly string[] {
  const rows = [
    'link'.padEnd(28) +
      ['seeds', 'within 10 %', 'under half', 'flight > 3', 'median share', 'queue ms', 'overflow'].map(pad).join(''),
  ]
  rows.push(rowOf('all', runs))
  for (const { of, bounds, unit } of CLASSES) {
    for (let i = 0; i + 1 < bounds.length; i++) {
      const [low, high] = [bounds[i]!, bounds[i + 1]!]
      const title = of === 'loss' ? (i === 0 ? 'loss 0' : `loss to ${100 * high} %`) : `${of} ${low} to ${high} ${unit}`
      const ofKind = runs.filter(({ link }) => link[of] >= low && link[of] < high)
      if (ofKind.length > 0) rows.push(rowOf(title, ofKind))
    }
  }
  return rows
}

function rowOf(title: string, runs: readonly Ran[]): string {
  const percent = (is: (result: RateResult) => boolean) =>
    `${((100 * runs.filter(({ result }) => is(result)).length) / runs.length).toFixed(1)} %`
  const cells = [
    `${runs.length}`,
    percent(({ share }) => Math.abs(1 - share) <= GOAL.within),
    percent(({ share }) => share < GOAL.least),
    percent(({ inFlight, inFlightMax }) => inFlight > inFlightMax),
    median(runs.map(({ result }) => result.share)).toFixed(3),
    median(runs.map(({ result }) => result.queue)).toFixed(1),
    `${(100 * mean(runs.map(({ result }) => result.overflow))).toFixed(1)} %`,
  ]
  return title.padEnd(28) + cells.map(pad).join('')
}

function pad(cell: string): string {
  return cell.padStart(14)
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, n) => sum + n, 0) / numbers.length
}

function describe({ seed, link, result }: Ran): string {
  return [
    `seed ${seed}: ${misses(result).join(', ') || 'well'}`,
    `${link.rate.toPrecision(3)} Mbit/s, ${link.roundTrip.toPrecision(3)} ms, loss ${(100 * link.loss).toFixed(1)} %`,
    `queue ${link.queue.toFixed(2)} products`,
    `share ${result.share.toFixed(3)}, bandwidth ${result.bandwidth.toFixed(2)} of the link's`,
    `floor ${(100 * result.floor).toFixed(1)} %, median queue ${result.queue.toFixed(1)} ms`,
    `overflow ${(100 * result.overflow).toFixed(1)} %`,
    `in flight ${result.inFlight}, ever ${result.inFlightEver}, allowed ${result.inFlightMax.toFixed(0)}`,
    `replay: npm run rate -- --seed ${seed} --trace`,
  ].join('; ')
}

const USAGE = 'usage: npm run rate -- [--seeds COUNT] [--seed FIRST] [--trace]'

/** @returns whether every link met every goal */
export function runRates(argv: readonly string[], print: (line: string) => void): boolean {
  const { first, count, isTraced } = readRateArguments(argv)
  const runs: Ran[] = []
  for (let seed = first; seed < first + count; seed++) {
    const link = rateLinkOf(seed)
    const run = { seed, link, result: runRate(seed, link, isTraced ? print : undefined) }
    runs.push(run)
    if (count === 1 || misses(run.result).length > 0) print(describe(run))
  }
  if (count > 1) for (const row of summarise(runs)) print(row)
  return runs.every(({ result }) => misses(result).length === 0)
}

function readRateArguments(argv: readonly string[]): { first: number; count: number; isTraced: boolean } {
  const string = { type: 'string' } as const
  const read = () => {
    try {
      return parseArgs({ args: [...argv], options: { seeds: string, seed: string, trace: { type: 'boolean' } } }).values
    } catch (error) {
      throw new UsageError(`${(error as Error).message.split('. ')[0]}; ${USAGE}`)
    }
  }
  const { seeds, seed, trace } = read()
  const wholeNumber = (text: string) => {
    if (/^\d{1,9}$/.test(text)) return Number(text)
    throw new UsageError(`not a whole number: '${text}'; ${USAGE}`)
  }
  const count = seeds === undefined ? (seed === undefined ? 100 : 1) : Math.max(1, wholeNumber(seeds))
  return { first: seed === undefined ? 1 : wholeNumber(seed), count, isTraced: trace === true }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = runRates(process.argv.slice(2), line => console.log(line)) ? 0 : 1
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(error.message)
    process.exitCode = error.exitCode
  }
}
