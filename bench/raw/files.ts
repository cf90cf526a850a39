// The file that is moved, in a folder of its own that goes with it.
import { createCipheriv, createHash } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'

const PIECE = 8 * 1024 * 1024

export interface Files {
  readonly folder: string
  readonly shared: string
  /** Where a collector looks for a copy of its own, and finds none. */
  readonly lacking: string
  readonly size: number
  readonly sha256: string
  /** Where profiles of that kind of process go. */
  profiles(kind: string): string
  remove(): Promise<void>
}

/** Octets that look random, the same each time. */
export async function makeFiles(parent: string, size: number): Promise<Files> {
  const folder = mkdtempSync(join(parent, 'peer-udp-raw-'))
  const shared = join(folder, 'shared.bin')
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16))
  const hash = createHash('sha256')
  const file = await open(shared, 'w')
  for (let at = 0; at < size; at += PIECE) {
    const piece = cipher.update(Buffer.alloc(Math.min(PIECE, size - at)))
    hash.update(piece)
    await file.write(piece)
  }
  await file.close()
  await mkdir(join(folder, 'lacking'))
  return {
    folder,
    shared,
    lacking: join(folder, 'lacking', 'shared.bin'),
    size,
    sha256: hash.digest('hex'),
    profiles: kind => join(folder, `profile-${kind}`),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
