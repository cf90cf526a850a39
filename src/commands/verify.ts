// `peer-udp verify`: whether files on this disk are what an id names; without one, which id they have.
import { createPeer, FileError, identify, type ListedEntry, type Listing } from '../index.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { type JoinCommand, joinOptions } from './joining.js'
import { Output } from './output.js'
import { counted, exact, printable } from './words.js'

export interface VerifyCommand extends JoinCommand {
  readonly paths: readonly string[]
  /** An id, or the first digits of one; undefined: say which it is. */
  readonly root: string | undefined
  readonly include: readonly string[]
  readonly exclude: readonly string[]
}

interface Difference {
  readonly path: string
  readonly what: 'missing' | 'changed' | 'mode' | 'extra'
}

const WORDS: Readonly<Record<Difference['what'], string>> = {
  missing: 'is missing',
  changed: 'is another file',
  mode: 'is executable on one side only',
  extra: 'is not part of it',
}
/** Differences shown to people; the JSON line has them all. */
const SHOWN = 40
/** How long to look for a peer that knows the names. */
const PATIENCE_MS = 3_000

/** @returns the exit code: NOT_IDENTICAL where they differ @throws UsageError, FileError */
export async function runVerify(command: VerifyCommand, signal: AbortSignal): Promise<ExitCode> {
  const output = new Output({ json: command.json })
  const { paths, root, include, exclude } = command
  output.live(`reading ${paths.map(printable).join(' ')} …`)
  const found = await identify(paths, {
    ...(include.length === 0 ? {} : { include }),
    ...(exclude.length === 0 ? {} : { exclude }),
  })
  output.live('')
  if (root === undefined) {
    output.last('verified', { ok: true, id: found.id, bytes: found.bytes, differences: [] })
    if (!command.json) process.stdout.write(`${found.id}  ${printable(found.name)}\n`)
    return EXIT.FINE
  }
  if (found.id.startsWith(root.toLowerCase())) {
    output.last('verified', { ok: true, id: found.id, bytes: found.bytes, differences: [] })
    const files = found.entries.filter(({ kind }) => kind === 'file').length
    output.say(
      `${output.paint('green', 'identical')}  ${counted(files, 'file')}, ${exact(found.bytes)} octets, id ${found.id}`,
    )
    return EXIT.FINE
  }
  output.live('asking the swarm what they should be …')
  const expected = await lookUp(command, signal)
  output.live('')
  const differences = expected === undefined ? [] : compare(expected, found)
  output.last('verified', {
    ok: false,
    id: found.id,
    bytes: found.bytes,
    differences: differences.map(({ path, what }) => ({ path, what })),
  })
  output.say(`${output.paint('red', 'different')}  the id is ${found.id}`)
  if (expected === undefined) {
    output.say(`           which files differ, a peer that has ${root} knows: none was found at ${command.manager}`)
  }
  for (const { path, what } of differences.slice(0, SHOWN)) output.say(`           ${printable(path)} ${WORDS[what]}`)
  if (differences.length > SHOWN) output.say(`           and ${counted(differences.length - SHOWN, 'more difference')}`)
  return EXIT.NOT_IDENTICAL
}

/** What the id stands for, as the swarm knows it; undefined where nobody can say. */
async function lookUp(command: VerifyCommand, signal: AbortSignal): Promise<Listing | undefined> {
  const peer = await createPeer({ ...joinOptions(command), signal })
  try {
    return await peer.look(command.root ?? '', { signal, patience: PATIENCE_MS })
  } catch (error) {
    if (error instanceof FileError) throw error
    return undefined
  } finally {
    await peer.stop()
  }
}

function compare(expected: Listing, found: Listing): readonly Difference[] {
  const there = new Map(found.entries.map(entry => [entry.path, entry]))
  const differences: Difference[] = []
  for (const entry of expected.entries) {
    // A plain content has the name of its offer, whatever the file is called.
    const path = expected.kind === 'file' ? (found.entries[0]?.path ?? entry.path) : entry.path
    const other = there.get(path)
    there.delete(path)
    const what = differenceOf(entry, other)
    if (what !== undefined) differences.push({ path, what })
  }
  for (const path of there.keys()) differences.push({ path, what: 'extra' })
  return differences
}

function differenceOf(expected: ListedEntry, found: ListedEntry | undefined): Difference['what'] | undefined {
  if (found === undefined) return 'missing'
  if (found.kind !== expected.kind || found.id !== expected.id) return 'changed'
  return found.isExecutable === expected.isExecutable ? undefined : 'mode'
}
