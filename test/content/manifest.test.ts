// src/content/manifest.ts and src/content/bundle.ts against spec/manifest.md, its vectors, and octets that nobody meant to send.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { blocksOf, piecesOf } from '../../src/content/bundle.js'
import {
  DEPTH_MAX,
  decodeManifest,
  ENTRIES_MAX,
  type Entry,
  encodeManifest,
  HEAD_BYTES,
  MANIFEST_BYTES_MAX,
  type Malformed,
  type Manifest,
  type ManifestFault,
  PATH_BYTES_MAX,
  PATHS_BYTES_MAX,
  readHead,
  sorted,
} from '../../src/content/manifest.js'
import { BLOCK_BYTES, NAME_BYTES_MAX } from '../../src/wire/layout.js'
import { isName } from '../../src/wire/name.js'
import { octetsOf } from '../wire/vectors.js'

const SEED = Number(process.env.PEER_UDP_SEED ?? 20_021)
const MUTATED = 60_000

interface Vector {
  readonly name: string
  readonly octets: Uint8Array
  /** Of the content. */
  readonly size: number
}

const vectors = readVectors()

t.test('every valid vector gives its entries, and they give its octets', async t => {
  for (const { name, octets, size, entries } of vectors.valid) {
    const read = decoded(octets, size)
    t.strictSame(read.entries.map(unplaced), entries, name)
    t.strictSame(encodeManifest(entries.toReversed()), octets, `${name}: back, from any order`)
    t.equal(read.headBytes, octets.length)
  }
})

t.test('every malformed vector gives the reason that the spec states', async t => {
  for (const { name, octets, size, reason } of vectors.malformed) {
    t.strictSame(decodeManifest(octets, size), { kind: 'malformed', reason }, name)
  }
})

t.test('every prefix of a manifest is a plain file, truncated, or of the wrong length', async t => {
  for (const { name, octets, size } of vectors.valid) {
    const reasons = new Set<string>()
    for (let length = 0; length < octets.length; length++) {
      const prefix = octets.subarray(0, length)
      const head = readHead(prefix, length)
      const read = decodeManifest(prefix, size)
      reasons.add(`${head.kind === 'malformed' ? head.reason : head.kind}, ${'kind' in read ? read.reason : 'read'}`)
    }
    t.strictSame([...reasons], ['file, magic', 'truncated, truncated', 'length, truncated'], name)
  }
})

t.test('a content that begins otherwise is a plain file', async t => {
  t.strictSame(readHead(new Uint8Array(0), 0), { kind: 'file' })
  t.strictSame(readHead(Buffer.from('peer-udp bundle and more than a head'), 36), { kind: 'file' })
})

t.test('the paths of a manifest are bounded all together', async t => {
  // Sixteen folders of the longest names, and as many empty ones below them as it takes: 4 octets an entry, 4 kB a path.
  const folders = Array.from({ length: 15 }, (_, depth) =>
    Array.from({ length: depth + 1 }, () => 'p'.repeat(255)).join('/'),
  )
  const bottom = folders.at(-1)!
  const names = Array.from({ length: 17_500 }, (_, i) => `${bottom}/${i.toString(36)}`)
  const entries = [...folders, ...names].map(path => ({ kind: 'folder', path }) as const)
  t.strictSame(encodeManifest(entries), { kind: 'malformed', reason: 'paths' })
  t.ok(encodeManifest(entries.slice(0, 17_000)) instanceof Uint8Array)
})

t.test('what a bundle can not hold is said, not written', async t => {
  const folder = (path: string) => ({ kind: 'folder', path }) as const
  const many = Array.from({ length: ENTRIES_MAX + 1 }, (_, i) => folder(`${i}`))
  const long = Array.from({ length: 131_000 }, (_, i) => folder(`${i}`.padEnd(255, 'x')))
  const deep = Array.from({ length: 300 }, (_, i) => folder('d/'.repeat(i).concat('d')))
  const file = { kind: 'file', path: 'f', isExecutable: false, size: 2 ** 40, root: new Uint8Array(32) } as const
  for (const [entries, reason] of [
    [[], 'count'],
    [many, 'count'],
    [long, 'length'],
    [deep, 'depth'],
    [[file], 'size'],
  ] as const) {
    t.strictSame(encodeManifest(entries), { kind: 'malformed', reason })
  }
  t.ok(encodeManifest(many.slice(1)) instanceof Uint8Array)
})

t.test('any octets give a manifest that is written the same again, or a reason', async t => {
  const random = randomFrom(SEED)
  const seeds = [...vectors.valid, ...vectors.malformed].filter(({ octets }) => octets.length < 600)
  const met = new Map<string, number>()
  for (let run = 0; run < MUTATED; run++) {
    const { octets, size } = mutated(seeds[random(seeds.length)]!, random)
    const read = decodeManifest(octets, size)
    const fault = faultOf(read, octets, size)
    if (fault !== undefined) {
      t.fail(`${fault}: PEER_UDP_SEED=${SEED}, run ${run}: ${Buffer.from(octets).toString('hex')}`)
      return
    }
    const kind = 'kind' in read ? read.reason : 'manifest'
    met.set(kind, (met.get(kind) ?? 0) + 1)
  }
  // The two rules that only long paths break are met by the vectors and by the test above.
  const expected: readonly (ManifestFault | 'manifest')[] = [
    ...(['magic', 'version', 'length', 'count', 'truncated', 'kind', 'name', 'depth', 'order', 'size'] as const),
    'manifest',
  ]
  for (const kind of expected) t.ok((met.get(kind) ?? 0) > 50, `${kind} was met: ${met.get(kind)}`)
})

t.test(
  'a bundle divides into pieces of its files, without gap or overlap, and into the blocks that hold them',
  async () => {
    const sizes = fc.array(fc.oneof(fc.constant(0), fc.nat(300), fc.nat(3 * BLOCK_BYTES)), {
      minLength: 1,
      maxLength: 12,
    })
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), fc.array(fc.nat(11)), (sizes, a, b, picked) => {
        const manifest = manifestOf(sizes)
        const [start, end] = [a % (manifest.size + 1), b % (manifest.size + 1)].sort((x, y) => x - y) as [
          number,
          number,
        ]
        let octet = Math.max(start, manifest.headBytes)
        for (const { file, offset, length, at } of piecesOf(manifest, start, end)) {
          const { start: fileStart, size } = manifest.files[file]!
          if (fileStart + offset !== octet || start + at !== octet || length < 1 || offset + length > size) {
            throw new Error(`a piece of file ${file} at ${octet}`)
          }
          octet += length
        }
        if (octet !== Math.max(end, manifest.headBytes)) throw new Error(`the pieces end at ${octet}`)
        const files = picked.filter(file => file < sizes.length)
        const blocks = blocksOf(manifest, files)
        for (let block = 0; block < blocks.size; block++) {
          const inside = piecesOf(manifest, block * BLOCK_BYTES, Math.min((block + 1) * BLOCK_BYTES, manifest.size))
          if (blocks.has(block) !== inside.some(piece => files.includes(piece.file))) throw new Error(`block ${block}`)
        }
      }),
    )
  },
)

t.test('entries are ordered by the octets of their names, folder by folder', async t => {
  const paths = ['b', 'a-b', 'a/z', 'a/é', 'a', 'a/z/～', 'a/z/😀']
  t.strictSame(
    sorted(paths.map(path => ({ path }))).map(({ path }) => path),
    ['a', 'a/z', 'a/z/～', 'a/z/😀', 'a/é', 'a-b', 'b'],
  )
})

t.test('spec/manifest.md states the limits and the reasons as they are', async t => {
  const spec = readFileSync('spec/manifest.md', 'utf8')
  for (const limit of [ENTRIES_MAX, MANIFEST_BYTES_MAX, PATH_BYTES_MAX, PATHS_BYTES_MAX, HEAD_BYTES, DEPTH_MAX - 1]) {
    t.match(spec, new RegExp(`\\b${limit}\\b`), `${limit}`)
  }
  for (const { reason } of vectors.malformed) t.match(spec, `\`${reason}\``)
})

function readVectors() {
  const read = JSON.parse(readFileSync('spec/vectors/manifest.json', 'utf8'), (key, value) =>
    key === 'root' ? octetsOf(value) : value,
  )
  const withOctets = <More>(vector: Vector & More & { readonly hex: string }) => {
    const { hex, ...rest } = vector
    return { ...rest, octets: octetsOf(hex) }
  }
  return {
    valid: read.valid.map(withOctets) as readonly (Vector & { readonly entries: readonly Entry[] })[],
    malformed: read.malformed.map(withOctets) as readonly (Vector & { readonly reason: ManifestFault })[],
  }
}

function decoded(octets: Uint8Array, size: number): Manifest {
  const read = decodeManifest(octets, size)
  if ('kind' in read) throw new Error(`malformed: ${read.reason}`)
  return read
}

function manifestOf(sizes: readonly number[]): Manifest {
  const entries = sizes.map((size, i) => {
    const path = String.fromCharCode(97 + i)
    return { kind: 'file', path, isExecutable: false, size, root: new Uint8Array(32) } as const
  })
  const octets = encodeManifest(entries) as Uint8Array
  return decoded(
    octets,
    sizes.reduce((sum, size) => sum + size, octets.length),
  )
}

function unplaced(entry: Manifest['entries'][number]): Entry {
  if (entry.kind === 'folder') return entry
  const { start, ...file } = entry
  return file
}

/** What is wrong with what was read; undefined where nothing is. */
function faultOf(read: Manifest | Malformed, octets: Uint8Array, size: number): string | undefined {
  if ('kind' in read) return undefined
  const again = encodeManifest(read.entries.map(unplaced))
  if (!(again instanceof Uint8Array) || Buffer.compare(again, octets.subarray(0, again.length)) !== 0)
    return 'not the same again'
  if (read.headBytes + read.files.reduce((sum, file) => sum + file.size, 0) !== size) return 'the sizes do not add up'
  const folders = new Set(read.entries.filter(({ kind }) => kind === 'folder').map(({ path }) => path))
  for (const { path } of read.entries) {
    if (!path.split('/').every(isName)) return `a path that leads elsewhere: ${path}`
    if (path.includes('/') && !folders.has(path.slice(0, path.lastIndexOf('/')))) return `${path} lies in no folder`
  }
  return undefined
}

/** A vector with some octets changed, cut or doubled, and sometimes another size of the content. */
function mutated({ octets, size }: Vector, random: (below: number) => number): Vector {
  let changed = Uint8Array.from(octets)
  for (let i = random(4); i > 0; i--) {
    const at = random(changed.length)
    const length = random(50)
    if (random(6) > 0) changed[at] = random(3) === 0 ? random(256) : random(5)
    else if (random(2) === 0) changed = changed.slice(0, at)
    else changed = Uint8Array.from([...changed.subarray(0, at + length), ...changed.subarray(at)])
    if (changed.length === 0) break
  }
  if (random(3) > 0 && changed.length > HEAD_BYTES) {
    new DataView(changed.buffer).setUint32(17, changed.length - HEAD_BYTES)
  }
  return {
    name: '',
    octets: changed,
    size: random(8) === 0 ? random(NAME_BYTES_MAX) : size + changed.length - octets.length,
  }
}

function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
