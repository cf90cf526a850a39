// What the transfer machines order and tell; each is also an effect of the host (host/contract.ts says what answers it).
import type { Endpoint } from '../endpoint.js'
import type { BlockIndex, Instant } from '../units.js'
import type { FragmentReport, TransferFailure, TransferProgress } from './report.js'

/** How it is seen to that a block is what was offered: by its hash, or by the times of its file. */
export type BlockCheck = 'hash' | 'times'

export type TransferEffect =
  | {
      readonly kind: 'read-block'
      readonly file: number
      readonly block: BlockIndex
      readonly check: BlockCheck
      /** BLOCK_BYTES of memory, the reader's until the answer. */
      readonly into: Uint8Array
    }
  | { readonly kind: 'find-target' }
  | { readonly kind: 'prepare-target'; readonly size: number; readonly keep: boolean }
  | {
      readonly kind: 'read-target'
      readonly block: BlockIndex
      readonly leaf: Uint8Array
      /** BLOCK_BYTES where its octets may go; undefined: into memory of their own. */
      readonly into?: Uint8Array | undefined
      /** Whose target it is, where it is not a collector that reads its own. */
      readonly fetch?: number | undefined
    }
  | {
      readonly kind: 'store-block'
      readonly block: BlockIndex
      readonly data: Uint8Array
      /** What it must hash to; undefined: that has been seen to. */
      readonly leaf: Uint8Array | undefined
    }
  | { readonly kind: 'flush-target'; readonly journal: Uint8Array; readonly at: number }
  | { readonly kind: 'finish-target' }

/** What became of a block: nothing of a bad one, which is not what its leaf hash says, was written; `error` is the disk's, for people. */
export type Stored = 'stored' | 'bad' | { readonly error: string }

/** Where effects go: a host's own list takes them among its others. */
export interface EffectSink {
  push(effect: TransferEffect): unknown
}

/** What an earlier run left where a collector writes. */
export interface FoundPart {
  /** Octets of `NAME.part`. */
  readonly bytes: number
  /** As much of its journal as may be there; undefined: none. */
  readonly journal: Uint8Array | undefined
  /** Milliseconds from the last change of the journal to that of the part; below 0 where the journal was changed last. */
  readonly changedAfter: number
}

export type CollectorEvent =
  /** What an earlier run left is gone on with, or dropped: `dropped` says why, for people. */
  | { readonly kind: 'resumed'; readonly bytes: number; readonly dropped: string | undefined }
  | { readonly kind: 'progress'; readonly progress: TransferProgress }
  /** This peer is needed no more: it is to be told so. */
  | { readonly kind: 'dismissed'; readonly to: Endpoint; readonly session: bigint }
  | { readonly kind: 'path-lost'; readonly endpoint: Endpoint; readonly why: string }
  | {
      readonly kind: 'finished'
      readonly failure: TransferFailure | undefined
      readonly fragments: readonly FragmentReport[]
    }

/** One input to a collector: when it comes, and where its consequences go. */
export interface Turn {
  readonly now: Instant
  readonly effects: EffectSink
  readonly events: CollectorEvent[]
}
