// The end of a transfer: the rebuilt file is read back from disk and hashed on its own, apart from all that the
// transfer believes; then the table for people and the last JSON line.
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { endpointKey } from '../endpoint.js'
import { systemDigests } from '../shell/entropy.js'
import { openShared } from '../shell/shared-file.js'
import type { FragmentReport, FragmentSource, TransferResult } from '../transfer/report.js'
import type { FailureKind } from './exit-codes.js'
import type { JsonFields, Output } from './output.js'
import { table } from './table.js'
import { counted, duration, exact, hex, printable, shortPath, shortRoot } from './words.js'

const READ_BYTES = 1 << 20

/** A transfer's result together with what its file says when it is read back. */
export interface Outcome {
  readonly result: TransferResult
  /** SHA-256 of the rebuilt file, in hexadecimal; undefined without a whole one. */
  readonly sha256: string | undefined
  /** What the rebuilt file was compared with. */
  readonly compared: 'local file' | 'root'
  readonly failure: Failure | undefined
}

export interface Failure {
  readonly kind: FailureKind
  readonly detail: string
  /** Octets; known where the transfer had begun. */
  readonly missing?: number
}

/** @param out where the rebuilt file is @param local the collector's own copy, if it has one */
export async function verified(result: TransferResult, out: string, local: string | undefined): Promise<Outcome> {
  if (result.failure !== undefined) return { result, sha256: undefined, compared: 'root', failure: result.failure }
  try {
    const { size } = await stat(out)
    const sha256 = await hashOf(out)
    const expected = local === undefined ? undefined : await hashOf(local)
    const detail =
      size !== result.bytes
        ? `${shortPath(out)} has ${exact(size)} octets instead of ${exact(result.bytes)}`
        : `${shortPath(out)} has the SHA-256 ${sha256}, the local file ${expected}`
    const same = size === result.bytes && (expected === undefined || expected === sha256)
    const failure = same ? await rootFault(result, out) : ({ kind: 'not-identical', detail } as const)
    return { result, sha256, compared: expected === undefined ? 'root' : 'local file', failure }
  } catch (error) {
    const detail = `reading back failed: ${error instanceof Error ? error.message : String(error)}`
    return { result, sha256: undefined, compared: 'root', failure: { kind: 'disk', detail } }
  }
}

/** Of what an earlier run left only its journal said that it was right: the file's root says so now. */
async function rootFault({ root, fragments }: TransferResult, out: string): Promise<Failure | undefined> {
  if (!fragments.some(fragment => fragment.localWhy.includes('earlier run'))) return undefined
  const file = await openShared(out, systemDigests)
  await file.close()
  const found = file.offer.root
  if (found.every((octet, i) => octet === root[i])) return undefined
  const detail = `${shortPath(out)} has the root ${shortRoot(found)} instead of ${shortRoot(root)}: an earlier run's part was changed`
  return { kind: 'not-identical', detail }
}

export function sayOutcome(outcome: Outcome, out: string, output: Output): void {
  const { result, failure } = outcome
  if (result.fragments.length > 0) output.say('', ...fragmentTable(result.fragments), '')
  if (failure !== undefined) {
    const missing = failure.missing === undefined ? '' : ` (${counted(failure.missing, 'octet')} missing)`
    output.say(`${output.paint('red', 'failed')}  ${printable(result.name)}: ${failure.detail}${missing}`)
    if (existsSync(`${out}.part`)) output.say(`        ${partWords(failure.kind, `${shortPath(out)}.part`)}`)
    return
  }
  const rate = result.seconds > 0 ? `, ${((result.bytes * 8) / result.seconds / 1e6).toFixed(1)} Mbit/s` : ''
  const proof =
    outcome.compared === 'local file'
      ? `${shortPath(out)} has the SHA-256 of the local ${printable(result.name)}`
      : `every block of ${shortPath(out)} matches the root ${shortRoot(result.root)} that the peers offer`
  output.say(
    `${output.paint('green', 'identical')}  SHA-256 ${outcome.sha256}`,
    `           ${proof}`,
    `           ${counted(result.bytes, 'octet')} in ${duration(result.seconds)}${rate}`,
  )
}

function partWords(kind: FailureKind, part: string): string {
  if (kind === 'other-part') return `${part} is kept: --restart drops it, --out PATH writes elsewhere`
  return `what came is kept in ${part}: the same command goes on with it`
}

/** The fields of the line `result`, in the order of spec/interface.md. */
export function resultFields(outcome: Outcome): JsonFields {
  const { result, failure } = outcome
  return {
    ok: failure === undefined,
    name: result.name,
    bytes: result.bytes,
    sha256: outcome.sha256 ?? null,
    root: result.root.length === 0 ? null : hex(result.root),
    seconds: Number(result.seconds.toFixed(3)),
    fragments: result.fragments.map(fragment => ({
      index: fragment.index,
      bytes: fragment.bytes,
      sources: fragment.sources.map(({ endpoint, bytes, chunks, retransmitted }) => ({
        peer: endpointKey(endpoint),
        bytes,
        chunks,
        retransmitted,
      })),
      duplicates: fragment.duplicates,
      localBytes: fragment.localBytes,
      localWhy: [...fragment.localWhy],
    })),
    error: failure === undefined ? null : errorField(failure),
  }
}

/** A collector that ended otherwise than by its transfer. @param broken as far as the transfer came; undefined: it had not begun */
export function unfinished(name: string, failure: Failure, broken?: TransferResult): Outcome {
  const result = broken ?? { name, bytes: 0, root: new Uint8Array(), seconds: 0, fragments: [], failure: undefined }
  return { result, sha256: undefined, compared: 'root', failure }
}

function errorField({ kind, detail, missing }: Failure): JsonFields {
  return missing === undefined ? { kind, detail } : { kind, detail, missing }
}

/** A row a fragment, below it a row for each of its sources. */
function fragmentTable(fragments: readonly FragmentReport[]): string[] {
  const sources = fragments.flatMap(fragment => fragment.sources)
  const arrived = total(sources, 'bytes') + total(fragments, 'localBytes')
  return table(
    [
      { title: '', align: 'left' },
      { title: 'octets', align: 'right' },
      { title: 'chunks', align: 'right' },
      { title: 'retransmitted', align: 'right' },
      { title: 'duplicates', align: 'right' },
    ],
    [...fragments.flatMap(fragmentRows), numbers('in all', arrived, sources, exact(total(fragments, 'duplicates')))],
  )
}

function fragmentRows(fragment: FragmentReport): string[][] {
  const { index, bytes, sources, duplicates, localBytes, localWhy } = fragment
  const rows = [numbers(`fragment ${index + 1}`, bytes, sources, exact(duplicates))]
  for (const source of sources) rows.push(numbers(`  ${endpointKey(source.endpoint)}`, source.bytes, [source], ''))
  const isEarlier = localWhy.every(why => why === 'earlier run')
  if (localBytes > 0)
    rows.push([isEarlier ? '  earlier run' : `  local file: ${localWhy.join(', ')}`, exact(localBytes)])
  return rows
}

function numbers(title: string, bytes: number, sources: readonly FragmentSource[], duplicates: string): string[] {
  return [title, exact(bytes), exact(total(sources, 'chunks')), exact(total(sources, 'retransmitted')), duplicates]
}

function total<Key extends string>(rows: readonly Readonly<Record<Key, number>>[], key: Key): number {
  return rows.reduce((sum, row) => sum + row[key], 0)
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(path, { highWaterMark: READ_BYTES })) hash.update(part)
  return hash.digest('hex')
}
