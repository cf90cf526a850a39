import { bar, CHART_WIDTH, horizontal, legend, svg, type Tone, text, ticks } from './svg.js'

export interface BarChart {
  readonly title: string
  /** What the numbers on the axis are. */
  readonly unit: string
  readonly groups: readonly BarGroup[]
  readonly series: readonly BarSeries[]
  readonly decimals: number
  /** A line over each group: what its bars can reach at best. */
  readonly limit?: { readonly name: string; readonly values: readonly number[] }
  /** A line below all. */
  readonly caption?: string
}

export interface BarGroup {
  readonly label: string
  /** A second line below the label. */
  readonly note?: string
}

export interface BarSeries {
  readonly name: string
  readonly tone: Tone
  /** One a group; undefined = not measured: no bar. */
  readonly values: readonly (number | undefined)[]
}

const TOP = 78
const BOTTOM = 268
const LEFT = 56
const RIGHT = CHART_WIDTH - 18
const LINE = 18
/** Shares of a group's width. */
const GROUP_FILL = 0.8
const BAR_FILL = 0.9
/** Narrower bars have smaller numbers, and none behind the point. */
const BAR_WIDE = 34
const BAR_WIDTH_MAX = 72
/** A bar of this height has room for its number. */
const INSIDE_HEIGHT = 24

/** Groups of bars side by side, each with its number on top. */
export function barChart(chart: BarChart): string {
  const { groups, series, limit } = chart
  const numbers = series.flatMap(({ values }) => values.filter(value => value !== undefined))
  // Less than nothing happens by luck alone, where hardly anything was measured: no bar, but the number is there.
  const scale = ticks(Math.max(0, ...numbers, ...(limit?.values ?? [])))
  const top = scale.at(-1) ?? 1
  const y = (value: number) => BOTTOM - (Math.max(0, value) / top) * (BOTTOM - TOP)
  const step = (RIGHT - LEFT) / groups.length
  const width = Math.min(BAR_WIDTH_MAX, (step * GROUP_FILL) / series.length)
  const isWide = width >= BAR_WIDE

  const content = [text(LEFT, 28, chart.title, { style: 'title' }), ...namesOf(chart)]
  for (const tick of scale) {
    content.push(horizontal(LEFT, RIGHT, y(tick), 'grid'))
    content.push(text(LEFT - 8, y(tick) + 4, String(tick), { anchor: 'end', style: 'muted' }))
  }
  const labels: string[] = []
  for (const [index, { label, note }] of groups.entries()) {
    const middle = LEFT + (index + 0.5) * step
    const start = middle - (width * series.length) / 2
    for (const [place, { name, values, tone }] of series.entries()) {
      const value = values[index]
      if (value === undefined) continue
      const x = start + (place + (1 - BAR_FILL) / 2) * width
      const barWidth = width * BAR_FILL
      content.push(
        bar(x, y(value), barWidth, BOTTOM - y(value), tone, `${name}: ${digits(value, chart.decimals)} ${chart.unit}`),
      )
      const shown = digits(value, isWide ? chart.decimals : value < 10 ? Math.min(1, chart.decimals) : 0)
      // Above the bar it would stand in the way of the line of the limit.
      const isInside = limit !== undefined && BOTTOM - y(value) >= INSIDE_HEIGHT
      const style = `${isInside ? 'inside' : 'number'}${isWide ? '' : ' tiny'}` as const
      labels.push(text(x + barWidth / 2, y(value) + (isInside ? 15 : -5), shown, { anchor: 'middle', style }))
    }
    const most = limit?.values[index]
    if (most !== undefined) content.push(horizontal(start - 6, start + width * series.length + 6, y(most), 'limit'))
    content.push(text(middle, BOTTOM + LINE + 3, label, { anchor: 'middle' }))
    if (note !== undefined)
      content.push(text(middle, BOTTOM + 2 * LINE + 3, note, { anchor: 'middle', style: 'muted' }))
  }
  content.push(...labels)
  let height = BOTTOM + LINE + 16
  if (groups.some(({ note }) => note !== undefined)) height += LINE
  if (chart.caption !== undefined) {
    height += LINE + 4
    content.push(text(LEFT, height - 16, chart.caption, { style: 'small muted' }))
  }
  return svg(height, chart.title, content)
}

/** Without a minus before nothing. */
function digits(value: number, decimals: number): string {
  return (Number(value.toFixed(decimals)) || 0).toFixed(decimals)
}

function namesOf({ series, limit, unit }: BarChart): string[] {
  const entries = [...series, ...(limit === undefined ? [] : [{ name: limit.name, tone: 'limit' as const }])]
  return [...legend(LEFT, 54, entries), text(RIGHT, 28, unit, { anchor: 'end', style: 'muted' })]
}
