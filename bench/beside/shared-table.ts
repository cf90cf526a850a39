import { type Column, table } from '../../src/commands/table.js'
import { productOf } from '../network-plan.js'
import type { BenchOptions } from '../options.js'
import { fixed, latenessRemark } from '../report/table.js'
import { opponentsText } from './opponents.js'
import type { SharedRow } from './shares.js'

interface SharedColumn extends Column {
  cell(row: SharedRow, options: BenchOptions): string
}

const COLUMNS: readonly SharedColumn[] = [
  {
    title: 'queue',
    align: 'right',
    cell: ({ queue }, options) => `${Number((queue / productOf(options)).toFixed(2))}`,
  },
  { title: 'beside', align: 'left', cell: ({ opponents }) => opponentsText(opponents) },
  { title: 'ours', align: 'right', cell: ({ median }) => fixed(median?.ours, 1) },
  { title: 'theirs', align: 'right', cell: ({ median }) => fixed(median?.theirs, 1) },
  { title: 'share', align: 'right', cell: ({ median }) => fixed(median?.share, 2) },
  { title: 'queue median', align: 'right', cell: ({ median }) => fixed(median?.queueMedian, 1, ' ms') },
  { title: 'queue p95', align: 'right', cell: ({ median }) => fixed(median?.queueP95, 1, ' ms') },
]

export function sharedTable(rows: readonly SharedRow[], options: BenchOptions): string[] {
  const cells = rows.map(row => COLUMNS.map(column => column.cell(row, options)))
  return table(COLUMNS, cells)
}

/** `beside cubic:1, queue 62.5 kB` */
export function sharedTitle({ opponents, queue }: Pick<SharedRow, 'opponents' | 'queue'>): string {
  return `beside ${opponentsText(opponents)}, queue ${Number((queue / 1e3).toFixed(1))} kB`
}

/** What a reader of the table must know of this run: the units, and whatever makes its figures doubtful. */
export function sharedRemarks(rows: readonly SharedRow[], options: BenchOptions): string[] {
  return [
    `queue in delay-bandwidth products (${Math.round(productOf(options) / 1e3)} kB); ours, theirs (of all flows) in Mbit/s, headers counted; ` +
      'share = ours / an equal share',
    ...rows.flatMap(row => remarksOn(row).map(words => `${sharedTitle(row)}: ${words}`)),
  ]
}

function remarksOn({ trials, median }: SharedRow): string[] {
  const failed = trials.filter(({ kind }) => kind === 'failed').length
  return [
    ...(failed > 0 ? [`${failed} of ${trials.length} measurements failed, and are in no figure`] : []),
    ...latenessRemark(median?.relayLateness),
  ]
}
