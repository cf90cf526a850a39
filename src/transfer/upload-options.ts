import type { HashTree } from '../content/tree.js'
import type { Endpoint } from '../endpoint.js'
import type { BlockCache } from './block-cache.js'
import type { Have } from './have.js'

export interface UploadOptions {
  readonly to: Endpoint
  readonly session: bigint
  readonly file: number
  readonly tree: HashTree
  /** What is there of a file that is being collected; undefined: all of it. */
  readonly have?: Have | undefined
  /** Of a file that is there: the blocks that somebody was asked to give, and so has, or will. */
  readonly given?: Have | undefined
  readonly cache: BlockCache
  /** Where this upload's clock has its zero: random, so that stamps prove receipt. */
  readonly clockZero: number
  /** UDP payload of the longest datagram that our own interface carries. */
  readonly datagramMax: number
  /** Milliseconds of the rate to be sent at once, at most; undefined: the pacer's own. */
  readonly burst?: number | undefined
  /** Others are served, too: it does not begin with trains, which would show it the whole link. */
  readonly hasRivals?: boolean
}
