import { type Column, table } from '../../src/commands/table.js'
import type { Row } from '../figures.js'

/** A figure that the system doesn't give. */
const NONE = '-'
/** Milliseconds: a relay that is later than this at its 99th percentile disturbs what it measures. */
const LATENESS_FAIR = 5
const TRIPS_FEW = 20

const TITLES = [
  'loss',
  'time',
  'goodput',
  'limit',
  'E',
  'beyond',
  'CPU peers',
  'CPU collector',
  'queue median',
  'queue p95',
] as const
const COLUMNS = TITLES.map((title): Column => ({ title, align: 'right' }))

/** The table for people. @param rtt milliseconds */
export function benchTable(rows: readonly Row[], rtt: number): string[] {
  return table(
    COLUMNS,
    rows.map(row => cellsOf(row, rtt)),
  )
}

export function tableTitles(): readonly string[] {
  return TITLES
}

/** @param rtt milliseconds */
export function cellsOf({ loss, limit, median }: Row, rtt: number): string[] {
  return [
    percent(loss),
    median === undefined ? NONE : timeOf(median.seconds, rtt),
    fixed(median?.goodput, 1),
    fixed(limit, 1),
    fixed(median?.efficiency, 3),
    median === undefined ? NONE : percent(median.beyond, 1),
    cpuOf(median?.corePeers, median?.cpuPeers),
    cpuOf(median?.coreCollector, median?.cpuCollector),
    fixed(median?.queueMedian, 1, ' ms'),
    fixed(median?.queueP95, 1, ' ms'),
  ]
}

/** What a reader of the table must know of this run: the units, and whatever makes its figures doubtful. */
export function remarks(rows: readonly Row[]): string[] {
  const lines = [
    'goodput and limit in Mbit/s; E = time at the limit / time taken; CPU as a share of one core (seconds a GB)',
  ]
  for (const { loss, trials, median } of rows) {
    const failed = trials.filter(trial => trial.kind === 'failed').length
    if (failed > 0) lines.push(`${percent(loss)}: ${failed} of ${trials.length} transfers failed, and are in no figure`)
    const settled = (median?.settling ?? []).map(seconds =>
      seconds === undefined ? 'never' : `after ${fixed(seconds, 1)} s`,
    )
    if (settled.length > 0) lines.push(`${percent(loss)}: each new rate was found: ${settled.join(', ')}`)
    if ((median?.relayLateness ?? 0) > LATENESS_FAIR) {
      const late = fixed(median?.relayLateness, 1)
      lines.push(`${percent(loss)}: the relay was ${late} ms late at its 99th percentile: this computer was too busy`)
    }
    if ((median?.relayLost ?? 0) > 0) {
      lines.push(`${percent(loss)}: ${median?.relayLost} datagrams were lost in the relay's own sockets: too busy`)
    }
  }
  return lines
}

/** `5 %`, `0.1 %`: as many decimals as there are, or as asked for. */
export function percent(share: number, decimals?: number): string {
  const value = share * 100
  return `${decimals === undefined ? Number(value.toFixed(3)) : value.toFixed(decimals)} %`
}

/** What takes a few round trips is told in them too. */
function timeOf(seconds: number, rtt: number): string {
  const trips = (seconds * 1_000) / rtt
  return `${seconds.toFixed(2)} s${trips < TRIPS_FEW ? ` = ${trips.toFixed(1)} RTT` : ''}`
}

function cpuOf(core: number | undefined, gigabyte: number | undefined): string {
  return core === undefined ? NONE : `${percent(core, 0)} (${fixed(gigabyte, 1)})`
}

export function fixed(value: number | undefined, decimals: number, unit = ''): string {
  return value === undefined ? NONE : `${value.toFixed(decimals)}${unit}`
}
