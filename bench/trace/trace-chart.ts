// How the rate control of one path went: rate, queue and loss over time, its states, and what befell it.
import { lineChart, type Mark, type Point, type StateSpan } from '../report/line-chart.js'
import type { Tone } from '../report/svg.js'
import type { PathEvent, PathHistory, Round } from './read-trace.js'

const STATE_TONES: Readonly<Record<string, Tone>> = {
  startup: 'orange',
  drain: 'grey',
  cruise: 'pale',
  refill: 'purple',
  up: 'blue',
}
const STATE_TONE_ELSE: Tone = 'red'
const EVENTS: Readonly<Record<PathEvent['kind'], { readonly name: string; readonly tone: Tone }>> = {
  steal: { name: 'takes work of another path', tone: 'purple' },
  timeout: { name: 'time-out', tone: 'red' },
  lost: { name: 'dropped', tone: 'red' },
}
/** Loss is counted over this many seconds: in the 20 ms of a round it is hardly more than chance. */
const LOSS_SPAN = 0.25

/** @param title what the trace is of */
export function traceChart(title: string, { peer, rounds, states, events }: PathHistory): string {
  const end = rounds.at(-1)?.seconds ?? 0
  const over = (pick: (round: Round) => number): Point[] => rounds.map(round => [round.seconds, pick(round)])
  return lineChart({
    title,
    note: `from ${peer}`,
    states: states.map(({ seconds, state }, at): StateSpan => {
      const to = states[at + 1]?.seconds ?? end
      return { name: state, tone: STATE_TONES[state] ?? STATE_TONE_ELSE, from: seconds, to }
    }),
    marks: events.map(({ seconds, kind }): Mark => ({ seconds, ...EVENTS[kind] })),
    panels: [
      {
        unit: 'Mbit/s',
        curves: [
          { name: 'delivered', tone: 'green', points: over(round => round.delivered) },
          { name: 'pacing', tone: 'blue', points: over(round => round.pacing) },
          { name: 'bandwidth estimate', tone: 'orange', points: over(round => round.bandwidth) },
        ],
      },
      {
        unit: 'ms',
        curves: [
          { name: 'round trip', tone: 'green', points: over(round => round.roundTrip) },
          { name: 'queue', tone: 'blue', points: over(round => round.queue) },
        ],
      },
      {
        unit: '%',
        curves: [
          { name: 'loss', tone: 'green', points: lossOf(rounds) },
          { name: 'loss floor', tone: 'blue', points: over(round => round.floor * 100) },
        ],
      },
    ],
  })
}

/** Percent lost of each stretch of LOSS_SPAN, at its end. */
export function lossOf(rounds: readonly Round[]): Point[] {
  const points: Point[] = []
  let [received, lost, since] = [0, 0, rounds[0]?.seconds ?? 0]
  for (const round of rounds) {
    received += round.received
    lost += round.lost
    if (round.seconds - since < LOSS_SPAN || received + lost <= 0) continue
    points.push([round.seconds, (100 * Math.max(0, lost)) / (received + lost)])
    ;[received, lost, since] = [0, 0, round.seconds]
  }
  return points
}
