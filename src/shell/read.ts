import type { FileHandle } from 'node:fs/promises'

/** @returns how many octets came before the file's end: fewer than asked for where it is shorter */
export async function readFully(handle: FileHandle, into: Uint8Array, position: number): Promise<number> {
  let got = 0
  while (got < into.length) {
    const { bytesRead } = await handle.read(into, got, into.length - got, position + got)
    if (bytesRead === 0) return got
    got += bytesRead
  }
  return got
}
