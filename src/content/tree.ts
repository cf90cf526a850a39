// The hash tree over the blocks of a file: its root is the file's identity, its leaves verify blocks one by one.
// spec/content.md states the construction with worked examples.
//
// Hashes travel in pages: a page holds the hashes of the nodes TREE_PAGE_HEIGHTS below one node. So only the nodes at
// heights 0, 5, 10, ... are stored: 33 octets a block with all of them, 0.05 % of the file.
import type { Digests } from '../ambient.js'
import { assert, InvariantError } from '../errors.js'
import { type BlockIndex, blockIndex } from '../units.js'
import { HASH_BYTES, TREE_PAGE_HASHES_MAX, TREE_PAGE_HEIGHTS } from '../wire/layout.js'
import type { TreePage } from '../wire/message.js'
import { FileLayout } from './layout.js'

const LEAF = Uint8Array.of(0x00)
const NODE = Uint8Array.of(0x01)
const ROOT = Uint8Array.of(0x02)
const NO_BLOCKS = new Uint8Array(HASH_BYTES)
const SIZE_BYTES = 8

/** What a peer that serves a file answers from. */
export interface HashTree {
  /** Octets of the file. */
  readonly size: number
  readonly root: Uint8Array
  /** The hash of a block; undefined while unknown. A view: don't write to it. */
  leaf(block: BlockIndex): Uint8Array | undefined
  /** The hashes of a page, one after the other; undefined while unknown, or where the tree has no such page. A view. */
  page(height: number, index: number): Uint8Array | undefined
}

/** The hash of a block's octets. @param data 1 to BLOCK_BYTES octets */
export function leafHash(digests: Digests, data: Uint8Array): Uint8Array {
  return digests.sha256(LEAF, data)
}

/** The tree of a file that was read whole. */
export class FullTree implements HashTree {
  readonly size: number
  readonly root: Uint8Array
  readonly #shape: PageShape
  /** Hashes of all nodes at height 0, 5, 10, ..., as far as `PageShape` goes. */
  readonly #levels: Uint8Array[]

  /** @param leaves the leaf hashes of all blocks, in order; kept, not copied */
  constructor(digests: Digests, size: number, leaves: Uint8Array) {
    this.size = size
    this.#shape = new PageShape(size)
    assert(leaves.length === new FileLayout(size).blockCount * HASH_BYTES, 'one leaf hash a block')
    this.#levels = [leaves]
    for (let level = 1; level < this.#shape.levels; level++) {
      this.#levels.push(this.#nodesAbove(digests, level))
    }
    const top = this.page(this.#shape.topHeight, 0)
    this.root = rootOf(digests, size, top === undefined ? NO_BLOCKS : nodeAbove(digests, top))
  }

  leaf(block: BlockIndex): Uint8Array | undefined {
    return hashAt(this.#levels[0]!, block)
  }

  page(height: number, index: number): Uint8Array | undefined {
    if (!this.#shape.has(height, index)) return undefined
    const start = index * TREE_PAGE_HASHES_MAX * HASH_BYTES
    return this.#levels[levelBelow(height)]!.subarray(start, start + this.#shape.hashes(height, index) * HASH_BYTES)
  }

  #nodesAbove(digests: Digests, level: number): Uint8Array {
    const nodes = new Uint8Array(this.#shape.nodes(level) * HASH_BYTES)
    for (let i = 0; i < this.#shape.nodes(level); i++) {
      nodes.set(nodeAbove(digests, this.page(level * TREE_PAGE_HEIGHTS, i)!), i * HASH_BYTES)
    }
    return nodes
  }
}

/**
 * The tree of a file of which only size and root are known at first. A page is taken when its hashes lead to a hash
 * known already, so the pages come from the top down. Memory is taken for pages that were verified, never for a claimed size.
 */
export class PartialTree implements HashTree {
  readonly size: number
  readonly root: Uint8Array
  readonly #digests: Digests
  readonly #shape: PageShape
  readonly #whole: FullTree | undefined
  /** By level and index: the pages that were verified. */
  readonly #pages: readonly Map<number, Uint8Array>[]

  /** @param whole the same file's whole tree, where there is one: then every page is known */
  constructor(digests: Digests, size: number, root: Uint8Array, whole?: FullTree) {
    this.size = size
    this.root = root
    this.#digests = digests
    this.#shape = new PageShape(size)
    this.#whole = whole
    this.#pages = Array.from({ length: this.#shape.levels }, () => new Map())
  }

  static fromFull(digests: Digests, tree: FullTree): PartialTree {
    return new PartialTree(digests, tree.size, tree.root, tree)
  }

  /**
   * Takes a page if its hashes are those of this tree.
   *
   * @param hashes copied
   * @returns false where they are not, where the tree has no such page, and where the page above is not known yet
   */
  verifyPage(height: number, index: number, hashes: Uint8Array): boolean {
    if (!this.#shape.has(height, index) || hashes.length !== this.#shape.hashes(height, index) * HASH_BYTES)
      return false
    const known = this.page(height, index)
    if (known !== undefined) return sameOctets(known, hashes)
    if (!this.#leadsToKnown(height, index, hashes)) return false
    // Not `slice`: on Node's Buffer, which a datagram is, that gives a view and no copy.
    this.#pages[levelBelow(height)]!.set(index, new Uint8Array(hashes))
    return true
  }

  /** Whether `verifyPage` can tell a true page from a false one: the tree has it, and the page above is known. */
  canVerify(height: number, index: number): boolean {
    if (!this.#shape.has(height, index)) return false
    return height === this.#shape.topHeight || this.isKnownPage(height + TREE_PAGE_HEIGHTS, pageAbove(index))
  }

  isKnownPage(height: number, index: number): boolean {
    return this.page(height, index) !== undefined
  }

  /** The next page to fetch on the way to a block's leaf hash: the highest that is missing; undefined when it is known. */
  pageFor(block: BlockIndex): TreePage | undefined {
    if (block < 0 || block >= this.#shape.nodes(0)) throw new InvariantError(`block ${block} of the tree`)
    if (this.leaf(block) !== undefined) return undefined
    for (let height = this.#shape.topHeight; height > 0; height -= TREE_PAGE_HEIGHTS) {
      const index = block >>> height
      if (!this.isKnownPage(height, index)) return { height, index }
    }
    return undefined
  }

  /** All pages on the way to a block's leaf hash, from the top down. */
  pagesTo(block: BlockIndex): readonly TreePage[] {
    assert(block >= 0 && block < this.#shape.nodes(0), `block ${block} of the tree`)
    return Array.from({ length: this.#shape.levels }, (_, level) => {
      const height = this.#shape.topHeight - level * TREE_PAGE_HEIGHTS
      return { height, index: block >>> height }
    })
  }

  leaf(block: BlockIndex): Uint8Array | undefined {
    const page = this.page(TREE_PAGE_HEIGHTS, pageAbove(block))
    return page === undefined ? undefined : hashAt(page, blockIndex(block % TREE_PAGE_HASHES_MAX))
  }

  page(height: number, index: number): Uint8Array | undefined {
    if (this.#whole !== undefined) return this.#whole.page(height, index)
    return this.#shape.has(height, index) ? this.#pages[levelBelow(height)]!.get(index) : undefined
  }

  #leadsToKnown(height: number, index: number, hashes: Uint8Array): boolean {
    const node = nodeAbove(this.#digests, hashes)
    if (height === this.#shape.topHeight) return sameOctets(rootOf(this.#digests, this.size, node), this.root)
    const above = this.page(height + TREE_PAGE_HEIGHTS, pageAbove(index))
    return above !== undefined && sameOctets(hashAt(above, index % TREE_PAGE_HASHES_MAX)!, node)
  }
}

/**
 * Which pages the tree of a file of one size has. Level l holds the nodes at height l * TREE_PAGE_HEIGHTS; the pages at
 * height (l + 1) * TREE_PAGE_HEIGHTS hold them. The page at the greatest height is the only one there, and its node is the tree's root.
 */
class PageShape {
  /** Of the page whose node is the tree's root; 0 for the empty file, which has no pages. */
  readonly topHeight: number
  readonly #counts: number[] = []

  constructor(size: number) {
    let count = new FileLayout(size).blockCount
    if (count > 0) this.#counts.push(count)
    while (count > TREE_PAGE_HASHES_MAX) {
      count = Math.ceil(count / TREE_PAGE_HASHES_MAX)
      this.#counts.push(count)
    }
    this.topHeight = this.#counts.length * TREE_PAGE_HEIGHTS
  }

  get levels(): number {
    return this.#counts.length
  }

  nodes(level: number): number {
    return this.#counts[level] ?? 0
  }

  has(height: number, index: number): boolean {
    if (height <= 0 || height > this.topHeight || height % TREE_PAGE_HEIGHTS !== 0 || index < 0) return false
    return index * TREE_PAGE_HASHES_MAX < this.nodes(levelBelow(height))
  }

  /** How many hashes a page has: TREE_PAGE_HASHES_MAX, the last at its height what is left. */
  hashes(height: number, index: number): number {
    return Math.min(TREE_PAGE_HASHES_MAX, this.nodes(levelBelow(height)) - index * TREE_PAGE_HASHES_MAX)
  }
}

function levelBelow(height: number): number {
  return height / TREE_PAGE_HEIGHTS - 1
}

/** The index of the page that holds the hash of node `index`. */
function pageAbove(index: number): number {
  return Math.floor(index / TREE_PAGE_HASHES_MAX)
}

function hashAt(hashes: Uint8Array, index: number): Uint8Array | undefined {
  const start = index * HASH_BYTES
  return start < 0 || start >= hashes.length ? undefined : hashes.subarray(start, start + HASH_BYTES)
}

/**
 * The hash of the node above a page's hashes: paired from the left until one is left, an odd last one goes up as it is.
 * A page starts at a multiple of TREE_PAGE_HASHES_MAX, so these are the pairs of the whole tree.
 */
function nodeAbove(digests: Digests, page: Uint8Array): Uint8Array {
  let hashes = Array.from({ length: page.length / HASH_BYTES }, (_, i) => hashAt(page, i)!)
  while (hashes.length > 1) {
    const above: Uint8Array[] = []
    for (let i = 0; i < hashes.length; i += 2) {
      const right = hashes[i + 1]
      above.push(right === undefined ? hashes[i]! : digests.sha256(NODE, hashes[i]!, right))
    }
    hashes = above
  }
  return hashes[0]!
}

/** Binds the size to the tree: one tree can't pass for that of another size. */
function rootOf(digests: Digests, size: number, treeRoot: Uint8Array): Uint8Array {
  const octets = new Uint8Array(SIZE_BYTES)
  new DataView(octets.buffer).setBigUint64(0, BigInt(size))
  return digests.sha256(ROOT, octets, treeRoot)
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i])
}
