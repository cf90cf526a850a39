import { bar, CHART_WIDTH, horizontal, svg, type Tone, text, ticks } from './svg.js'

export interface BarChart {
  readonly title: string
  /** What the numbers on the axis are. */
  readonly unit: string
  readonly groups: readonly BarGroup[]
  readonly series: readonly BarSeries[]
  readonly decimals: number
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

const HEIGHT = 318
const TOP = 62
const BOTTOM = 246
const LEFT = 52
const RIGHT = CHART_WIDTH - 12
/** Shares of a group's width. */
const GROUP_FILL = 0.76
const BAR_FILL = 0.92
const LEGEND_STEP = 150

/** Groups of bars side by side, each with its number on top. */
export function barChart(chart: BarChart): string {
  const { groups, series } = chart
  const numbers = series.flatMap(({ values }) => values.filter(value => value !== undefined))
  // Less than nothing happens by luck alone, where hardly anything was measured: no bar, but the number is there.
  const scale = ticks(Math.max(0, ...numbers))
  const top = scale.at(-1) ?? 1
  const y = (value: number) => BOTTOM - (Math.max(0, value) / top) * (BOTTOM - TOP)
  const step = (RIGHT - LEFT) / groups.length
  const width = (step * GROUP_FILL) / series.length

  const content = [text(LEFT, 22, chart.title, { style: 'title' }), ...legend(chart)]
  for (const tick of scale) {
    content.push(horizontal(LEFT, RIGHT, y(tick), 'grid'))
    content.push(text(LEFT - 8, y(tick) + 4, String(tick), { anchor: 'end', style: 'muted' }))
  }
  for (const [index, { label, note }] of groups.entries()) {
    const middle = LEFT + (index + 0.5) * step
    const start = middle - (step * GROUP_FILL) / 2
    for (const [place, { values, tone }] of series.entries()) {
      const value = values[index]
      if (value === undefined) continue
      const x = start + (place + (1 - BAR_FILL) / 2) * width
      content.push(bar(x, y(value), width * BAR_FILL, BOTTOM - y(value), tone))
      const middleOfBar = x + (width * BAR_FILL) / 2
      content.push(
        text(middleOfBar, y(value) - 5, value.toFixed(chart.decimals), { anchor: 'middle', style: 'number' }),
      )
    }
    content.push(text(middle, BOTTOM + 20, label, { anchor: 'middle' }))
    if (note !== undefined) content.push(text(middle, BOTTOM + 38, note, { anchor: 'middle', style: 'muted' }))
  }
  if (chart.caption !== undefined) content.push(text(LEFT, HEIGHT - 8, chart.caption, { style: 'small' }))
  return svg(HEIGHT, chart.title, content)
}

function legend({ series, unit }: BarChart): string[] {
  const entries = series.flatMap(({ name, tone }, index) => {
    const x = LEFT + index * LEGEND_STEP
    return [bar(x, 32, 11, 11, tone), text(x + 17, 42, name, { style: 'muted' })]
  })
  return [...entries, text(RIGHT, 42, unit, { anchor: 'end', style: 'muted' })]
}
