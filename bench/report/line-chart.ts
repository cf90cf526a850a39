import { bar, CHART_WIDTH, curve, horizontal, legend, svg, type Tone, text, ticks, vertical } from './svg.js'

/** Panels above each other over one axis of time. */
export interface LineChart {
  readonly title: string
  /** To the right of the title. */
  readonly note?: string
  readonly panels: readonly Panel[]
  /** A strip of colours above the panels: in what state something was, and when. */
  readonly states?: readonly StateSpan[]
  readonly marks?: readonly Mark[]
}

export interface Panel {
  readonly unit: string
  readonly curves: readonly Curve[]
  /** What the curves can reach at best, if there is such a thing: how much, from when to when. */
  readonly limit?: readonly LimitSpan[]
}

export interface Curve {
  readonly name: string
  readonly tone: Tone
  readonly points: readonly Point[]
}

export type Point = readonly [seconds: number, value: number]

export interface LimitSpan {
  readonly from: number
  readonly to: number
  readonly value: number
}

export interface StateSpan {
  readonly name: string
  readonly tone: Tone
  readonly from: number
  readonly to: number
}

/** What happened at a moment: a line through all panels. */
export interface Mark {
  readonly name: string
  readonly tone: Tone
  readonly seconds: number
}

const LEFT = 56
const RIGHT = CHART_WIDTH - 18
const TITLE = 28
const LINE = 24
const STRIP = 10
const PANEL = 100
const GAP = 16
/** No more points than this many a pixel: what is nearer than that is drawn as its mean. */
const POINTS_PER_PIXEL = 1

export function lineChart(chart: LineChart): string {
  const { title, note, panels, states = [], marks = [] } = chart
  const ends = [
    ...panels.flatMap(({ curves }) => curves.map(({ points }) => points.at(-1)?.[0] ?? 0)),
    ...states.map(({ to }) => to),
  ]
  const end = Math.max(0, ...ends)
  const times = ticks(end).filter(tick => tick <= end || end === 0)
  const x = (seconds: number) => LEFT + (Math.min(seconds, end) / (end || 1)) * (RIGHT - LEFT)

  const content = [text(LEFT, TITLE, title, { style: 'title' })]
  if (note !== undefined) content.push(text(RIGHT, TITLE, note, { anchor: 'end', style: 'muted' }))
  let y = TITLE + 10
  const named = [...uniqueNames(states), ...uniqueNames(marks)]
  if (named.length > 0) {
    y += LINE
    content.push(...legend(LEFT, y - 8, named))
  }
  if (states.length > 0) {
    for (const { name, tone, from, to } of states) {
      content.push(bar(x(from), y, Math.max(1, x(to) - x(from)), STRIP, tone, `${name}, ${from.toFixed(2)} s`))
    }
    y += STRIP + 4
  }
  const top = y
  for (const panel of panels) {
    y += LINE
    content.push(...drawPanel(panel, y, x))
    y += PANEL + GAP
  }
  content.push(...marks.map(({ seconds, tone }) => vertical(x(seconds), top, y - GAP, tone)))
  for (const tick of times) content.push(text(x(tick), y + 6, `${tick} s`, { anchor: 'middle', style: 'muted' }))
  return svg(y + 18, title, content)
}

/** @param top of the box in which the curves are; their names stand above it */
function drawPanel({ unit, curves, limit = [] }: Panel, top: number, x: (seconds: number) => number): string[] {
  const bottom = top + PANEL
  const thin = curves.map(one => ({ ...one, points: thinned(one.points, x) }))
  const values = thin.flatMap(({ points }) => points.map(([, value]) => value))
  const scale = ticks(Math.max(0, ...values, ...limit.map(({ value }) => value)))
  const most = scale.at(-1) ?? 1
  const y = (value: number) => bottom - (Math.max(0, value) / most) * PANEL

  const names = [...curves, ...(limit.length > 0 ? [{ name: 'limit', tone: 'limit' as const }] : [])]
  const content = [...legend(LEFT, top - 8, names), text(RIGHT, top - 8, unit, { anchor: 'end', style: 'muted' })]
  for (const tick of scale) {
    content.push(horizontal(LEFT, RIGHT, y(tick), 'grid'))
    content.push(text(LEFT - 8, y(tick) + 4, String(tick), { anchor: 'end', style: 'small muted' }))
  }
  for (const { from, to, value } of limit) content.push(horizontal(x(from), x(to), y(value), 'limit'))
  for (const { points, tone } of thin) {
    if (points.length > 0)
      content.push(
        curve(
          points.map(([seconds, value]) => [x(seconds), y(value)]),
          tone,
        ),
      )
  }
  return content
}

/** What would fall on the same pixel becomes one point. */
function thinned(points: readonly Point[], x: (seconds: number) => number): Point[] {
  const thin: Point[] = []
  for (let start = 0, end = 0; start < points.length; start = end) {
    const column = columnOf(points[start]!, x)
    while (end < points.length && columnOf(points[end]!, x) === column) end++
    const group = points.slice(start, end)
    thin.push([mean(group.map(([seconds]) => seconds)), mean(group.map(([, value]) => value))])
  }
  return thin
}

function columnOf([seconds]: Point, x: (seconds: number) => number): number {
  return Math.floor(x(seconds) * POINTS_PER_PIXEL)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function uniqueNames(all: readonly { readonly name: string; readonly tone: Tone }[]): { name: string; tone: Tone }[] {
  return [...new Map(all.map(({ name, tone }) => [name, { name, tone }])).values()]
}
