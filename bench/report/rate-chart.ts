import type { Capacity } from '../limit.js'
import type { ProgressPoint } from '../swarm/swarm.js'
import { lineChart } from './line-chart.js'

export interface RateChart {
  readonly title: string
  readonly progress: readonly ProgressPoint[]
  /** Mbit/s, from when on. */
  readonly limits: readonly Capacity[]
}

/** Goodput over time in Mbit/s, between two lines of progress each, under the limit. */
export function rateChart({ title, progress, limits }: RateChart): string {
  const points = ratesOf(progress).map(({ seconds, rate }) => [seconds, rate] as const)
  const end = progress.at(-1)?.seconds ?? 0
  const limit = limits.map(({ seconds, rate }, at) => ({
    from: seconds,
    to: limits[at + 1]?.seconds ?? end,
    value: rate,
  }))
  return lineChart({
    title,
    panels: [
      {
        unit: 'Mbit/s',
        curves: [{ name: 'goodput', tone: 'blue', points }],
        limit,
      },
    ],
  })
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
