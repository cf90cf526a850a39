// What is in a content, without its files.
import type { Bitmap } from '../content/bitmap.js'
import type { Entry } from '../content/manifest.js'
import { systemDigests } from '../shell/entropy.js'
import { openOffering } from '../shell/offering.js'
import { SharedBundle } from '../shell/shared-bundle.js'
import type { Offer } from '../wire/message.js'
import { readContents } from './contents.js'
import { TransferError } from './errors.js'
import type { GetContext } from './get.js'
import { offeringOptions, type ShareOptions } from './share-options.js'

export interface Listing {
  /** The root, in hexadecimal. */
  readonly id: string
  readonly name: string
  /** Octets of the content; of a bundle the manifest's too. */
  readonly bytes: number
  /** A plain file has one entry: itself, by the name of the offer. */
  readonly kind: 'file' | 'bundle'
  /** Each folder before what is in it. */
  readonly entries: readonly ListedEntry[]
}

export interface ListedEntry {
  readonly kind: 'folder' | 'file'
  readonly path: string
  /** Octets; 0 for a folder. */
  readonly bytes: number
  readonly isExecutable: boolean
  /** Root of the file alone, in hexadecimal; undefined for a folder. */
  readonly id: string | undefined
}

/** @throws ContentError; TransferError; what `signal` was aborted with */
export async function runLook(offer: Offer, context: GetContext, signal: AbortSignal): Promise<Listing> {
  const { kind, manifest } = await readContents(offer, async (blocks: Bitmap, target) => {
    const { failure, fragments } = await context.fetch({ offer, blocks, restart: true, target }, signal, () => {})
    if (failure !== undefined) throw new TransferError(failure)
    return fragments
  })
  return listingOf(offer, kind, manifest.entries)
}

/**
 * What files and folders on this disk would be shared as, without sharing them. Each octet is read once for that.
 *
 * @throws UsageError; FileError
 */
export async function identify(paths: readonly string[], options: ShareOptions = {}): Promise<Listing> {
  const { content } = await openOffering(paths, systemDigests, offeringOptions(options))
  await content.close()
  const { offer } = content
  if (content instanceof SharedBundle) return listingOf(offer, 'bundle', content.manifest.entries)
  return listingOf(offer, 'file', [{ kind: 'file', path: offer.name, isExecutable: false, ...offer }])
}

function listingOf({ name, size, root }: Offer, kind: Listing['kind'], entries: readonly Entry[]): Listing {
  return { id: hex(root), name, bytes: size, kind, entries: entries.map(listed) }
}

function listed(entry: Entry): ListedEntry {
  const { kind, path } = entry
  if (kind === 'folder') return { kind, path, bytes: 0, isExecutable: false, id: undefined }
  return { kind, path, bytes: entry.size, isExecutable: entry.isExecutable, id: hex(entry.root) }
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex')
}
