// `npm run fair`: what a collector gets beside TCP connections behind one bottleneck, on a virtual clock.
//
// `npm run fair` prints a row for each kind of opponent and each queue; `--peers 4` collects from four peers at once,
// `--background` yields, `--seconds` and `--seeds` make it longer, `--trace` follows the states of our paths.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { UsageError } from '../errors.js'
import { BESIDE, type BesideOptions, runBeside } from './beside.js'

/** Everyone's share over an equal one should lie between these. */
export const FAIR = { least: 0.5, most: 2 } as const
export const OPPONENTS: readonly Pick<BesideOptions, 'rival' | 'rivals'>[] = [
  { rival: 'cubic', rivals: 1 },
  { rival: 'cubic', rivals: 4 },
  { rival: 'bbr', rivals: 1 },
]
/** Products of rate and round trip. */
export const QUEUES = [0.25, 1, 4] as const

const USAGE = 'usage: npm run fair -- [--peers COUNT] [--seconds COUNT] [--seeds COUNT] [--background] [--trace]'

/** @returns whether every share was fair */
export function runFair(argv: readonly string[], print: (line: string) => void): boolean {
  const { peers, seconds, seeds, background, isTraced } = readFairArguments(argv)
  print(['beside', 'queue', 'ours', 'theirs', 'share', 'lost', 'delay ms'].map(cell => cell.padStart(10)).join(''))
  let isFair = true
  for (const opponents of OPPONENTS) {
    for (const queue of QUEUES) {
      for (let seed = 1; seed <= seeds; seed++) {
        const options = { ...BESIDE, ...opponents, queue, peers, seconds, background }
        const { ours, theirs, fairness, lost, queue: delay } = runBeside(seed, options, isTraced ? print : undefined)
        isFair &&= fairness >= FAIR.least && fairness <= FAIR.most
        const cells = [
          `${opponents.rivals} ${opponents.rival}`,
          queue.toString(),
          ours.toFixed(1),
          theirs.toFixed(1),
          fairness.toFixed(2),
          `${(100 * lost).toFixed(2)} %`,
          delay.toFixed(0),
        ]
        print(cells.map(cell => cell.padStart(10)).join(''))
      }
    }
  }
  return isFair
}

function readFairArguments(argv: readonly string[]) {
  const string = { type: 'string' } as const
  const boolean = { type: 'boolean' } as const
  const read = () => {
    try {
      const options = { peers: string, seconds: string, seeds: string, background: boolean, trace: boolean } as const
      return parseArgs({ args: [...argv], options }).values
    } catch (error) {
      throw new UsageError(`${(error as Error).message.split('. ')[0]}; ${USAGE}`)
    }
  }
  const { peers, seconds, seeds, background, trace } = read()
  const count = (text: string | undefined, usual: number) => {
    if (text === undefined) return usual
    if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
    throw new UsageError(`not a number from 1 to 9999: '${text}'; ${USAGE}`)
  }
  return {
    peers: count(peers, 1),
    seconds: count(seconds, BESIDE.seconds),
    seeds: count(seeds, 1),
    background: background === true,
    isTraced: trace === true,
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = runFair(process.argv.slice(2), line => console.log(line)) ? 0 : 1
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(error.message)
    process.exitCode = error.exitCode
  }
}
