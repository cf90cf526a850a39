import { type Column, table } from '../../src/commands/table.js'
import type { Row } from '../figures.js'
import type { BenchOptions } from '../options.js'
import { systemsOf } from '../systems.js'

/** A figure that the system doesn't give. */
const NONE = '-'
/** Milliseconds: a relay that is later than this at its 99th percentile disturbs what it measures. */
const LATENESS_FAIR = 5
const TRIPS_FEW = 20

interface TableColumn extends Column {
  cell(row: Row, options: BenchOptions): string
}

const FIRST: readonly TableColumn[] = [{ title: 'loss', align: 'right', cell: ({ loss }) => percent(loss) }]
/** Only where there are several systems. */
const SYSTEM: readonly TableColumn[] = [{ title: 'system', align: 'left', cell: ({ system }) => system }]
const RATIO: readonly TableColumn[] = [{ title: 'ratio', align: 'right', cell: ({ ratio }) => fixed(ratio, 2) }]
const FIGURES: readonly TableColumn[] = [
  { title: 'time', align: 'right', cell: ({ median }, { rtt }) => (median ? timeOf(median.seconds, rtt) : NONE) },
  { title: 'goodput', align: 'right', cell: ({ median }) => fixed(median?.goodput, 1) },
  { title: 'limit', align: 'right', cell: ({ limit }) => fixed(limit, 1) },
  { title: 'E', align: 'right', cell: ({ median }) => fixed(median?.efficiency, 3) },
  {
    title: 'beyond',
    align: 'right',
    cell: ({ median }) => (median?.beyond === undefined ? NONE : percent(median.beyond, 1)),
  },
  { title: 'CPU peers', align: 'right', cell: ({ median }) => cpuOf(median?.corePeers, median?.cpuPeers) },
  { title: 'CPU collector', align: 'right', cell: ({ median }) => cpuOf(median?.coreCollector, median?.cpuCollector) },
  { title: 'queue median', align: 'right', cell: ({ median }) => fixed(median?.queueMedian, 1, ' ms') },
  { title: 'queue p95', align: 'right', cell: ({ median }) => fixed(median?.queueP95, 1, ' ms') },
]

/** Titles and cells of the table, which stands in the terminal and in the report. */
export interface Cells {
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly string[])[]
}

export function cellsOf(rows: readonly Row[], options: BenchOptions): Cells {
  const isComparison = systemsOf(options).length > 1
  const columns = isComparison ? [...FIRST, ...SYSTEM, ...FIGURES, ...RATIO] : [...FIRST, ...FIGURES]
  return { columns, rows: rows.map(row => columns.map(column => column.cell(row, options))) }
}

export function benchTable(rows: readonly Row[], options: BenchOptions): string[] {
  const cells = cellsOf(rows, options)
  return table(cells.columns, cells.rows)
}

/** What a reader of the table must know of this run: the units, and whatever makes its figures doubtful. */
export function remarks(rows: readonly Row[]): string[] {
  const isComparison = rows.some(({ system }) => system !== 'peer-udp')
  return [
    'goodput and limit in Mbit/s; E = time at the limit / time taken; CPU as a share of one core (seconds a GB)',
    ...(isComparison ? ['ratio = goodput of peer-udp / goodput of this system'] : []),
    ...rows.flatMap(row => {
      const title = isComparison ? `${percent(row.loss)}, ${row.system}` : percent(row.loss)
      return remarksOn(row).map(words => `${title}: ${words}`)
    }),
  ]
}

function remarksOn({ trials, median }: Row): string[] {
  const lines: string[] = []
  const failed = trials.filter(trial => trial.kind === 'failed').length
  if (failed > 0) lines.push(`${failed} of ${trials.length} transfers failed, and are in no figure`)
  const stopped = trials.filter(trial => trial.kind === 'done' && !trial.isWhole).length
  if (stopped > 0)
    lines.push(`stopped before the end in ${stopped} of ${trials.length} transfers, and counted until then`)
  if (median === undefined) return lines
  const { settling, relayLateness, relayLost = 0 } = median
  const settled = settling.map(seconds => (seconds === undefined ? 'never' : `after ${fixed(seconds, 1)} s`))
  if (settled.length > 0) lines.push(`each new rate was found: ${settled.join(', ')}`)
  lines.push(...latenessRemark(relayLateness))
  if (relayLost > 0) lines.push(`${relayLost} datagrams were lost in the relay's own sockets: too busy`)
  return lines
}

/** Where the relay disturbed what it measured. @param p99 milliseconds that it was late */
export function latenessRemark(p99 = 0): string[] {
  if (p99 <= LATENESS_FAIR) return []
  return [`the relay was ${fixed(p99, 1)} ms late at its 99th percentile: this computer was too busy`]
}

/** `5 %`, `0.1 %`: as many decimals as there are, or as asked for. */
export function percent(share: number, decimals?: number): string {
  const value = Number((share * 100).toFixed(decimals ?? 3)) || 0
  return `${decimals === undefined ? value : value.toFixed(decimals)} %`
}

/** What takes a few round trips is told in them too. */
function timeOf(seconds: number, rtt: number): string {
  const trips = (seconds * 1_000) / rtt
  return `${seconds.toFixed(2)} s${trips < TRIPS_FEW ? ` = ${trips.toFixed(1)} RTT` : ''}`
}

function cpuOf(core: number | undefined, gigabyte: number | undefined): string {
  return core === undefined ? NONE : `${percent(core, 0)} (${fixed(gigabyte, 1)})`
}

/** A dash for what is not known. */
export function fixed(value: number | undefined, decimals: number, unit = ''): string {
  return value === undefined ? NONE : `${value.toFixed(decimals)}${unit}`
}
