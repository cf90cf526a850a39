import type { ProgressPoint } from '../swarm/swarm.js'
import { CHART_WIDTH, curve, horizontal, svg, text, ticks } from './svg.js'

export interface RateChart {
  readonly title: string
  readonly progress: readonly ProgressPoint[]
  /** Mbit/s. */
  readonly limit: number
}

const HEIGHT = 190
const TOP = 40
const BOTTOM = 154
const LEFT = 52
const RIGHT = CHART_WIDTH - 12

/** Goodput over time in Mbit/s, between two lines of progress each, under the limit. */
export function rateChart({ title, progress, limit }: RateChart): string {
  const rates = ratesOf(progress)
  const scale = ticks(Math.max(limit, ...rates.map(({ rate }) => rate)))
  const times = ticks(progress.at(-1)?.seconds ?? 0)
  const x = (seconds: number) => LEFT + (seconds / (times.at(-1) ?? 1)) * (RIGHT - LEFT)
  const y = (rate: number) => BOTTOM - (rate / (scale.at(-1) ?? 1)) * (BOTTOM - TOP)

  const content = [
    text(LEFT, 22, title, { style: 'title' }),
    text(RIGHT, 22, 'Mbit/s', { anchor: 'end', style: 'muted' }),
  ]
  for (const tick of scale) {
    content.push(horizontal(LEFT, RIGHT, y(tick), 'grid'))
    content.push(text(LEFT - 8, y(tick) + 4, String(tick), { anchor: 'end', style: 'muted' }))
  }
  for (const tick of times) content.push(text(x(tick), BOTTOM + 20, `${tick} s`, { anchor: 'middle', style: 'muted' }))
  content.push(horizontal(LEFT, RIGHT, y(limit), 'limit'))
  content.push(curve(rates.map(({ seconds, rate }) => [x(seconds), y(rate)])))
  return svg(HEIGHT, title, content)
}

/** The mean rate of each stretch, in its middle. */
export function ratesOf(progress: readonly ProgressPoint[]): { seconds: number; rate: number }[] {
  return progress.flatMap((point, index) => {
    const before = progress[index - 1] ?? { seconds: 0, octets: 0 }
    const length = point.seconds - before.seconds
    if (length <= 0) return []
    const rate = ((point.octets - before.octets) * 8) / length / 1e6
    return [{ seconds: before.seconds + length / 2, rate }]
  })
}
