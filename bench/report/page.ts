// The report: one HTML file that needs nothing else, in light and dark.
import { exact } from '../../src/commands/words.js'
import type { Row } from '../figures.js'
import { limitOf } from '../limit.js'
import type { BenchOptions } from '../options.js'
import type { PathHistory } from '../trace/read-trace.js'
import { traceChart } from '../trace/trace-chart.js'
import { type BarChart, barChart } from './bar-chart.js'
import type { RunDescription } from './description.js'
import { rateChart } from './rate-chart.js'
import { CHART_STYLE, escaped } from './svg.js'
import { cellsOf, percent, remarks, tableTitles } from './table.js'

const STYLE = `
:root{color-scheme:light dark;--ink:#1f2328;--muted:#59636e;--line:#d1d9e0;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--muted:#9198a1;--line:#3d444d;--paper:#0d1117}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:920px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}.muted{color:var(--muted)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;white-space:nowrap;font-size:14px}
th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--line)}th{font-weight:600}
svg{max-width:100%;height:auto;display:block;margin:1rem 0}code{font-size:.9em;overflow-wrap:anywhere}
${CHART_STYLE}
`

const MEANINGS = [
  'E is the time that the links need at best, divided by the time taken: from the first datagram of the collector (its registration) to the verified, renamed file.',
  'The limit is rate × (1 − loss) × 1444/1500: what is lost after the bottleneck is lost to every protocol, and a packet of 1500 octets carries 1444 of the file.',
  'Beyond: data datagrams that peers sent beyond the necessary 1/(1 − loss) for each chunk.',
  'Queue: how long a probe, sent from peer to collector and back 50 times a second beside the transfer, waited in the queues of the links. CPU: seconds for each 10⁹ octets, all peers together, and the collector.',
]

/** What the collector of one transfer wrote down. */
export interface TraceOfTrial {
  /** Share, 0 to 1. */
  readonly loss: number
  readonly run: number
  /** The file, as seen from the report. */
  readonly file: string
  readonly paths: readonly PathHistory[]
}

export interface PageParts {
  readonly options: BenchOptions

  readonly rows: readonly Row[]
  readonly description: RunDescription
  readonly traces: readonly TraceOfTrial[]
}

export function page({ options, rows, description, traces }: PageParts): string {
  const { settings, computer, command, date, ceiling } = description
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>peer-udp: throughput under loss</title>
<style>${STYLE}</style>
<h1>peer-udp: throughput under loss</h1>
<p>${escaped(settings)}<br><span class="muted">${date}. ${escaped(computer)}.
The relay carries ${exact(Math.round(ceiling))} datagrams/s there.</span></p>
${htmlTable(rows, options.rtt)}
${remarks(rows).map(paragraph).join('\n')}
${[goodputChart(rows, description), ...moreCharts(rows)].join('\n')}
<h2>Over time</h2>
${rateCharts(rows).join('\n')}
${traceSection(traces)}
<h2>What the figures mean</h2>
${MEANINGS.map(paragraph).join('\n')}
<p>Again: <code>${escaped(command)}</code></p>
</html>
`
}

/** The chart that says most: it also stands alone. */
export function goodputChart(rows: readonly Row[], { settings }: Pick<RunDescription, 'settings'>): string {
  return barChart({
    title: 'Goodput under loss',
    unit: 'Mbit/s',
    groups: rows.map(({ loss, median }) => ({
      label: `${percent(loss)} loss`,
      note: median === undefined ? 'failed' : `E ${median.efficiency.toFixed(3)}`,
    })),
    series: [{ name: 'peer-udp', tone: 'blue', values: rows.map(({ median }) => median?.goodput) }],
    limit: { name: 'limit of the link', values: rows.map(({ limit }) => limit) },
    decimals: 1,
    caption: settings,
  })
}

/** The others, in the order in which the table has their figures. */
function moreCharts(rows: readonly Row[]): string[] {
  const groups = rows.map(({ loss }) => ({ label: `${percent(loss)} loss` }))
  const values = (pick: (median: NonNullable<Row['median']>) => number | undefined) =>
    rows.map(({ median }) => (median === undefined ? undefined : pick(median)))
  const more: BarChart[] = [
    {
      title: 'Queueing delay',
      unit: 'ms',
      groups,
      series: [
        { name: 'median', tone: 'blue', values: values(median => median.queueMedian) },
        { name: '95th percentile', tone: 'pale', values: values(median => median.queueP95) },
      ],
      decimals: 1,
    },
    {
      title: 'Datagrams beyond the necessary',
      unit: '%',
      groups,
      series: [{ name: 'sent by the peers', tone: 'blue', values: values(median => median.beyond * 100) }],
      decimals: 2,
    },
    {
      title: 'CPU',
      unit: 'seconds a GB',
      groups,
      series: [
        { name: 'peers', tone: 'blue', values: values(median => median.cpuPeers) },
        { name: 'collector', tone: 'pale', values: values(median => median.cpuCollector) },
      ],
      decimals: 1,
    },
  ]
  return more.map(barChart)
}

/** One for each loss: its first run that came to its end. */
function rateCharts(rows: readonly Row[]): string[] {
  return rows.flatMap(({ loss, trials }) => {
    const trial = trials.find(one => one.kind === 'done')
    if (trial === undefined) return []
    const limits = trial.capacity.map(({ seconds, rate }) => ({ seconds, rate: limitOf(rate, loss) }))
    return rateChart({ title: `${percent(loss)} loss`, progress: trial.progress, limits })
  })
}

function traceSection(traces: readonly TraceOfTrial[]): string {
  const charts = traces.flatMap(({ loss, run, file, paths }) => [
    ...paths.map(path => traceChart(`${percent(loss)} loss, run ${run}`, path)),
    `<p class="muted"><a href="${escaped(file)}">${escaped(file)}</a></p>`,
  ])
  return charts.length === 0 ? '' : `<h2>Inside: what the collectors traced</h2>\n${charts.join('\n')}`
}

function htmlTable(rows: readonly Row[], rtt: number): string {
  const line = (tag: 'th' | 'td', cells: readonly string[]) =>
    `<tr>${cells.map(cell => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`
  const lines = [line('th', tableTitles()), ...rows.map(row => line('td', cellsOf(row, rtt)))]
  return `<div class="wide"><table>\n${lines.join('\n')}\n</table></div>`
}

function paragraph(words: string): string {
  return `<p class="muted">${escaped(words)}</p>`
}
