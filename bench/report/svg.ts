// Charts by hand: no library, no script, no font. Colours are classes, so that one drawing serves light and dark; each is written
// out, without variables, because viewers that know less than a browser know none.

export const CHART_WIDTH = 760
const CORNER = 8

/** By role: in light, in dark. */
const COLOURS = {
  paper: ['#ffffff', '#0d1117'],
  ink: ['#1f2328', '#e6edf3'],
  muted: ['#59636e', '#9198a1'],
  line: ['#d8dee4', '#2f363d'],
  blue: ['#0969da', '#4493f8'],
  orange: ['#d4700f', '#f0883e'],
  green: ['#2da44e', '#3fb950'],
  purple: ['#8250df', '#a371f7'],
  red: ['#cf222e', '#f85149'],
  grey: ['#8c959f', '#6e7681'],
  pale: ['#c3d0df', '#45556b'],
} as const

export type Tone = Exclude<keyof typeof COLOURS, 'paper' | 'ink' | 'muted' | 'line'>
const TONES: readonly Tone[] = ['blue', 'orange', 'green', 'purple', 'red', 'grey', 'pale']

/** What every chart needs to know of colours and letters. */
export const CHART_STYLE = [
  '.chart{font:13px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}',
  '.chart .title{font-weight:600;font-size:16px}.chart .small{font-size:11px}.chart .tiny{font-size:10.5px}',
  '.chart .number{stroke-width:3px;stroke-linejoin:round;paint-order:stroke}',
  '.chart .limit{stroke-width:1.5px;stroke-dasharray:5 3}.chart .curve{fill:none;stroke-width:1.6px;stroke-linejoin:round}',
  colours(0),
  `@media(prefers-color-scheme:dark){${colours(1)}}`,
].join('\n')

/** A drawing for a page that has CHART_STYLE. @param label what people who can't see it are told */
export function svg(height: number, label: string, content: readonly string[]): string {
  const size = `width="${CHART_WIDTH}" height="${height}"`
  return [
    `<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${CHART_WIDTH} ${height}" ${size} role="img" aria-label="${escaped(label)}">`,
    `<rect class="paper" ${size} rx="${CORNER}"/>`,
    ...content,
    '</svg>',
    '',
  ].join('\n')
}

/** The same drawing as a file of its own. */
export function standalone(drawing: string): string {
  return drawing.replace('>\n', `>\n<style>\n${CHART_STYLE}\n</style>\n`)
}

export interface TextOptions {
  readonly anchor?: 'start' | 'middle' | 'end'
  /** `number` keeps clear of the lines behind it, `inside` stands on a bar. */
  readonly style?: 'title' | 'muted' | 'small muted' | `${'number' | 'inside'}${'' | ' tiny'}`
}

export function text(x: number, y: number, content: string, { anchor = 'start', style }: TextOptions = {}): string {
  const tone = style === undefined ? '' : ` class="${style}"`
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}"${tone}>${escaped(content)}</text>`
}

/** @param hint shown where the pointer rests on it */
export function bar(x: number, y: number, width: number, height: number, tone: Tone, hint?: string): string {
  const title = hint === undefined ? '/>' : `><title>${escaped(hint)}</title></rect>`
  return `<rect class="${tone}" x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" rx="${at(Math.min(2, width / 4))}"${title}`
}

export function horizontal(x1: number, x2: number, y: number, style: 'grid' | 'limit'): string {
  return `<line class="${style}" x1="${at(x1)}" x2="${at(x2)}" y1="${at(y)}" y2="${at(y)}"/>`
}

export function vertical(x: number, y1: number, y2: number, tone: Tone): string {
  return `<line class="curve ${tone}" x1="${at(x)}" x2="${at(x)}" y1="${at(y1)}" y2="${at(y2)}"/>`
}

export function curve(points: readonly (readonly [x: number, y: number])[], tone: Tone): string {
  return `<polyline class="curve ${tone}" points="${points.map(([x, y]) => `${at(x)},${at(y)}`).join(' ')}"/>`
}

export interface LegendEntry {
  readonly name: string
  readonly tone: Tone | 'limit'
}

const SWATCH = 11
const LEGEND_GAP = 18
/** Of letters at 13 px, about. */
const LETTER = 6.7
const CAPITAL = 9.2

/** Names beside their colours, one after another. @param y of the line that the words stand on */
export function legend(x: number, y: number, entries: readonly LegendEntry[]): string[] {
  let start = x
  return entries.flatMap(({ name, tone }) => {
    const left = start
    const capitals = name.replaceAll(/[^A-Z]/g, '').length
    start += SWATCH + 6 + capitals * CAPITAL + (name.length - capitals) * LETTER + LEGEND_GAP
    const swatch =
      tone === 'limit'
        ? horizontal(left - 2, left + SWATCH + 2, y - 4, 'limit')
        : bar(left, y - 10, SWATCH, SWATCH, tone)
    return [swatch, text(left + SWATCH + 6, y, name, { style: 'muted' })]
  })
}

/** Round numbers from 0 to at least `most`, three to six of them. */
export function ticks(most: number): number[] {
  if (!(most > 0)) return [0, 1]
  const rough = most / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 2.5, 5, 10].map(factor => factor * power).find(candidate => candidate >= rough) ?? rough
  const count = Math.ceil(most / step - 1e-9)
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(6)))
}

export function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

function colours(theme: 0 | 1): string {
  const { paper, ink, muted, line } = COLOURS
  return [
    `.chart .paper{fill:${paper[theme]}}.chart text{fill:${ink[theme]}}.chart .muted{fill:${muted[theme]}}`,
    `.chart .number{stroke:${paper[theme]}}.chart .inside{fill:${paper[theme]}}.chart .grid{stroke:${line[theme]}}.chart .limit{stroke:${muted[theme]}}`,
    ...TONES.map(tone => {
      const colour = COLOURS[tone][theme]
      return `.chart .${tone}{fill:${colour}}.chart .curve.${tone}{fill:none;stroke:${colour}}`
    }),
  ].join('')
}

/** A tenth of a pixel is enough. */
function at(value: number): string {
  return String(Math.round(value * 10) / 10)
}
