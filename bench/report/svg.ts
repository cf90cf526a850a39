// Charts by hand: no library, no script, no font. Colours are classes, so that one drawing serves light and dark.

export const CHART_WIDTH = 680

/** The colours of all charts; stands in each SVG, so that it also works alone. */
const STYLE = `
.chart{font:13px system-ui,sans-serif;--ink:#1f2328;--muted:#59636e;--line:#d1d9e0;--main:#0969da;--pale:#b6c6d9;--paper:#fff}
@media(prefers-color-scheme:dark){.chart{--ink:#e6edf3;--muted:#9198a1;--line:#3d444d;--main:#4493f8;--pale:#4b5c74;--paper:#0d1117}}
.chart .paper{fill:var(--paper)}.chart text{fill:var(--ink)}.chart .title{font-weight:600;font-size:15px}
.chart .muted{fill:var(--muted)}.chart .small{fill:var(--muted);font-size:11px}
.chart .number{stroke:var(--paper);stroke-width:3px;paint-order:stroke}
.chart .grid{stroke:var(--line)}.chart .limit{stroke:var(--muted);stroke-dasharray:4 3}
.chart .main{fill:var(--main)}.chart .pale{fill:var(--pale)}.chart .curve{fill:none;stroke:var(--main);stroke-width:2}
`

export type Tone = 'main' | 'pale'

export function svg(height: number, label: string, content: readonly string[]): string {
  return [
    `<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${CHART_WIDTH} ${height}" width="${CHART_WIDTH}" height="${height}" role="img" aria-label="${escaped(label)}">`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${CHART_WIDTH}" height="${height}"/>`,
    ...content,
    '</svg>',
    '',
  ].join('\n')
}

export interface TextOptions {
  readonly anchor?: 'start' | 'middle' | 'end'
  /** A number keeps clear of the lines behind it. */
  readonly style?: 'title' | 'muted' | 'small' | 'number'
}

export function text(x: number, y: number, content: string, { anchor = 'start', style }: TextOptions = {}): string {
  const tone = style === undefined ? '' : ` class="${style}"`
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}"${tone}>${escaped(content)}</text>`
}

export function bar(x: number, y: number, width: number, height: number, tone: Tone): string {
  return `<rect class="${tone}" x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" rx="2"/>`
}

export function horizontal(x1: number, x2: number, y: number, style: 'grid' | 'limit'): string {
  return `<line class="${style}" x1="${at(x1)}" x2="${at(x2)}" y1="${at(y)}" y2="${at(y)}"/>`
}

export function curve(points: readonly (readonly [x: number, y: number])[]): string {
  return `<polyline class="curve" points="${points.map(([x, y]) => `${at(x)},${at(y)}`).join(' ')}"/>`
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

/** A tenth of a pixel is enough. */
function at(value: number): string {
  return String(Math.round(value * 10) / 10)
}
