// What a content is: told by its first block, and by the rest of its manifest where that is longer.
import { Bitmap } from '../content/bitmap.js'
import { FileLayout } from '../content/layout.js'
import { decodeManifest, type Manifest, readHead } from '../content/manifest.js'
import type { FragmentReport } from '../transfer/report.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import type { Offer } from '../wire/message.js'
import { ContentError } from './errors.js'
import { MemoryTarget } from './memory-target.js'

export interface Contents {
  readonly kind: 'file' | 'bundle'
  /** Of a plain file: that file alone, called by the name of the offer. */
  readonly manifest: Manifest
  /** The blocks that were fetched for this. */
  readonly target: MemoryTarget
  readonly fragments: readonly FragmentReport[]
}

/** Fetches some blocks of a content into memory. */
export type FetchBlocks = (blocks: Bitmap, target: MemoryTarget) => Promise<readonly FragmentReport[]>

/** @throws ContentError where it is a bundle with a malformed manifest */
export async function readContents(offer: Offer, fetch: FetchBlocks): Promise<Contents> {
  const { blockCount } = new FileLayout(offer.size)
  const target = new MemoryTarget()
  const fragments: FragmentReport[] = []
  const fetchRange = async (first: number, end: number) => {
    const blocks = new Bitmap(blockCount)
    blocks.setRange(first, end)
    if (!blocks.isEmpty) fragments.push(...(await fetch(blocks, target)))
  }
  await fetchRange(0, Math.min(1, blockCount))
  const head = readHead(target.octets, offer.size)
  if (head.kind === 'malformed') throw new ContentError(offer.name, head.reason)
  if (head.kind === 'file') return { kind: 'file', manifest: plainManifest(offer), target, fragments }
  await fetchRange(1, Math.ceil(head.headBytes / BLOCK_BYTES))
  const manifest = decodeManifest(target.octets, offer.size)
  if ('kind' in manifest) throw new ContentError(offer.name, manifest.reason)
  return { kind: 'bundle', manifest, target, fragments }
}

/** A plain file as if it were a bundle without a head. */
function plainManifest({ name, size, root }: Offer): Manifest {
  const file = { kind: 'file', path: name, isExecutable: false, size, root, start: 0 } as const
  return { entries: [file], files: [file], headBytes: 0, size }
}
