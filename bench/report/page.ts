// The report: one HTML file that needs nothing else, in light and dark.
import { exact } from '../../src/commands/words.js'
import type { Row } from '../figures.js'
import type { BenchOptions } from '../options.js'
import { settingsOfOpponents, systemsOf } from '../systems.js'
import type { PathHistory } from '../trace/read-trace.js'
import { traceChart } from '../trace/trace-chart.js'
import { goodputChart, moreCharts, rateCharts } from './charts.js'
import type { RunDescription } from './description.js'
import { CHART_STYLE, escaped } from './svg.js'
import { cellsOf, percent, remarks } from './table.js'

const STYLE = `
:root{color-scheme:light dark;--ink:#1f2328;--muted:#59636e;--line:#d1d9e0;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--muted:#9198a1;--line:#3d444d;--paper:#0d1117}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1080px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}.muted{color:var(--muted)}ul{padding-left:1.2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;white-space:nowrap;font-size:14px}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line)}th{font-weight:600}.right{text-align:right}.left{text-align:left}
svg{max-width:100%;height:auto;display:block;margin:1rem 0}code{font-size:.9em;overflow-wrap:anywhere}
${CHART_STYLE}
`

const MEANINGS = [
  'E is the time that the links need at best, divided by the time taken: from the first datagram of the collector (its registration) to the verified, renamed file.',
  'The limit is rate × (1 − loss) × 1444/1500: what is lost after the bottleneck is lost to every protocol, and a packet of 1500 octets carries 1444 of the file.',
  'Beyond: octets of the file that were sent beyond the necessary 1/(1 − loss), as a share of that.',
  'Queue: how long a probe, sent from peer to collector and back 50 times a second beside the transfer, waited in the queues of the links. CPU: user and system time as a share of one core, and in seconds for each 10⁹ octets; all peers together, and the collector.',
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
${htmlTable(rows, options)}
<ul class="muted">${remarks(rows).map(item).join('')}</ul>
${[goodputChart(rows, options, settings), ...moreCharts(rows, options)].join('\n')}
<h2>Over time</h2>
${rateCharts(rows, options).join('\n')}
${traceSection(traces)}
<h2>What the figures mean</h2>
${[...MEANINGS, ...settingsOfOpponents(systemsOf(options))].map(paragraph).join('\n')}
<p>Again: <code>${escaped(command)}</code></p>
</html>
`
}

function traceSection(traces: readonly TraceOfTrial[]): string {
  const charts = traces.flatMap(({ loss, run, file, paths }) => [
    ...paths.map(path => traceChart(`${percent(loss)} loss, run ${run}`, path)),
    `<p class="muted"><a href="${escaped(file)}">${escaped(file)}</a></p>`,
  ])
  return charts.length === 0 ? '' : `<h2>Inside: what the collectors traced</h2>\n${charts.join('\n')}`
}

function htmlTable(rows: readonly Row[], options: BenchOptions): string {
  const cells = cellsOf(rows, options)
  const line = (tag: 'th' | 'td', texts: readonly string[]) =>
    `<tr>${texts.map((text, at) => `<${tag} class="${cells.columns[at]?.align}">${escaped(text)}</${tag}>`).join('')}</tr>`
  const titles = cells.columns.map(({ title }) => title)
  const lines = [line('th', titles), ...cells.rows.map(row => line('td', row))]
  return `<div class="wide"><table>\n${lines.join('\n')}\n</table></div>`
}

function item(words: string): string {
  return `<li>${escaped(words)}</li>`
}

function paragraph(words: string): string {
  return `<p class="muted">${escaped(words)}</p>`
}
