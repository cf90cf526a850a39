// From rows to charts: which figures stand beside each other.
import type { Figures, Row } from '../figures.js'
import { limitOf } from '../limit.js'
import type { BenchOptions } from '../options.js'
import { SYSTEMS, systemsOf } from '../systems.js'
import { type BarChart, type BarSeries, barChart } from './bar-chart.js'
import { type RateCurve, rateChart } from './rate-chart.js'
import { percent } from './table.js'

type Pick = (median: Figures) => number | undefined

/** The chart that says most: it also stands alone. @param settings one line of them */
export function goodputChart(rows: readonly Row[], options: BenchOptions, settings: string): string {
  const own = rows.filter(({ system }) => system === 'peer-udp')
  const who = systemsOf(options).length > 1 ? 'peer-udp: ' : ''
  return barChart({
    title: 'Goodput under loss',
    unit: 'Mbit/s',
    groups: own.map(({ loss, median }) => ({
      label: `${percent(loss)} loss`,
      note: median === undefined ? 'failed' : `${who}E ${median.efficiency.toFixed(3)}`,
    })),
    series: seriesOf(rows, options, median => median.goodput),
    limit: { name: 'limit of the link', values: own.map(({ limit }) => limit) },
    decimals: 1,
    caption: settings,
  })
}

/** The others, in the order in which the table has their figures. */
export function moreCharts(rows: readonly Row[], options: BenchOptions): string[] {
  const isComparison = systemsOf(options).length > 1
  const groups = options.losses.map(loss => ({ label: `${percent(loss)} loss` }))
  const own = (name: string, tone: BarSeries['tone'], pick: Pick): BarSeries => ({
    ...oneSeries(rows, pick),
    name,
    tone,
  })
  const both = ({ cpuPeers, cpuCollector }: Figures) =>
    cpuPeers === undefined || cpuCollector === undefined ? undefined : cpuPeers + cpuCollector
  const charts: Omit<BarChart, 'groups'>[] = [
    {
      title: isComparison ? 'Queueing delay, median' : 'Queueing delay',
      unit: 'ms',
      series: isComparison
        ? seriesOf(rows, options, median => median.queueMedian)
        : [
            own('median', 'blue', median => median.queueMedian),
            own('95th percentile', 'pale', median => median.queueP95),
          ],
      decimals: 1,
    },
    {
      title: 'Data sent beyond the necessary',
      unit: '%',
      series: seriesOf(rows, options, median => (median.beyond === undefined ? undefined : median.beyond * 100)),
      decimals: 2,
    },
    {
      title: isComparison ? 'CPU, both ends' : 'CPU',
      unit: 'seconds a GB',
      series: isComparison
        ? seriesOf(rows, options, both)
        : [own('peers', 'blue', median => median.cpuPeers), own('collector', 'pale', median => median.cpuCollector)],
      decimals: 1,
    },
  ]
  return charts.map(chart => barChart({ ...chart, groups }))
}

/** One for each loss: of each system the first run that was measured. */
export function rateCharts(rows: readonly Row[], { losses }: BenchOptions): string[] {
  return losses.flatMap(loss => {
    const trials = rows.filter(row => row.loss === loss).map(row => row.trials.find(trial => trial.kind === 'done'))
    const done = trials.filter(trial => trial !== undefined)
    const curves = done.map(
      ({ system, progress }): RateCurve => ({ name: SYSTEMS[system].label, tone: SYSTEMS[system].tone, progress }),
    )
    const [first] = done
    if (first === undefined) return []
    const limits = first.capacity.map(({ seconds, rate }) => ({ seconds, rate: limitOf(rate, loss) }))
    return rateChart({ title: `${percent(loss)} loss`, curves, limits })
  })
}

/** One series a system, with a value for each loss. */
function seriesOf(rows: readonly Row[], options: BenchOptions, pick: Pick): BarSeries[] {
  return systemsOf(options).map(system => {
    const own = rows.filter(row => row.system === system)
    const { label, tone } = SYSTEMS[system]
    return { ...oneSeries(own, pick), name: label, tone }
  })
}

function oneSeries(rows: readonly Row[], pick: Pick): { values: readonly (number | undefined)[] } {
  return { values: rows.map(({ median }) => (median === undefined ? undefined : pick(median))) }
}
