// One `get`: what the content is, where its files go, the blocks that they need, and the end.
//
//   offer -> first block -> [rest of the manifest] -> plan -> consent -> blocks -> every file at its place
import { resolve } from 'node:path'
import type { Writable } from 'node:stream'
import type { Digests } from '../ambient.js'
import { Bitmap } from '../content/bitmap.js'
import { PartialTree } from '../content/tree.js'
import { UsageError } from '../errors.js'
import type { HostEvent } from '../host/contract.js'
import type { BlockTarget } from '../shell/disk.js'
import { globs } from '../shell/globs.js'
import type { Policy } from '../shell/plan.js'
import type { TransferResult } from '../transfer/report.js'
import type { Offer } from '../wire/message.js'
import { type Contents, readContents } from './contents.js'
import { type Delivery, FolderDelivery, type Planned, StreamDelivery } from './delivery.js'
import { DeclinedError, TransferError } from './errors.js'
import { Prefilled } from './prefilled.js'
import { type Provenance, provenanceOf } from './provenance.js'
import type { SeedEnd } from './seeds.js'
import { StreamTarget } from './stream-target.js'

export interface GetOptions {
  /** The folder to write into, made where it is missing; the working folder by default. */
  readonly into?: string
  /** Writes the octets of the files to this stream instead, one file after the other; it stays open. */
  readonly to?: Writable
  /** Patterns of the files to take, as `*.jpg`; all by default. What is in a folder that matches is taken with it. */
  readonly pick?: readonly string[]
  /** What to do where a file is in the way, or a name that not every system can hold; `refuse` by default: PlanError. */
  readonly taken?: Policy['taken']
  /** Writes names that some other system could not hold; not on Windows. */
  readonly anyNames?: boolean
  /** Asked before anything is written; without it everything is agreed to. */
  readonly confirm?: (planned: Planned) => boolean | Promise<boolean>
  /** Drops what an earlier run left instead of going on with it. */
  readonly restart?: boolean
  /**
   * How long it is served after it is there, in seconds: by default, and with `Infinity`, as long as the peer runs; 0: not at all.
   * Only a content that came whole is: what was there before, picked out, skipped or written to a stream ends with the get. Of more
   * than 16 at once the oldest ends.
   */
  readonly seed?: number
  /** How long nobody may offer the content, in milliseconds: 10 s by default, `Infinity` for ever. */
  readonly patience?: number
  /** Aborting gives the `get` up; what came is kept for the next one. */
  readonly signal?: AbortSignal
}

export interface Got extends Planned, Provenance {
  /** Where it is served on: fulfilled at the end of that, with how it ended. */
  readonly seeding: Promise<SeedEnd> | undefined
  /** Octets that came or were there already in files of the same octets. */
  readonly present: number
  /** From the beginning to the last file in its place. */
  readonly seconds: number
}

/** Told while a `get` goes on; `chosen`, `resumed` and `progress` are of the files, once it is known what to write. */
export type GetEvent =
  | { readonly kind: 'found'; readonly offer: Offer }
  | { readonly kind: 'planned'; readonly planned: Planned }
  | Extract<HostEvent, { readonly kind: 'waiting' | 'chosen' | 'resumed' | 'progress' }>

/** What a `get` needs of the peer that it runs in. */
export interface GetContext {
  readonly digests: Digests
  find(what: string, patience: number, signal: AbortSignal): Promise<Offer | undefined>
  /** Runs one fetch to its end. @throws what `signal` was aborted with */
  fetch(order: FetchOrder, signal: AbortSignal, tell: (event: GetEvent) => void): Promise<Fetched>
}

export interface FetchOrder {
  readonly offer: Offer
  readonly blocks: Bitmap
  readonly restart: boolean
  readonly target: BlockTarget
  /** Others that collect it are served what is there. */
  readonly serve?: 'meanwhile'
  /** Seconds that they are afterwards; only of a whole content. */
  readonly seed?: number
  /** See the host's Input. */
  readonly tree?: PartialTree
  readonly given?: Bitmap
}

export interface Fetched extends TransferResult {
  /** Where it is served on. */
  readonly seeding: Promise<SeedEnd> | undefined
}

/** Fetches some blocks of the content. @throws TransferError */
type Fetch = (order: Omit<FetchOrder, 'offer' | 'tree'>, tell?: (event: GetEvent) => void) => Promise<Fetched>

const PATIENCE_MS = 10_000

/**
 * @throws UsageError where `what` means several contents or a pattern is none or matches nothing; PlanError; DeclinedError;
 * ContentError; TransferError; FileError; what `signal` was aborted with
 */
export async function runGet(
  what: string,
  options: GetOptions,
  context: GetContext,
  signal: AbortSignal,
  tell: (event: GetEvent) => void,
): Promise<Got> {
  const began = performance.now()
  const isPicked = options.pick === undefined ? () => true : withFolders(globs(options.pick))
  const offer = await findOffer(what, options.patience, context, signal)
  tell({ kind: 'found', offer })
  // What the first blocks tell of the hash tree is worth as much later.
  const tree = new PartialTree(context.digests, offer.size, offer.root)
  const fetch: Fetch = async (order, hear = () => {}) => {
    const fetched = await context.fetch({ ...order, offer, tree }, signal, hear)
    if (fetched.failure !== undefined) throw new TransferError(fetched.failure)
    return fetched
  }
  const contents = await readContents(offer, async (blocks, target) => {
    const { fragments } = await fetch({ blocks, target, restart: true })
    return fragments
  })
  if (!contents.manifest.entries.some(({ path }) => isPicked(path))) {
    throw new UsageError(`nothing in ${JSON.stringify(offer.name)} matches ${options.pick?.join(' ')}`)
  }
  const delivery = await deliveryFor(offer, contents, isPicked, options, context.digests)
  try {
    const { planned } = delivery
    tell({ kind: 'planned', planned })
    if ((await options.confirm?.(planned)) === false) throw new DeclinedError('nothing was written')
    signal.throwIfAborted()
    const { fragments, seeding } = await fetchRest(delivery, contents, options, order => fetch(order, tell))
    const present = planned.entries.reduce((sum, { state, bytes }) => sum + (state === 'there' ? bytes : 0), 0)
    const provenance = provenanceOf([...contents.fragments, ...fragments])
    return { ...planned, ...provenance, present, seconds: (performance.now() - began) / 1_000, seeding }
  } finally {
    await delivery.close()
  }
}

/** @throws TransferError where nobody offers it in time; UsageError where it means several contents */
export async function findOffer(
  what: string,
  patience = PATIENCE_MS,
  context: GetContext,
  signal: AbortSignal,
): Promise<Offer> {
  const offer = await context.find(what, patience, signal)
  if (offer !== undefined) return offer
  throw new TransferError({ kind: 'no-offer', detail: `no peer offers ${JSON.stringify(what)}` })
}

function deliveryFor(
  offer: Offer,
  contents: Contents,
  isPicked: (path: string) => boolean,
  options: GetOptions,
  digests: Digests,
): Promise<Delivery> | Delivery {
  if (options.to !== undefined) return new StreamDelivery(offer, contents.manifest, isPicked, options.to)
  const { into = '.', taken = 'refuse', anyNames = false } = options
  return FolderDelivery.plan(offer, contents.manifest, isPicked, { taken, anyNames }, resolve(into), digests)
}

/** Fetches what the files need beside the blocks that are there already, and puts everything in its place. */
async function fetchRest(
  delivery: Delivery,
  contents: Contents,
  { restart = false, seed = Number.POSITIVE_INFINITY }: GetOptions,
  fetch: Fetch,
): Promise<Pick<Fetched, 'fragments' | 'seeding'>> {
  const nothing = { fragments: [], seeding: undefined }
  const target = await delivery.target()
  if (target === undefined) return nothing
  const prefilled = new Prefilled(target, contents.target.blocks)
  const missing = delivery.blocks
  const given = new Bitmap(missing.size)
  for (const block of contents.target.blocks.keys()) {
    missing.clear(block)
    given.set(block)
  }
  const isStream = target instanceof StreamTarget
  const files = delivery.planned.entries.filter(({ kind }) => kind === 'file').length
  const isWhole = missing.count + given.count === missing.size && files === contents.manifest.files.length
  const serving = isStream ? { seed: 0 } : ({ serve: 'meanwhile', seed: isWhole ? seed : 0 } as const)
  if (!missing.isEmpty || serving.seed > 0) {
    return fetch({ blocks: missing, target: prefilled, restart, given, ...serving })
  }
  try {
    await prefilled.prepare(contents.manifest.size, false)
    await prefilled.finish()
    return nothing
  } finally {
    await prefilled.abandon()
  }
}

/** A pattern that means a folder means what is in it. */
function withFolders(matches: (path: string) => boolean): (path: string) => boolean {
  return path => {
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
      if (matches(path.slice(0, end))) return true
    }
    return matches(path)
  }
}
