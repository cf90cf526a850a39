// From paths to what is offered: a file as it is, everything else as a bundle (spec/manifest.md).
import { constants } from 'node:fs'
import { basename, resolve } from 'node:path'
import type { Digests } from '../ambient.js'
import { HEAD_BYTES, readHead } from '../content/manifest.js'
import { assert, UsageError } from '../errors.js'
import { NAME_BYTES_MAX } from '../wire/layout.js'
import { isName } from '../wire/name.js'
import type { Folder } from './folder.js'
import { readFully } from './read.js'
import { openBundle } from './shared-bundle.js'
import { openShared, type SharedContent } from './shared-file.js'
import { type Walk, type WalkOptions, walk } from './walk.js'

export interface OfferingOptions extends WalkOptions {
  /** What others find it by; by default the name of the path, `NAME+2` for three paths. */
  readonly name?: string | undefined
}

export interface Offering {
  readonly content: SharedContent
  /** Paths of links and of what is no file and no folder. */
  readonly leftOut: readonly string[]
}

/**
 * Opens what `peer-udp share` offers, and hashes it whole.
 *
 * @param paths one or more
 * @throws UsageError for a bad name; FileError where something can't be read or sent, or changes meanwhile
 */
export async function openOffering(
  paths: readonly string[],
  digests: Digests,
  options: OfferingOptions = {},
): Promise<Offering> {
  const [first] = paths
  assert(first !== undefined, 'there is something to offer')
  const name = options.name ?? nameOf(paths)
  if (options.name !== undefined && !isName(name)) {
    throw new UsageError(
      `${JSON.stringify(name)} can't be the name: 1 to ${NAME_BYTES_MAX} octets, no slash, no line break`,
    )
  }
  const walked = await walk(paths, options)
  if (await isPlain(walked)) {
    await closeAll(walked.bases.values())
    return { content: await openShared(first, digests, name), leftOut: [] }
  }
  return { content: await openBundle(name, walked, digests), leftOut: walked.leftOut }
}

function nameOf(paths: readonly string[]): string {
  const name = basename(resolve(paths[0]!))
  return paths.length === 1 ? name : `${name}+${paths.length - 1}`
}

/** One file that has nothing a plain content can't say, and doesn't look like a bundle itself. */
async function isPlain({ entries, bases }: Walk): Promise<boolean> {
  const [entry] = entries
  if (entries.length !== 1 || entry?.kind !== 'file' || entry.isExecutable) return false
  const handle = await bases.get(entry.path)!.openFile(entry.path, constants.O_RDONLY)
  try {
    const head = new Uint8Array(HEAD_BYTES)
    const got = await readFully(handle, head, 0)
    return readHead(head.subarray(0, got), entry.size).kind === 'file'
  } finally {
    await handle.close()
  }
}

async function closeAll(folders: Iterable<Folder>): Promise<void> {
  for (const folder of folders) await folder.close()
}
