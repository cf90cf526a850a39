// argv of `npm run bench -- raw` -> checked options.
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { UsageError } from '../../src/errors.js'

export const RAW_HELP = `
Usage
  $ npm run bench -- raw [FLAGS]

Moves one file from peers to collectors as fast as this computer can, without any shaping, and beside them the same file
through Node's own TCP and through udx-native, all in one run.

  --size MB         size of the file; 1000
  --links LIST      of: lo (loopback), veth (two network namespaces, MTU 1500; needs root on Linux); both where possible
  --systems LIST    of: batched, dgram, tcp, udx; all
  --peers N         peers that hold the file; 1
  --collectors N    collectors that fetch it at once; 1
  --runs N          times that each is measured; the table shows medians; 1
  --folder PATH     where the files go; the folder for temporary files
  --profile         says where the CPU time of our own processes goes, too (they are slower then)
  --allocations     says how many octets of memory our own code allocates for each 1444 octets of file (it is slower then)
  -h, --help        this text
`

export const LINKS = ['veth', 'lo'] as const
export type LinkKind = (typeof LINKS)[number]
export const SYSTEMS = ['batched', 'dgram', 'tcp', 'udx'] as const
export type System = (typeof SYSTEMS)[number]

export interface RawOptions {
  /** Octets. */
  readonly size: number
  readonly links: readonly LinkKind[] | undefined
  readonly systems: readonly System[]
  readonly peers: number
  readonly collectors: number
  readonly runs: number
  readonly folder: string
  readonly profile: boolean
  readonly allocations: boolean
}

const TEXT = { type: 'string' } as const
const FLAGS = {
  size: TEXT,
  links: TEXT,
  systems: TEXT,
  peers: TEXT,
  collectors: TEXT,
  runs: TEXT,
  folder: TEXT,
  profile: { type: 'boolean' },
  allocations: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** @returns undefined where help was asked for @throws UsageError */
export function readRawOptions(argv: readonly string[]): RawOptions | undefined {
  const values = parse(argv)
  if (values.help === true) return undefined
  return {
    size: numberOf('size', values.size ?? '1000', 1, 20_000) * 1e6,
    links: values.links === undefined ? undefined : listOf('links', values.links, LINKS),
    systems: listOf('systems', values.systems ?? SYSTEMS.join(), SYSTEMS),
    peers: numberOf('peers', values.peers ?? '1', 1, 16),
    collectors: numberOf('collectors', values.collectors ?? '1', 1, 16),
    runs: numberOf('runs', values.runs ?? '1', 1, 100),
    folder: values.folder ?? tmpdir(),
    profile: values.profile === true,
    allocations: values.allocations === true,
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]} (raw --help)`)
  }
}

function numberOf(name: string, text: string, least: number, most: number): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= least && number <= most) return number
  throw new UsageError(`--${name} "${text}": give a whole number from ${least} to ${most}`)
}

function listOf<T extends string>(name: string, text: string, known: readonly T[]): readonly T[] {
  const wanted = text.split(',')
  const unknown = wanted.find(word => !known.includes(word as T))
  if (unknown !== undefined) throw new UsageError(`--${name} "${unknown}": choose from ${known.join(', ')}`)
  return known.filter(word => wanted.includes(word))
}
