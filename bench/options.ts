// argv -> checked options. Each refusal is one line that says what is wrong and what to write.
import { parseArgs } from 'node:util'
import { UsageError } from '../src/errors.js'
import { MTU } from './limit.js'

export const HELP = `
Usage
  $ npm run bench -- [FLAGS]

Moves a file from peers to a collector, all of them processes of their own on this computer, through links that
the bench emulates, once for each loss; prints a table, and writes a report with charts.

  --size MB       size of the file; 100
  --rate MBIT     rate of the collector's downlink; each of N peers has an uplink of MBIT / N; 100
  --rtt MS        round trip between any two processes; 40
  --loss LIST     percent lost after the uplink, in both directions, separated by commas; 0,1,5,10,20
  --burst RUN     mean number of datagrams lost in a row; 1 = each by itself
  --queue KB      what waits for a link at most; one delay-bandwidth product of a peer's uplink
  --jitter MS     further delay of each datagram, up to this much, which reorders; 0
  --peers N       peers that hold the file; 1
  --runs N        times that each loss is measured; the table shows medians; 1
  --seed N        of the file and of all chance; 1
  --trace         keeps a trace of each transfer beside the report, and draws it there
  --json FILE     writes all measurements there too
  --out FOLDER    where the report goes; bench/out
  --smoke         other defaults, for a run of seconds: 1 MB at 10 Mbit/s and 10 ms, losses 0 and 5
  -h, --help      this text
`

export interface BenchOptions {
  /** Octets. */
  readonly size: number
  /** Mbit/s. */
  readonly rate: number
  /** Milliseconds. */
  readonly rtt: number
  /** Shares, 0 to 1. */
  readonly losses: readonly number[]
  readonly burst: number
  /** Octets. */
  readonly queue: number
  /** Milliseconds. */
  readonly jitter: number
  readonly peers: number
  readonly runs: number
  readonly seed: number
  readonly json: string | undefined
  readonly out: string | undefined
  readonly trace: boolean
  readonly smoke: boolean
}

interface NumberFlag {
  readonly normal: number
  readonly smoke: number
  readonly least: number
  readonly most: number
  readonly unit: string
  readonly isWhole: boolean
}

const NUMBERS = {
  size: { normal: 100, smoke: 1, least: 0.1, most: 10_000, unit: ' MB', isWhole: false },
  rate: { normal: 100, smoke: 10, least: 1, most: 10_000, unit: ' Mbit/s', isWhole: false },
  rtt: { normal: 40, smoke: 10, least: 0, most: 2_000, unit: ' ms', isWhole: false },
  burst: { normal: 1, smoke: 1, least: 1, most: 100, unit: '', isWhole: false },
  jitter: { normal: 0, smoke: 0, least: 0, most: 1_000, unit: ' ms', isWhole: false },
  peers: { normal: 1, smoke: 1, least: 1, most: 16, unit: '', isWhole: true },
  runs: { normal: 1, smoke: 1, least: 1, most: 100, unit: '', isWhole: true },
  seed: { normal: 1, smoke: 1, least: 0, most: 2 ** 32 - 1, unit: '', isWhole: true },
} as const satisfies Record<string, NumberFlag>
const QUEUE: Omit<NumberFlag, 'normal' | 'smoke'> = { least: 3, most: 1_000_000, unit: ' kB', isWhole: false }
const LOSS = { normal: '0,1,5,10,20', smoke: '0,5', most: 50, count: 12 } as const
/** A queue that holds less than this many packets lets no burst of two pass. */
const QUEUE_PACKETS_MIN = 10

const TEXT = { type: 'string' } as const
const FLAG = { type: 'boolean' } as const
const FLAGS = {
  size: TEXT,
  rate: TEXT,
  rtt: TEXT,
  loss: TEXT,
  burst: TEXT,
  queue: TEXT,
  jitter: TEXT,
  peers: TEXT,
  runs: TEXT,
  seed: TEXT,
  trace: FLAG,
  json: TEXT,
  out: TEXT,
  smoke: FLAG,
  help: { ...FLAG, short: 'h' },
} as const

/** @returns undefined where help was asked for @throws UsageError at the first thing that is wrong */
export function readOptions(argv: readonly string[]): BenchOptions | undefined {
  const values = parse(argv)
  if (values.help === true) return undefined
  const isSmoke = values.smoke === true
  const number = (name: keyof typeof NUMBERS) => {
    const flag: NumberFlag = NUMBERS[name]
    const text = values[name]
    return text === undefined ? flag[isSmoke ? 'smoke' : 'normal'] : numberOf(name, text, flag)
  }
  const [rate, rtt, peers] = [number('rate'), number('rtt'), number('peers')]
  return {
    size: Math.round(number('size') * 1e6),
    rate,
    rtt,
    losses: lossesOf(values.loss ?? LOSS[isSmoke ? 'smoke' : 'normal']),
    burst: number('burst'),
    queue: values.queue === undefined ? product(rate / peers, rtt) : numberOf('queue', values.queue, QUEUE) * 1e3,
    jitter: number('jitter'),
    peers,
    runs: number('runs'),
    seed: number('seed'),
    json: pathOf('json', values.json),
    out: pathOf('out', values.out),
    trace: values.trace === true,
    smoke: isSmoke,
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS }).values
  } catch (error) {
    // What follows the first sentence is advice for other programs.
    throw new UsageError(`${(error as Error).message.split(/\.\s/)[0]} (--help lists what there is)`)
  }
}

function numberOf(
  name: string,
  text: string,
  { least, most, unit, isWhole }: Omit<NumberFlag, 'normal' | 'smoke'>,
): number {
  const value = Number(text)
  const isNumber = (isWhole ? /^\d+$/ : /^\d+(\.\d+)?$/).test(text)
  if (isNumber && value >= least && value <= most) return value
  throw new UsageError(
    `--${name} takes a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}${unit}, not "${text}"`,
  )
}

function lossesOf(text: string): number[] {
  const parts = text.split(',').map(part => part.trim())
  const rule = `--loss takes up to ${LOSS.count} percentages from 0 to ${LOSS.most}, as in ${LOSS.normal}`
  if (parts.length > LOSS.count) throw new UsageError(`${rule}, not ${parts.length} of them`)
  for (const part of parts) {
    if (!/^\d+(\.\d+)?$/.test(part) || Number(part) > LOSS.most) throw new UsageError(`${rule}, not "${part}"`)
  }
  return [...new Set(parts.map(part => Number(part) / 100))]
}

/** Octets on their way through a full link in one round trip. */
function product(rate: number, rtt: number): number {
  return Math.max(QUEUE_PACKETS_MIN * MTU, Math.round((rate * 1e6 * rtt) / 1e3 / 8))
}

function pathOf(name: string, text: string | undefined): string | undefined {
  if (text === '') throw new UsageError(`--${name} needs a path after it`)
  return text
}
