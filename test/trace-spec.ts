// The tables of spec/interface.md, "Trace", as tests compare lines with them.
import { readFileSync } from 'node:fs'

export interface TraceLine {
  readonly t: number
  readonly name: string
  readonly [field: string]: unknown
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  integer: Number.isInteger,
  number: Number.isFinite,
  boolean: value => typeof value === 'boolean',
  string: value => typeof value === 'string',
  endpoint: value => typeof value === 'string',
}

const tables = readTables(readFileSync('spec/interface.md', 'utf8').split('\n## Trace\n')[1]!)
/** The fields of a line, by its name. */
export const TRACE_LINES: ReadonlyMap<string, readonly string[]> = tables.lines
/** Whether a value is of the field's type. */
export const TRACE_FIELDS: ReadonlyMap<string, (value: unknown) => boolean> = tables.fields

/** @returns what in a line is not as the spec says; nothing where all is */
export function faultOf({ name, ...rest }: { readonly name: string; readonly [field: string]: unknown }): string[] {
  const { t, ...fields } = rest
  const found = Object.keys(fields).join(' ')
  const expected = TRACE_LINES.get(name)?.join(' ')
  if (found !== expected) return [`${name}: ${found}, but the spec has ${expected}`]
  const strange = Object.entries(fields).filter(([field, value]) => !TRACE_FIELDS.get(field)?.(value))
  return strange.map(([field, value]) => `${name}: ${field} is ${value}`)
}

function readTables(section: string) {
  const lines = new Map<string, readonly string[]>()
  const fields = new Map<string, (value: unknown) => boolean>()
  for (const row of section.split('\n').filter(line => line.startsWith('| `'))) {
    const [, left = '', middle = ''] = row.split('|')
    for (const name of ticked(left)) {
      if (name.includes(':')) lines.set(name, ticked(middle))
      else fields.set(name, TYPES[middle.trim()]!)
    }
  }
  return { lines, fields }
}

function ticked(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(match => match[1]!)
}
