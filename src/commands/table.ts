export interface Column {
  readonly title: string
  /** Numbers stand right, so that their digits line up. */
  readonly align: 'left' | 'right'
}

const GAP = '  '

/**
 * Lines up cells under their titles.
 *
 * @param rows as many cells a row as there are columns
 * @returns the title line, then one line a row, without blanks at the end
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const lines = [columns.map(column => column.title), ...rows]
  const widths = columns.map((_, at) => Math.max(...lines.map(cells => (cells[at] ?? '').length)))
  return lines.map(cells =>
    columns
      .map(({ align }, at) => {
        const cell = cells[at] ?? ''
        const width = widths[at] ?? 0
        return align === 'left' ? cell.padEnd(width) : cell.padStart(width)
      })
      .join(GAP)
      .trimEnd(),
  )
}
