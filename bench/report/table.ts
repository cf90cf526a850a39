import { type Column, table } from '../../src/commands/table.js'
import type { Row } from '../figures.js'

/** A figure that the system doesn't give. */
const NONE = '-'
/** Milliseconds: a relay that is later than this at its 99th percentile disturbs what it measures. */
const LATENESS_FAIR = 5

const TITLES = [
  'loss',
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

/** The table for people: rates in Mbit/s, CPU in seconds a GB. */
export function benchTable(rows: readonly Row[]): string[] {
  return table(COLUMNS, rows.map(cellsOf))
}

export function tableTitles(): readonly string[] {
  return TITLES
}

export function cellsOf({ loss, limit, median }: Row): string[] {
  return [
    percent(loss),
    fixed(median?.goodput, 1),
    fixed(limit, 1),
    fixed(median?.efficiency, 3),
    median === undefined ? NONE : percent(median.beyond, 1),
    fixed(median?.cpuPeers, 1),
    fixed(median?.cpuCollector, 1),
    fixed(median?.queueMedian, 1, ' ms'),
    fixed(median?.queueP95, 1, ' ms'),
  ]
}

/** What a reader of the table must know of this run: the units, and whatever makes its figures doubtful. */
export function remarks(rows: readonly Row[]): string[] {
  const lines = ['goodput and limit in Mbit/s, CPU in seconds a GB; E = time at the limit / time taken']
  for (const { loss, trials, median } of rows) {
    const failed = trials.filter(trial => trial.kind === 'failed').length
    if (failed > 0) lines.push(`${percent(loss)}: ${failed} of ${trials.length} transfers failed, and are in no figure`)
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

export function fixed(value: number | undefined, decimals: number, unit = ''): string {
  return value === undefined ? NONE : `${value.toFixed(decimals)}${unit}`
}
