// Measurements of a shared link -> the figures that people read.
import { median } from '../figures.js'
import { MTU } from '../limit.js'
import { SYSTEMS } from '../systems.js'
import type { ProgressPoint } from '../transfer/transfer.js'
import type { Opponents } from './opponents.js'
import type { DoneShared, SharedPlan, SharedTrial } from './shared-trial.js'

export interface Shares {
  /** Mbit/s of new data, counted as full IP packets: the same measure for everyone's headers. */
  readonly ours: number
  /** All flows together. */
  readonly theirs: number
  /** Ours over an equal share of what all got; all peers together count as one flow. Undefined where nobody got anything. */
  readonly share: number | undefined
  /** What a probe waited in the queue, in milliseconds; undefined where none came back. */
  readonly queueMedian: number | undefined
  readonly queueP95: number | undefined
  /** How much later than due the relay itself sent, in milliseconds. */
  readonly relayLateness: number | undefined
}

export interface SharedRow {
  readonly opponents: Opponents
  /** Octets. */
  readonly queue: number
  readonly trials: readonly SharedTrial[]
  /** Median of each figure over the trials that came to their end; undefined where none did. */
  readonly median: Shares | undefined
}

/** For each queue a row for each kind of opponents. */
export function sharedRowsOf(trials: readonly SharedTrial[], plans: readonly SharedPlan[]): SharedRow[] {
  const isSame = (a: SharedPlan, b: SharedPlan) => a.queue === b.queue && a.opponents === b.opponents
  return plans
    .filter(({ run }) => run === 1)
    .map(plan => {
      const own = trials.filter(trial => isSame(trial, plan))
      const median = medianOf(own.flatMap(trial => (trial.kind === 'done' ? [sharesOf(trial)] : [])))
      return { opponents: plan.opponents, queue: plan.queue, trials: own, median }
    })
}

export function sharesOf({ opponents, ours, theirs, from, to, counts }: DoneShared): Shares {
  const rate = (points: readonly ProgressPoint[], overhead: number) => {
    const octets = octetsAt(points, to) - octetsAt(points, from)
    return (octets * 8 * MTU) / (MTU - overhead) / 1e6 / (to - from)
  }
  const own = rate(ours, SYSTEMS['peer-udp'].overhead)
  const others = theirs.reduce((sum, points) => sum + rate(points, SYSTEMS['tcp-cubic'].overhead), 0)
  return {
    ours: own,
    theirs: others,
    share: own + others === 0 ? undefined : (own / (own + others)) * (opponents.flows + 1),
    queueMedian: counts.ping?.median,
    queueP95: counts.ping?.p95,
    relayLateness: counts.lateness?.p99,
  }
}

/** Octets that were there at that moment, evenly between two points; none at 0 but what the first point says of it. */
function octetsAt(points: readonly ProgressPoint[], seconds: number): number {
  let before: ProgressPoint = { seconds: 0, octets: 0 }
  for (const point of points) {
    if (point.seconds > seconds) {
      const share = (seconds - before.seconds) / (point.seconds - before.seconds)
      return before.octets + share * (point.octets - before.octets)
    }
    before = point
  }
  return before.octets
}

function medianOf(all: readonly Shares[]): Shares | undefined {
  if (all.length === 0) return undefined
  const of = <Name extends keyof Shares>(name: Name) => median(all.map(shares => shares[name])) as Shares[Name]
  return {
    ours: of('ours'),
    theirs: of('theirs'),
    share: of('share'),
    queueMedian: of('queueMedian'),
    queueP95: of('queueP95'),
    relayLateness: of('relayLateness'),
  }
}
