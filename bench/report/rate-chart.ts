import type { Capacity } from '../limit.js'
import type { ProgressPoint } from '../transfer/transfer.js'
import { lineChart } from './line-chart.js'
import type { Tone } from './svg.js'

export interface RateChart {
  readonly title: string
  readonly curves: readonly RateCurve[]
  /** Mbit/s of file that the links carried, from when on. */
  readonly limits: readonly Capacity[]
}

export interface RateCurve {
  readonly name: string
  readonly tone: Tone
  readonly progress: readonly ProgressPoint[]
}

/** Goodput over time in Mbit/s, between two lines of progress each, under the limit. */
export function rateChart({ title, curves, limits }: RateChart): string {
  const end = Math.max(0, ...curves.map(({ progress }) => progress.at(-1)?.seconds ?? 0))
  const limit = limits.map(({ seconds, rate }, at) => ({
    from: seconds,
    to: limits[at + 1]?.seconds ?? end,
    value: rate,
  }))
  const drawn = curves.map(({ name, tone, progress }) => {
    const points = ratesOf(progress).map(({ seconds, rate }) => [seconds, rate] as const)
    return { name, tone, points }
  })
  return lineChart({ title, panels: [{ unit: 'Mbit/s', curves: drawn, limit }] })
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
