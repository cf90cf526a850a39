// The tables of spec/wire.md against src/wire/layout.ts, in both directions.
import { readFileSync } from 'node:fs'
import t from 'tap'
import * as layout from '../../src/wire/layout.js'
import { BYTES } from '../../src/wire/lengths.js'
import { malformed, octetsOf, valid } from './vectors.js'

interface Table {
  readonly heading: string
  readonly rows: readonly Readonly<Record<string, string>>[]
}

const spec = readFileSync('spec/wire.md', 'utf8')
const tables = tablesOf(spec)
/** Sections whose fields stand in many messages. */
const SHARED = new Set(['Header', 'Bulk prefix'])
const constants = Object.fromEntries(
  Object.entries(layout).filter((pair): pair is [string, number] => typeof pair[1] === 'number'),
)

t.test('every offset in the spec stands in the layout, and every offset of the layout in the spec', async t => {
  const met = new Set<string>()
  for (const { heading, rows } of tables) {
    for (const { offset, field } of rows) {
      if (offset === undefined || field === undefined || !/^\d+$/.test(offset)) continue
      const name = offsetName(heading, field)
      if (name === undefined) continue
      t.equal(constants[name], Number(offset), `${heading}: ${field} is ${name}`)
      met.add(name)
    }
  }
  const missing = Object.keys(constants).filter(name => name.endsWith('_AT') && !met.has(name))
  t.strictSame(missing, [], 'no offset is missing from the spec')
})

t.test('fields follow one another without a gap', async t => {
  for (const { heading, rows } of tables) {
    if (rows[0]?.offset === undefined) continue
    for (const [i, row] of rows.slice(1).entries()) {
      const before = rows[i]!
      if (!/^\d+$/.test(before.size!)) continue
      t.equal(
        Number(row.offset!.replace(/ \+ a$/, '')),
        Number(before.offset!.replace(/ \+ a$/, '')) + Number(before.size),
        `${heading}: ${row.field}`,
      )
    }
  }
})

t.test('every other number has the same value here and there', async t => {
  const numbers = rowsWith('name', 'value')
  for (const { name, value } of numbers) t.equal(constants[name!], Number(value), name!)
  const named = new Set(numbers.map(({ name }) => name))
  const missing = Object.keys(constants).filter(name => !name.endsWith('_AT') && !named.has(name))
  t.strictSame(missing, [], 'no number is missing from the spec')
})

t.test('tags, flags, reasons and codes are the same, and who may carry which flag', async t => {
  const pairs = (column: string) =>
    Object.fromEntries(rowsWith(column, 'name').map(row => [row.name, Number(row[column])]))
  t.strictSame(pairs('tag'), { ...layout.TAG })
  t.strictSame(pairs('flag'), { ...layout.FLAG })
  t.strictSame(pairs('reason'), { ...layout.REASON })
  t.strictSame(pairs('code'), { ...layout.ERROR_CODE })
  const carried = rowsWith('flag', 'name').map(row => ({ bit: Number(row.flag), by: row['carried by']!.split(', ') }))
  for (const [name, tag] of Object.entries(layout.TAG)) {
    const allowed = carried.filter(({ by }) => by.includes(name)).reduce((bits, { bit }) => bits | bit, 0)
    t.equal(allowed, layout.FLAGS_ALLOWED[tag], name)
  }
})

t.test('the kinds of entries and the families of addresses are the same', async t => {
  const meaning = (field: string) => rowsWith('field').find(row => row.field === field)!['meaning and range']!
  t.match(meaning('kind'), `${layout.ENTRY.PRESENT} PRESENT, ${layout.ENTRY.LEFT} LEFT;`)
  const { IPV4, IPV6 } = layout.FAMILY
  t.match(meaning('family'), `${IPV4} (a = ${layout.IPV4_BYTES}) or ${IPV6} (a = ${layout.IPV6_BYTES});`)
})

t.test('lengths in the table of tags are those that the codec holds to', async t => {
  for (const row of rowsWith('tag', 'name')) {
    const { min, max } = BYTES[Number(row.tag) as layout.Tag]
    const numbers = row['length in octets']!.match(/\d+/g)!.map(Number)
    t.equal(numbers.at(-1), max, `${row.name}: the longest`)
    // A TREE's rule is checked from its header on: its count, then its length.
    t.equal(numbers[0], row.name === 'TREE' ? layout.TREE_HEADER_BYTES : min, `${row.name}: the shortest`)
  }
})

t.test('sizes that follow from others do', async t => {
  t.equal(layout.CHUNKS_MAX, layout.BLOCK_BYTES / layout.CHUNK_BYTES_MIN)
  t.equal(layout.CHUNKS_MAX, layout.PULL_BITMAP_BYTES * 8)
  t.equal(layout.CHUNK_BYTES_MAX, layout.DATAGRAM_BYTES_MAX - layout.CHUNK_HEADER_BYTES)
  t.equal(layout.FILE_BYTES_MAX, layout.BLOCKS_MAX * layout.BLOCK_BYTES)
  const pages = Math.ceil(Math.log2(layout.BLOCKS_MAX) / layout.TREE_PAGE_HEIGHTS)
  t.equal(layout.TREE_HEIGHT_MAX, pages * layout.TREE_PAGE_HEIGHTS, 'a top page spans the largest file')
  t.equal(2 ** layout.TREE_PAGE_HEIGHTS, layout.TREE_PAGE_HASHES_MAX)
  t.ok(layout.COOKIE_ENTRIES_AT <= layout.HELLO_BYTES_MIN, 'an unproven address is never sent more than it sent')
  const offers = layout.REGISTER_BYTES_MAX - layout.REGISTER_OFFERS_AT
  const fixed = layout.ENTRY_PRESENT_FIXED_BYTES - layout.IPV4_BYTES + layout.IPV6_BYTES
  t.equal(layout.LIST_ENTRIES_AT + fixed + offers, layout.CONTROL_BYTES_MAX, 'what registers fits a list page')
})

t.test('every reason for dropping a datagram stands in the spec and has a vector', async t => {
  const told = rowsWith('reason', 'the rule that is broken').map(({ reason }) => reason!.replaceAll('`', ''))
  t.strictSame(new Set(told), new Set(malformed.map(({ reason }) => reason)))
})

t.test('the examples worked by hand are vectors', async t => {
  const examples = examplesOf(spec)
  t.equal(examples.length, 3)
  for (const { heading, octets } of examples) {
    const vector = valid.find(vector => Buffer.compare(vector.octets, octets) === 0)
    t.ok(vector, `${heading}: ${vector?.name}`)
  }
})

/** The constant for a field's offset: bears the message's name, unless the field is one that several messages share. */
function offsetName(heading: string, field: string): string | undefined {
  const word = field.toUpperCase().replace(/[^A-Z]+/g, '_')
  const names = [`${heading}_${word}_AT`, `${heading}_HEADER_BYTES`]
  if (SHARED.has(heading) || word === 'COOKIE') names.unshift(`${word}_AT`)
  return names.find(name => name in constants)
}

function rowsWith(...columns: readonly string[]) {
  return tables.flatMap(({ rows }) => rows).filter(row => columns.every(column => row[column] !== undefined))
}

function tablesOf(markdown: string): Table[] {
  const found: Table[] = []
  let heading = ''
  let head: readonly string[] = []
  let rows: Record<string, string>[] = []
  for (const line of markdown.split('\n')) {
    const cells = line.startsWith('|')
      ? line
          .slice(1, -1)
          .split('|')
          .map(cell => cell.trim())
      : undefined
    if (line.startsWith('#')) heading = line.replace(/^#+ /, '')
    if (cells === undefined) head = []
    else if (head.length === 0) {
      head = cells
      rows = []
      found.push({ heading, rows })
    } else if (!cells[0]!.startsWith('---')) rows.push(Object.fromEntries(head.map((name, i) => [name, cells[i]!])))
  }
  return found
}

/** The indented blocks under the headings of examples, with each line's offset checked against what stands before it. */
function examplesOf(markdown: string) {
  return [...markdown.matchAll(/^### Example: (.*)\n\n((?: {4}.*\n)+)/gm)].map(([, heading, block]) => {
    let hex = ''
    for (const [, offset, octets] of block!.matchAll(/^ +(\d+) {2}((?:[\da-f]{2} )+)/gm)) {
      if (Number(offset) !== octetsOf(hex).length) t.fail(`${heading}: offset ${offset}`)
      hex += octets
    }
    return { heading, octets: octetsOf(hex) }
  })
}
