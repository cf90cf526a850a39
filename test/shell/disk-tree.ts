// Trees of files on a real disk, for tests: made, and read back as one comparable value.
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** By path: octets of a file, `x:` and octets of an executable one; undefined for an empty folder. */
export type DiskTree = Readonly<Record<string, Uint8Array | string | undefined>>

const EXECUTABLE = 'x:'

/** Octets that are none of another seed's. */
export function someOctets(size: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8) * 13 + seed * 31) % 251)
}

export function writeTree(folder: string, tree: DiskTree): void {
  for (const [path, octets] of Object.entries(tree)) {
    const at = join(folder, path)
    mkdirSync(octets === undefined ? at : dirname(at), { recursive: true })
    if (octets === undefined) continue
    const isExecutable = typeof octets === 'string' && octets.startsWith(EXECUTABLE)
    writeFileSync(at, isExecutable ? octets.slice(EXECUTABLE.length) : octets)
    if (isExecutable) chmodSync(at, 0o755)
  }
}

/** Every path below a folder with its kind and content: folders, modes and links show as well. */
export function readTree(folder: string): Record<string, string> {
  const tree: Record<string, string> = {}
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const at = join(folder, path)
    const stats = lstatSync(at)
    if (stats.isSymbolicLink()) tree[path] = `link to ${readlinkSync(at)}`
    else if (stats.isDirectory()) tree[path] = 'folder'
    else tree[path] = `${(stats.mode & 0o111) === 0 ? 'file' : 'executable'} ${readFileSync(at).toString('base64')}`
  }
  return tree
}
