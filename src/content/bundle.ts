// Where the files of a bundle lie in its octets, and so in its blocks.
import { BLOCK_BYTES } from '../wire/layout.js'
import { Bitmap } from './bitmap.js'
import { FileLayout } from './layout.js'
import type { Manifest } from './manifest.js'

/** A run of one file's octets within a range of the bundle. */
export interface Piece {
  /** Which of the manifest's files. */
  readonly file: number
  /** Octets from the start of the file. */
  readonly offset: number
  /** Octets, 1 or more. */
  readonly length: number
  /** Octets from the start of the range. */
  readonly at: number
}

/** What of which files lies in [start, end) of the bundle, in order; the manifest's own octets belong to no file. */
export function piecesOf({ files, headBytes }: Manifest, start: number, end: number): readonly Piece[] {
  const pieces: Piece[] = []
  let octet = Math.max(start, headBytes)
  // An empty file shares its start with the next one, and has no octets to give.
  for (let file = fileAt(files, octet); octet < end && file < files.length; file++) {
    const offset = octet - files[file]!.start
    const length = Math.min(end - octet, files[file]!.size - offset)
    if (length <= 0) continue
    pieces.push({ file, offset, length, at: octet - start })
    octet += length
  }
  return pieces
}

/** The blocks that hold some octet of the chosen files. @param files indices of the manifest's files */
export function blocksOf(manifest: Manifest, files: Iterable<number>): Bitmap {
  const blocks = new Bitmap(new FileLayout(manifest.size).blockCount)
  for (const file of files) {
    const { start, size } = manifest.files[file]!
    if (size > 0) blocks.setRange(Math.floor(start / BLOCK_BYTES), Math.ceil((start + size) / BLOCK_BYTES))
  }
  return blocks
}

/** The last file that starts at or before an octet; 0 where none does. */
function fileAt(files: Manifest['files'], octet: number): number {
  let low = 0
  let high = files.length
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (files[middle]!.start <= octet) low = middle
    else high = middle
  }
  return low
}
