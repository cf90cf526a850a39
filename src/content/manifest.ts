// A bundle: folders and files as one content under one root. Its octets are the manifest, then those of its files one after
// the other, in the manifest's order and without a gap, so that fetching many small files is fetching one content, and picking
// some of them is fetching some of its blocks. spec/manifest.md states the format and its reasons.
//
// What a remote host sent is read here: whatever breaks a rule is a `Malformed`; nothing throws, and nothing is
// allocated by a number that was not checked against the octets that are there.
import { assert } from '../errors.js'
import { FILE_BYTES_MAX, HASH_BYTES } from '../wire/layout.js'
import { isName, nameOctets, nameText } from '../wire/name.js'

/** 0x89 and 'peer-udp bundle': no text and no other format begins so. */
const MAGIC = Uint8Array.from('\x89peer-udp bundle', character => character.charCodeAt(0))
const VERSION = 1
const VERSION_AT = 16 // u8
const LENGTH_AT = 17 // u32 octets of all entries
const COUNT_AT = 21 // u32 entries
/** The head of a manifest; the entries follow. */
export const HEAD_BYTES = 25
// An entry: u8 kind, u8 depth (0 = at the top), u8 octets of the name, the name; for files u64 size, 32 octets of root.
const KIND = { FOLDER: 0, FILE: 1, EXECUTABLE: 2 } as const
const ENTRY_NAME_AT = 3
const ENTRY_BYTES_MIN = 4
const SIZE_BYTES = 8

/** More than these: pack them into one file. */
export const ENTRIES_MAX = 262_144
/** With the head; 128 octets for each entry. */
export const MANIFEST_BYTES_MAX = 33_554_432
export const DEPTH_MAX = 128
/** A path with its separators: PATH_MAX of Linux. */
export const PATH_BYTES_MAX = 4_096
/** All paths together: short entries deep down could stand for gigabytes of them. */
export const PATHS_BYTES_MAX = 67_108_864

export interface FolderEntry {
  readonly kind: 'folder'
  /** Names with `/` between them; never begins or ends with one. */
  readonly path: string
}

export interface FileEntry {
  readonly kind: 'file'
  readonly path: string
  readonly isExecutable: boolean
  /** Octets. */
  readonly size: number
  /** Of the file alone, as if it were a content of its own (spec/content.md). */
  readonly root: Uint8Array
}

export type Entry = FolderEntry | FileEntry

/** A file at its place in the bundle. */
export interface PlacedFile extends FileEntry {
  /** Octets from the start of the bundle. */
  readonly start: number
}

export interface Manifest {
  /** Each folder before what is in it; what is in one folder in the order of the names' octets. */
  readonly entries: readonly (FolderEntry | PlacedFile)[]
  /** Those of `entries` that are files, in their order, which is that of their octets in the bundle. */
  readonly files: readonly PlacedFile[]
  /** Octets of the manifest: where the files begin. */
  readonly headBytes: number
  /** Octets of the whole bundle. */
  readonly size: number
}

/** Why octets are no manifest; each is one rule of spec/manifest.md. */
export type ManifestFault =
  | 'magic'
  | 'version'
  | 'length'
  | 'count'
  | 'truncated'
  | 'kind'
  | 'name'
  | 'depth'
  | 'order'
  | 'path'
  | 'paths'
  | 'size'

export interface Malformed {
  readonly kind: 'malformed'
  readonly reason: ManifestFault
}

/** What a content is, as its first octets tell. */
export type Head =
  | { readonly kind: 'file' }
  /** `headBytes` octets are the manifest. */
  | { readonly kind: 'bundle'; readonly headBytes: number; readonly count: number }
  | Malformed

/**
 * What a content is.
 *
 * @param octets its first HEAD_BYTES or more; all of it where it is shorter
 * @param size octets of the whole content
 */
export function readHead(octets: Uint8Array, size: number): Head {
  if (octets.length < MAGIC.length || MAGIC.some((octet, i) => octet !== octets[i])) return { kind: 'file' }
  if (octets.length < HEAD_BYTES) return malformed('truncated')
  if (octets[VERSION_AT] !== VERSION) return malformed('version')
  const view = viewOf(octets)
  const headBytes = HEAD_BYTES + view.getUint32(LENGTH_AT)
  const count = view.getUint32(COUNT_AT)
  if (headBytes > MANIFEST_BYTES_MAX || headBytes > size) return malformed('length')
  if (count === 0 || count > ENTRIES_MAX || count * ENTRY_BYTES_MIN > headBytes - HEAD_BYTES) return malformed('count')
  return { kind: 'bundle', headBytes, count }
}

/**
 * Reads a manifest.
 *
 * @param octets from the start of the bundle: `headBytes` of its `Head` or more; kept: the roots are views of them
 * @param size octets of the whole bundle
 */
export function decodeManifest(octets: Uint8Array, size: number): Manifest | Malformed {
  const head = readHead(octets, size)
  if (head.kind === 'malformed') return head
  if (head.kind === 'file') return malformed('magic')
  if (octets.length < head.headBytes) return malformed('truncated')
  return new Reader(octets.subarray(0, head.headBytes), size).read(head.count)
}

/**
 * Writes a manifest. The bundle is its octets, then those of the files in the order of `sorted(entries)`.
 *
 * @param entries in any order; each folder that something lies in is one of them, and every name is an `isName`
 * @returns which limit is broken where the entries are too many, too deep or too large
 */
export function encodeManifest(entries: readonly Entry[]): Uint8Array | Malformed {
  const inOrder = sorted(entries)
  const names = inOrder.map(({ path }) => nameOctets(path.slice(path.lastIndexOf('/') + 1)))
  const length = inOrder.reduce((sum, entry, i) => sum + entryBytes(entry, names[i]!), 0)
  if (inOrder.length === 0 || inOrder.length > ENTRIES_MAX) return malformed('count')
  if (HEAD_BYTES + length > MANIFEST_BYTES_MAX) return malformed('length')
  if (inOrder.some(({ path }) => depthOf(path) >= DEPTH_MAX)) return malformed('depth')
  const octets = new Uint8Array(HEAD_BYTES + length)
  const view = viewOf(octets)
  octets.set(MAGIC)
  octets[VERSION_AT] = VERSION
  view.setUint32(LENGTH_AT, length)
  view.setUint32(COUNT_AT, inOrder.length)
  let at = HEAD_BYTES
  let size = octets.length
  inOrder.forEach((entry, i) => {
    const name = names[i]!
    octets[at] = kindOf(entry)
    octets[at + 1] = depthOf(entry.path)
    octets[at + 2] = name.length
    octets.set(name, at + ENTRY_NAME_AT)
    at += ENTRY_NAME_AT + name.length
    if (entry.kind === 'folder') return
    view.setBigUint64(at, BigInt(entry.size))
    octets.set(entry.root, at + SIZE_BYTES)
    at += SIZE_BYTES + HASH_BYTES
    size += entry.size
  })
  if (size > FILE_BYTES_MAX) return malformed('size')
  const read = decodeManifest(octets, size)
  if (!('kind' in read)) return octets
  assert(read.reason === 'path' || read.reason === 'paths', `our own manifest breaks the rule "${read.reason}"`)
  return read
}

/** The order of a manifest. */
export function sorted<T extends { readonly path: string }>(entries: readonly T[]): T[] {
  // No name has a NUL: with it for `/`, what is in a folder follows the folder before any longer name does.
  const keyed = entries.map(entry => ({ entry, key: nameOctets(entry.path.replaceAll('/', '\0')) }))
  return keyed.sort((a, b) => compareOctets(a.key, b.key)).map(({ entry }) => entry)
}

/** One pass over the entries. */
class Reader {
  readonly #octets: Uint8Array
  readonly #view: DataView
  readonly #size: number
  readonly #entries: (FolderEntry | PlacedFile)[] = []
  readonly #files: PlacedFile[] = []
  /** By depth: the paths of the folders around what comes next, and the name that was read last there. */
  readonly #folders: string[] = []
  readonly #last: Uint8Array[] = []
  #at = HEAD_BYTES
  #start: number
  #pathsBytes = 0

  constructor(octets: Uint8Array, size: number) {
    this.#octets = octets
    this.#view = viewOf(octets)
    this.#size = size
    this.#start = octets.length
  }

  read(count: number): Manifest | Malformed {
    for (let i = 0; i < count; i++) {
      const fault = this.#readEntry()
      if (fault !== undefined) return malformed(fault)
    }
    if (this.#at !== this.#octets.length) return malformed('length')
    if (this.#start !== this.#size) return malformed('size')
    return { entries: this.#entries, files: this.#files, headBytes: this.#octets.length, size: this.#size }
  }

  #readEntry(): ManifestFault | undefined {
    const octets = this.#octets
    const nameAt = this.#at + ENTRY_NAME_AT
    if (nameAt > octets.length) return 'truncated'
    const kind = octets[this.#at]!
    const depth = octets[this.#at + 1]!
    const name = octets.subarray(nameAt, nameAt + octets[this.#at + 2]!)
    const behind = nameAt + octets[this.#at + 2]! + (kind === KIND.FOLDER ? 0 : SIZE_BYTES + HASH_BYTES)
    if (kind > KIND.EXECUTABLE) return 'kind'
    if (behind > octets.length) return 'truncated'
    if (depth >= DEPTH_MAX || depth > this.#folders.length) return 'depth'
    const text = nameText(name)
    if (!isName(text)) return 'name'
    // What is deeper belongs to another folder from here on.
    this.#folders.length = depth
    this.#last.length = Math.min(this.#last.length, depth + 1)
    const before = this.#last[depth]
    if (before !== undefined && compareOctets(before, name) >= 0) return 'order'
    this.#last[depth] = name
    const folder = this.#folders[depth - 1]
    const path = folder === undefined ? text : `${folder}/${text}`
    const pathBytes = this.#pathBytes(depth, name.length)
    if (pathBytes > PATH_BYTES_MAX) return 'path'
    this.#pathsBytes += pathBytes
    if (this.#pathsBytes > PATHS_BYTES_MAX) return 'paths'
    if (kind === KIND.FOLDER) {
      this.#folders.push(path)
      this.#entries.push({ kind: 'folder', path })
    } else {
      const size = this.#view.getBigUint64(behind - HASH_BYTES - SIZE_BYTES)
      if (size > FILE_BYTES_MAX || this.#start + Number(size) > this.#size) return 'size'
      this.#addFile(path, kind === KIND.EXECUTABLE, Number(size), octets.subarray(behind - HASH_BYTES, behind))
    }
    this.#at = behind
    return undefined
  }

  #addFile(path: string, isExecutable: boolean, size: number, root: Uint8Array): void {
    const file: PlacedFile = { kind: 'file', path, isExecutable, size, root, start: this.#start }
    this.#start += size
    this.#entries.push(file)
    this.#files.push(file)
  }

  /** Octets of the path of a name that lies at `depth`; the folders around it are in `#last`. */
  #pathBytes(depth: number, nameBytes: number): number {
    let bytes = nameBytes
    for (let i = 0; i < depth; i++) bytes += this.#last[i]!.length + 1
    return bytes
  }
}

function entryBytes(entry: Entry, name: Uint8Array): number {
  return ENTRY_NAME_AT + name.length + (entry.kind === 'folder' ? 0 : SIZE_BYTES + HASH_BYTES)
}

function kindOf(entry: Entry): number {
  if (entry.kind === 'folder') return KIND.FOLDER
  return entry.isExecutable ? KIND.EXECUTABLE : KIND.FILE
}

function depthOf(path: string): number {
  let depth = 0
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) depth++
  return depth
}

function compareOctets(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.length)
}

function malformed(reason: ManifestFault): Malformed {
  return { kind: 'malformed', reason }
}
