// What a driver and a host say to each other. A host is all the machines of one process; production (shell/driver.ts)
// and the simulator (sim/world.ts) drive the same hosts by this contract and nothing else:
//
//   one turn = receive, or step for each input that came at once, then fill and send until the batch comes back empty,
//   then perform the effects in order, those that only report after all others, then arm one timer for deadline().
import type { Bitmap } from '../content/bitmap.js'
import type { FullTree, PartialTree } from '../content/tree.js'
import type { Endpoint } from '../endpoint.js'
import type { ListedPeer } from '../membership/listed-peer.js'
import type { BlockCheck, FoundPart, Stored } from '../transfer/effect.js'
import type { TransferProgress, TransferResult } from '../transfer/report.js'
import type { TraceLine } from '../transfer/trace.js'
import type { BlockIndex, Instant } from '../units.js'
import type { ReceiveBatch, SendBatch } from '../wire/batch.js'
import type { Reason } from '../wire/layout.js'
import type { Offer } from '../wire/message.js'

export interface Host {
  /** Takes the datagrams of one wake-up, which all came at `now`. */
  receive(batch: ReceiveBatch, now: Instant, effects: Effect[]): void
  /** Takes one input. @param now never earlier than in any previous call */
  step(input: Input, now: Instant, effects: Effect[]): void
  /** Appends datagrams that are due, until none is or the batch is full. */
  fill(batch: SendBatch, now: Instant): void
  /** When the host next wants a `tick` (and then a `fill`); `NEVER` if it waits for inputs only. */
  deadline(): Instant
  /** Counters for people and tests: datagrams dropped by reason, sent, received, caps that were hit. */
  counters(): Readonly<Record<string, number>>
}

/** Facts from outside the protocol: time passed, I/O ended, the operator spoke. */
export type Input =
  | { readonly kind: 'tick' }
  /** Leave politely, then report `stopped`. */
  | { readonly kind: 'stop' }
  /** Offer one more content. @param file the number of those before it */
  | { readonly kind: 'offer'; readonly file: FileKey; readonly offer: Offer; readonly tree: FullTree }
  /** Fetch a content into the target of that key, which is never used again. */
  | {
      readonly kind: 'fetch'
      readonly fetch: FetchKey
      readonly offer: Offer
      /** Which to fetch; undefined: all of them. */
      readonly blocks: Bitmap | undefined
      /** Whether others are served what is there; then the target can be read. No by default. */
      readonly serve?: Serve
      /** What is known of its hash tree already. */
      readonly tree?: PartialTree
      /** Blocks that the target has as soon as it is prepared; their hashes are known. */
      readonly given?: Bitmap
      /** Drop what an earlier run left. */
      readonly restart: boolean
    }
  /** Serve no more what a fetch left to be served. */
  | { readonly kind: 'withdraw'; readonly fetch: FetchKey }
  /** Give up a fetch; its result says so with `detail`. */
  | { readonly kind: 'cancel'; readonly fetch: FetchKey; readonly detail: string }
  /** `data` undefined: the block can't be read or no longer matches its hash; `why` says which, for people. */
  | {
      readonly kind: 'block-read'
      readonly file: FileKey
      readonly block: BlockIndex
      readonly data: Uint8Array | undefined
      readonly why?: string
    }
  | (TargetAnswer & OfFetch)

/** meanwhile: as long as the fetch goes on; on: and afterwards, if it is whole then, until `withdraw`. */
export type Serve = 'no' | 'meanwhile' | 'on'

/** Answers to orders of a transfer. */
export type TargetAnswer =
  /** As `block-read`, of a block of the file that is being collected. */
  | {
      readonly kind: 'target-read'
      readonly block: BlockIndex
      readonly data: Uint8Array | undefined
      readonly why?: string
    }
  | { readonly kind: 'block-stored'; readonly block: BlockIndex; readonly outcome: Stored }
  /** `found` undefined: there is nothing of an earlier run. */
  | { readonly kind: 'target-found'; readonly found: FoundPart | undefined; readonly error: string | undefined }
  | { readonly kind: 'target-ready'; readonly error: string | undefined }
  | { readonly kind: 'target-flushed'; readonly error: string | undefined }
  | { readonly kind: 'target-finished'; readonly error: string | undefined }

/** Which of the process's own offers, by its place in the list given at the start. */
export type FileKey = number

/** Which of the fetches that a `fetch` ordered. */
export type FetchKey = number

/** Which fetch an order, an answer or an event belongs to; undefined: the one that the peer was started for. */
export interface OfFetch {
  readonly fetch?: FetchKey | undefined
}

/** Orders to the driver, performed in order. Each but `report` and `stopped` comes back as an input. */
export type Effect =
  /**
   * Answer: `block-read`. Before it comes back, the block's hash is compared with the file's own tree (`hash`), or it is seen to
   * that the file is the one that was hashed at the start, by its size and times (`times`). `into` is BLOCK_BYTES of memory,
   * the driver's until the answer, whose `data` lies in it.
   */
  | {
      readonly kind: 'read-block'
      readonly file: FileKey
      readonly block: BlockIndex
      readonly check: BlockCheck
      readonly into: Uint8Array
    }
  | (TargetOrder & OfFetch)
  | { readonly kind: 'report'; readonly event: HostEvent }
  /** The host is done: its last datagrams are filled, the socket may close once they are sent. */
  | { readonly kind: 'stopped'; readonly why: StopReason }

/** What a transfer orders of the disk. */
export type TargetOrder =
  /** Look for what an earlier run left, and change nothing. Answer: `target-found`. */
  | { readonly kind: 'find-target' }
  /**
   * Open `NAME.part` with room for `size` octets: with `keep` what an earlier run left, otherwise an empty one, after its
   * journal was emptied. Answer: `target-ready`.
   */
  | { readonly kind: 'prepare-target'; readonly size: number; readonly keep: boolean }
  /**
   * Answer: `target-read`. The block comes back only if its octets hash to `leaf`; `into`, where there is one, is BLOCK_BYTES of
   * memory for them, which is the order's until then.
   */
  | {
      readonly kind: 'read-target'
      readonly block: BlockIndex
      readonly leaf: Uint8Array
      readonly into?: Uint8Array | undefined
    }
  /**
   * Write `data`, which stays unchanged until the answer, if its hash (content/tree.ts) is `leaf`, or undefined where that has been
   * seen to. Answer: `block-stored`.
   */
  | {
      readonly kind: 'store-block'
      readonly block: BlockIndex
      readonly data: Uint8Array
      readonly leaf: Uint8Array | undefined
    }
  /** Flush what was written by now; then write `journal` at octet `at` of the journal, and flush it. Answer: `target-flushed`. */
  | { readonly kind: 'flush-target'; readonly journal: Uint8Array; readonly at: number }
  /** Flush, rename into place, and remove the journal. Answer: `target-finished`. */
  | { readonly kind: 'finish-target' }

export type StopReason =
  /** The operator's `stop`. */
  | 'asked'
  | 'ttl-ended'
  | 'manager-closed'
  /** The manager's heartbeats stopped. */
  | 'manager-silent'
  /** No manager answered at the start. */
  | 'no-manager'
  /** Another process registered from our endpoint. */
  | 'replaced'
  /** The manager refused us; the report before it says why. */
  | 'refused'
  /** A collector with `once` has its result. */
  | 'collected'

/** What a host tells its owner. Plain data; times in milliseconds, sizes in octets. */
export type HostEvent = EventBody & OfFetch

type EventBody =
  /** The list changed (manager: its own; peer: the copy it holds). */
  | {
      readonly kind: 'list'
      readonly version: number
      readonly peers: readonly ListedPeer[]
      readonly joined: readonly ListedPeer[]
      readonly left: readonly { readonly peer: ListedPeer; readonly reason: Reason }[]
    }
  | { readonly kind: 'registered'; readonly peer: number; readonly manager: Endpoint; readonly again: boolean }
  /** The manager refused a registration; `code` is a wire ERROR_CODE. */
  | { readonly kind: 'refused'; readonly code: number }
  /** A collector chose what to fetch: `why` is one of 'own file', 'most peers', 'only offer'. */
  | {
      readonly kind: 'chosen'
      readonly offer: Offer
      readonly why: string
      readonly otherRoots: number
      /** The peers that offer it; with 'own file' the collector's own copy is one more source. */
      readonly sources: readonly Endpoint[]
    }
  /** A collector finds no offer of its name yet. */
  | { readonly kind: 'waiting'; readonly name: string }
  /** An earlier run left `bytes` octets that are gone on with; `dropped` says for people why not, or not with all of them. */
  | { readonly kind: 'resumed'; readonly bytes: number; readonly dropped: string | undefined }
  | { readonly kind: 'progress'; readonly progress: TransferProgress }
  | { readonly kind: 'result'; readonly result: TransferResult }
  /** What we offered, a file of our own or what a fetch brought, can't be served any more. */
  | { readonly kind: 'offer-lost'; readonly name: string; readonly why: string }
  /** Something worth one line in a trace: name as `area:what`. */
  | TraceLine
