// argv -> checked options. Each refusal is one line that says what is wrong and what to write.
import { parseArgs } from 'node:util'
import { UsageError } from '../src/errors.js'
import { type Beside, type Opponents, readOpponents, SECONDS_SKIPPED } from './beside/opponents.js'
import { AGAINST, type Opposing } from './systems.js'

export const HELP = `
Usage
  $ npm run bench -- [FLAGS]

Moves a file from peers to a collector, all of them processes of their own on this computer, through links that
the bench emulates, once for each loss; prints a table, and writes a report with charts.

  --size MB       size of the file; 100
  --rate MBIT     rate of the collector's downlink; each of N peers has an uplink of MBIT / N; 100
  --up LIST       uplinks of the peers instead, one rate in Mbit/s each, separated by commas, as in 50,10,2
  --steps LIST    other rates in mid-transfer, as in 3:20,6:100 for 20 Mbit/s after 3 s and 100 after 6 s
  --rtt MS        round trip between any two processes; 40
  --loss LIST     percent lost after the uplink, in both directions, separated by commas; 0,1,5,10,20
  --burst RUN     mean number of datagrams lost in a row; 1 = each by itself
  --queue KB      what waits for a link at most; one delay-bandwidth product of each link
  --jitter MS     further delay of each datagram, up to this much, which reorders; 0
  --peers N       peers that hold the file; 1
  --kill PERCENT  ends the first peer without a goodbye when so much of the file is verified
  --runs N        times that each loss is measured; the table shows medians; 1
  --seed N        of the file and of all chance; 1
  --socket KIND   what peer-udp sends and receives with: dgram or batched; what works best
  --against LIST  runs other transports in turn with it: udx,utp (the packages udx-native and utp-native)
  --namespaces    uses network namespaces instead of loopback, and kernel TCP (BBR, CUBIC) in turn with it; needs root
  --beside LIST   measures instead what it gets of one link beside kernel TCP, as in cubic:1,cubic:4,bbr:1 for one flow or four;
                  with --namespaces; other defaults: 50 Mbit/s, and queues of 0.25, 1 and 4 delay-bandwidth products in turn
  --seconds S     how long each of these lasts; the first ${SECONDS_SKIPPED} are not counted; 60
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
  /** Mbit/s, one a peer; undefined = equal shares of the rate. */
  readonly up: readonly number[] | undefined
  /** In the order of time. */
  readonly steps: readonly RateStep[]
  /** Milliseconds. */
  readonly rtt: number
  /** Shares, 0 to 1. */
  readonly losses: readonly number[]
  readonly burst: number
  /** Octets; undefined = one delay-bandwidth product of each link. */
  readonly queue: number | undefined
  /** Milliseconds. */
  readonly jitter: number
  readonly peers: number
  /** Share of the file, 0 to 1, at which the first peer ends. */
  readonly kill: number | undefined
  readonly runs: number
  readonly seed: number
  readonly json: string | undefined
  readonly out: string | undefined
  /** Undefined = what the command itself chooses. */
  readonly socket: SocketKind | undefined
  readonly against: readonly Opposing[]
  readonly namespaces: boolean
  /** What shares one link with peer-udp; undefined = transfers at each loss are measured. */
  readonly beside: Beside | undefined
  readonly trace: boolean
  readonly smoke: boolean
}

/** As `--socket` of the command. */
export type SocketKind = (typeof SOCKETS)[number]

/** So many seconds after the collector's start the links have this rate in Mbit/s. */
export interface RateStep {
  readonly seconds: number
  readonly rate: number
}

interface Range {
  readonly least: number
  readonly most: number
  readonly unit: string
  readonly isWhole: boolean
}

interface NumberFlag extends Range {
  readonly normal: number
  readonly smoke: number
  /** In the place of `normal` with `--beside`. */
  readonly beside?: number
}

const NUMBERS = {
  size: { normal: 100, smoke: 1, least: 0.1, most: 10_000, unit: ' MB', isWhole: false },
  rate: { normal: 100, smoke: 10, beside: 50, least: 1, most: 10_000, unit: ' Mbit/s', isWhole: false },
  rtt: { normal: 40, smoke: 10, least: 0, most: 2_000, unit: ' ms', isWhole: false },
  burst: { normal: 1, smoke: 1, least: 1, most: 100, unit: '', isWhole: false },
  jitter: { normal: 0, smoke: 0, least: 0, most: 1_000, unit: ' ms', isWhole: false },
  peers: { normal: 1, smoke: 1, least: 1, most: 16, unit: '', isWhole: true },
  runs: { normal: 1, smoke: 1, least: 1, most: 100, unit: '', isWhole: true },
  seconds: {
    normal: 60,
    smoke: SECONDS_SKIPPED + 4,
    least: SECONDS_SKIPPED + 1,
    most: 600,
    unit: ' s',
    isWhole: false,
  },
  seed: { normal: 1, smoke: 1, least: 0, most: 2 ** 32 - 1, unit: '', isWhole: true },
} as const satisfies Record<string, NumberFlag>
const QUEUE: Range = { least: 3, most: 1_000_000, unit: ' kB', isWhole: false }
const UP: Range = { least: 0.1, most: 10_000, unit: ' Mbit/s', isWhole: false }
const KILL: Range = { least: 1, most: 99, unit: ' %', isWhole: false }
const LOSS = { normal: '0,1,5,10,20', smoke: '0,5', most: 50, count: 12 } as const
const SOCKETS = ['dgram', 'batched'] as const
const STEPS_MAX = 20
/** Of a transfer that has to last: what it may have moved before the first second is counted. */
const SECONDS_SPARE = 10
/** Of transfers that come to an end, or of links that are not the same for all. */
const NOT_BESIDE = ['size', 'up', 'steps', 'loss', 'burst', 'kill', 'against', 'trace', 'out'] as const

const TEXT = { type: 'string' } as const
const FLAG = { type: 'boolean' } as const
const FLAGS = {
  size: TEXT,
  rate: TEXT,
  up: TEXT,
  steps: TEXT,
  rtt: TEXT,
  loss: TEXT,
  burst: TEXT,
  queue: TEXT,
  jitter: TEXT,
  peers: TEXT,
  kill: TEXT,
  runs: TEXT,
  seed: TEXT,
  socket: TEXT,
  against: TEXT,
  namespaces: FLAG,
  beside: TEXT,
  seconds: TEXT,
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
    if (text !== undefined) return numberOf(name, text, flag)
    if (isSmoke) return flag.smoke
    return (values.beside === undefined ? undefined : flag.beside) ?? flag.normal
  }
  const opponents = opponentsOf(values)
  const beside = opponents && { opponents, seconds: number('seconds') }
  if (beside !== undefined && number('rtt') === 0)
    throw new UsageError("--beside counts queues in delay-bandwidth products, so --rtt can't be 0")
  const up = values.up === undefined ? undefined : uplinksOf(values.up)
  if (up !== undefined && values.peers !== undefined && Number(values.peers) !== up.length) {
    throw new UsageError(`--up names ${up.length} peers and --peers ${values.peers}: leave --peers away`)
  }
  const peers = up?.length ?? number('peers')
  const against = values.against === undefined ? [] : againstOf(values.against)
  if (against.length > 0 && peers > 1)
    throw new UsageError('--against compares with one sender: leave --peers and --up away')
  const kill = values.kill === undefined ? undefined : numberOf('kill', values.kill, KILL) / 100
  if (kill !== undefined && peers === 1) throw new UsageError('--kill needs a second peer: add --peers 2')
  return {
    size: beside === undefined ? Math.round(number('size') * 1e6) : endlessSize(number('rate'), beside.seconds),
    rate: number('rate'),
    up,
    steps: values.steps === undefined ? [] : stepsOf(values.steps),
    rtt: number('rtt'),
    losses: beside === undefined ? lossesOf(values.loss ?? LOSS[isSmoke ? 'smoke' : 'normal']) : [0],
    burst: number('burst'),
    queue: values.queue === undefined ? undefined : numberOf('queue', values.queue, QUEUE) * 1e3,
    jitter: number('jitter'),
    peers,
    kill,
    runs: number('runs'),
    seed: number('seed'),
    json: pathOf('json', values.json),
    out: pathOf('out', values.out),
    socket: values.socket === undefined ? undefined : socketOf(values.socket),
    against,
    namespaces: values.namespaces === true,
    beside,
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

function numberOf(name: string, text: string, { least, most, unit, isWhole }: Range): number {
  const value = Number(text)
  const isNumber = (isWhole ? /^\d+$/ : /^\d+(\.\d+)?$/).test(text)
  if (isNumber && value >= least && value <= most) return value
  throw new UsageError(
    `--${name} takes a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}${unit}, not "${text}"`,
  )
}

/** @returns undefined without `--beside` */
function opponentsOf(values: ReturnType<typeof parse>): readonly Opponents[] | undefined {
  if (values.beside === undefined) {
    if (values.seconds !== undefined)
      throw new UsageError('--seconds says how long --beside lasts: add --beside cubic:1')
    return undefined
  }
  const other = NOT_BESIDE.find(name => values[name] !== undefined)
  if (other !== undefined) throw new UsageError(`--beside and --${other} don't go together: leave one of them away`)
  if (values.namespaces !== true)
    throw new UsageError('--beside runs kernel TCP, which needs namespaces of its own: add --namespaces')
  return readOpponents(values.beside)
}

/** Octets of a file that is too large to come to its end, whoever else is there. */
function endlessSize(rate: number, seconds: number): number {
  const size = Math.ceil((rate * 1e6 * (seconds + SECONDS_SPARE)) / 8)
  if (size <= NUMBERS.size.most * 1e6) return size
  throw new UsageError(
    `--beside needs a file of ${Math.ceil(size / 1e6)} MB for ${seconds} s at ${rate} Mbit/s, and ${NUMBERS.size.most} are the most: ` +
      'less --seconds or --rate',
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

function socketOf(text: string): SocketKind {
  const kind = SOCKETS.find(one => one === text)
  if (kind === undefined) throw new UsageError(`--socket takes ${SOCKETS.join(' or ')}, not "${text}"`)
  return kind
}

function againstOf(text: string): Opposing[] {
  const names = text.split(',').map(name => name.trim())
  const known = (name: string): name is Opposing => AGAINST.some(one => one === name)
  return [...new Set(names)].map(name => {
    if (known(name)) return name
    throw new UsageError(`--against takes names out of ${AGAINST.join(',')}, not "${name}"`)
  })
}

function uplinksOf(text: string): number[] {
  const parts = text.split(',')
  if (parts.length > NUMBERS.peers.most) throw new UsageError(`--up names at most ${NUMBERS.peers.most} peers`)
  return parts.map(part => numberOf('up', part.trim(), UP))
}

function stepsOf(text: string): RateStep[] {
  const parts = text.split(',').map(part => part.trim())
  if (parts.length > STEPS_MAX) throw new UsageError(`--steps takes at most ${STEPS_MAX} steps, not ${parts.length}`)
  let before = 0
  return parts.map(part => {
    const [, seconds = '', rate = ''] = /^([\d.]+):([\d.]+)$/.exec(part) ?? []
    if (!(Number(seconds) > before)) {
      throw new UsageError(`--steps takes SECONDS:MBIT in the order of time, as in 3:20,6:100, not "${part}"`)
    }
    before = Number(seconds)
    return { seconds: before, rate: numberOf('steps', rate, NUMBERS.rate) }
  })
}

function pathOf(name: string, text: string | undefined): string | undefined {
  if (text === '') throw new UsageError(`--${name} needs a path after it`)
  return text
}
