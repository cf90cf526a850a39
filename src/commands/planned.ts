// What a `get` would write, for people, and the question whether it may.
import { createInterface } from 'node:readline/promises'
import { type PlanError, type Planned, type PlannedPath, UsageError } from '../index.js'
import type { JsonFields, Output } from './output.js'
import { counted, printable, shortPath, size } from './words.js'

/** Paths shown to people; the JSON line has them all. */
const PATHS_SHOWN = 40

const OBSTACLES: Readonly<Record<PlanError['problems'][number]['why'], string>> = {
  taken: 'something else is there',
  twin: 'some systems take it for another name in the same folder',
  device: 'it is a device on Windows',
  character: 'it has a character that Windows gives a meaning',
  ending: 'it ends in a dot or a blank, which Windows cuts off',
}

export function sayPlanned(planned: Planned, output: Output): void {
  const { entries, skipped, into } = planned
  const isNews = (entry: PlannedPath) => entry.state !== 'there'
  const news = entries.filter(isNews)
  const lines = news.slice(0, PATHS_SHOWN).map(entry => `  ${pathLine(entry)}`)
  if (news.length > lines.length) lines.push(`  and ${counted(news.length - lines.length, 'more path')}`)
  const there = entries.filter(({ kind, state }) => kind === 'file' && state === 'there').length
  if (there > 0) lines.push(`  ${counted(there, 'file')} there already, with the same octets`)
  for (const { path, why } of skipped.slice(0, PATHS_SHOWN))
    lines.push(`  left out: ${printable(path)}: ${OBSTACLES[why]}`)
  if (skipped.length > PATHS_SHOWN) lines.push(`  left out: ${counted(skipped.length - PATHS_SHOWN, 'more path')}`)
  output.say(`into ${into === undefined ? 'stdout' : shortPath(into)}:`, ...lines)
}

export function plannedFields({ id, name, bytes, into, entries, skipped }: Planned): JsonFields {
  return {
    id,
    name,
    bytes,
    into: into ?? null,
    entries: entries.map(({ kind, path, bytes, state }) => ({ kind, path, bytes, state })),
    skipped: skipped.map(({ path, why }) => ({ path, why })),
  }
}

/** @returns whether it may be written @throws UsageError where there is nobody to ask */
export async function agreed({ entries, bytes, into }: Planned, signal: AbortSignal): Promise<boolean> {
  const files = entries.filter(({ kind, state }) => kind === 'file' && state !== 'there')
  if (files.length === 0) return true
  const question = `write ${counted(files.length, 'file')}, ${size(bytes)}, into ${shortPath(into ?? '')}?`
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(`${question} There is no terminal to ask at: add --yes`)
  }
  const asking = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `, { signal })).trim())
  } finally {
    asking.close()
  }
}

/** The library knows what is in the way, but not by which flag it is decided. */
export function withDecision({ problems }: PlanError): UsageError {
  const some = problems.slice(0, 3).map(({ path, why }) => `${printable(path)} (${OBSTACLES[why]})`)
  const more = problems.length > some.length ? `, and ${problems.length - some.length} more` : ''
  const isTaken = problems.some(({ why }) => why === 'taken')
  const flags = `${isTaken ? '--overwrite, ' : ''}--rename or --skip decides`
  const isOdd = problems.some(({ why }) => why !== 'taken')
  const any = isOdd && process.platform !== 'win32' ? '; --any-names takes odd names as they are' : ''
  return new UsageError(`nothing was written: ${some.join(', ')}${more}; ${flags}${any}`)
}

function pathLine({ kind, path, bytes, state }: PlannedPath): string {
  if (kind === 'folder') return `${printable(path)}/`
  return `${printable(path)}, ${size(bytes)}${state === 'replaces' ? ', in place of what is there' : ''}`
}
