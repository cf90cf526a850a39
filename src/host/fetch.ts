// A collector's errand from the name to the result: wait for an offer, choose, run the transfer, report.
import type { Digests, Random } from '../ambient.js'
import type { Bitmap } from '../content/bitmap.js'
import { type FullTree, PartialTree } from '../content/tree.js'
import { type Endpoint, endpointKey } from '../endpoint.js'
import type { ListedPeer } from '../membership/listed-peer.js'
import { Collector } from '../transfer/collector.js'
import type { Source } from '../transfer/collector-options.js'
import { judgeEarlierRun } from '../transfer/earlier-run.js'
import type { CollectorEvent, FoundPart, Turn } from '../transfer/effect.js'
import type { Have } from '../transfer/have.js'
import type { TransferFailure, TransferResult } from '../transfer/report.js'
import type { TraceFields } from '../transfer/trace.js'
import { after, type Instant, NEVER, type PeerId, since } from '../units.js'
import type { Offer } from '../wire/message.js'
import type { Effect, FileKey } from './contract.js'
import { Sources } from './sources.js'
import { type Choice, chooseHolders, chooseOffer, holdsPart, offersContent } from './wish.js'

/** How long nobody may offer the name before the errand fails. */
const OFFER_PATIENCE_MS = 10_000

export interface FetchOptions {
  readonly name: string
  /** The very content that is to be fetched; undefined: the best offer of the name. */
  readonly wanted?: Offer | undefined
  /** Which of its blocks; undefined: all of them. */
  readonly blocks?: Bitmap | undefined
  readonly own: { readonly key: FileKey; readonly offer: Offer; readonly tree: FullTree } | undefined
  readonly member: bigint
  /** What is known of the content's hash tree already. */
  readonly tree?: PartialTree | undefined
  /** Blocks that the target has as soon as it is prepared; their hashes are known. */
  readonly given?: Bitmap | undefined
  /** Drop what an earlier run left. */
  readonly restart: boolean
  readonly chunkSize: number
  readonly datagramMax: number
  readonly receiveBuffer: number
  readonly blockMemory?: (() => Uint8Array) | undefined
  /** Octets a millisecond. */
  readonly limit: number | undefined
  readonly background?: boolean | undefined
  readonly random: Random
  readonly digests: Digests
  readonly trace?: boolean | undefined
  /** Serves others what the fetch has; undefined: nobody does. */
  readonly holder?: Holder | undefined
  /** Tells an uploading peer that it is needed no more. */
  readonly dismiss: (to: Endpoint, session: bigint, now: Instant) => void
}

/** Who serves what a fetch has. */
export interface Holder {
  begin(offer: Offer, tree: PartialTree, have: Have): void
  /** The fetch is over. */
  end(isWhole: boolean): void
}

/** The newest list, or its preview. */
interface Seen {
  readonly list: ReadonlyMap<PeerId, ListedPeer>
  readonly isListed: boolean
  readonly roundTrip: number | undefined
}

export class Fetch {
  collector: Collector | undefined
  readonly #options: FetchOptions
  readonly #startedAt: Instant
  #offer: Offer | undefined
  /** What an earlier run left; undefined: not known yet. */
  #found: { readonly part: FoundPart | undefined } | undefined
  #isLooking = false
  #seen: Seen | undefined
  #listedAt: Instant | undefined
  /** From which the transfer was begun, until the list itself comes. */
  #preview: ReadonlyMap<PeerId, ListedPeer> | undefined
  readonly #chosen: Sources
  #result: TransferResult | undefined

  constructor(options: FetchOptions, now: Instant) {
    this.#options = options
    this.#startedAt = now
    this.#chosen = new Sources(options.random)
  }

  get isDone(): boolean {
    return this.#result !== undefined
  }

  /** Peers give us what they have. */
  get isUnderWay(): boolean {
    return !this.isDone && this.collector?.isListed === true
  }

  get counters(): Readonly<Record<string, number>> {
    return { ...this.collector?.counters }
  }

  /** The list as it was before we are on it: what it offers is asked for at once. */
  onPreview(
    peers: ReadonlyMap<PeerId, ListedPeer>,
    roundTrip: number | undefined,
    now: Instant,
    effects: Effect[],
  ): void {
    if (this.isDone || this.collector !== undefined) return
    this.#seen = { list: peers, isListed: false, roundTrip }
    this.#tryStart(now, effects)
  }

  /** What an earlier run left is known. */
  onFound(part: FoundPart | undefined, error: string | undefined, now: Instant, effects: Effect[]): void {
    if (this.isDone || this.#found !== undefined) return
    this.#found = { part }
    if (error === undefined) this.#tryStart(now, effects)
    else this.#finish({ kind: 'disk', detail: error }, [], now, effects)
  }

  /** The list changed: start if there is something to fetch, or follow it. */
  onList(
    list: ReadonlyMap<PeerId, ListedPeer>,
    left: readonly ListedPeer[],
    roundTrip: number | undefined,
    now: Instant,
    effects: Effect[],
  ): void {
    if (this.isDone) return
    if (this.collector === undefined) {
      this.#seen = { list, isListed: true, roundTrip }
      this.#tryStart(now, effects)
    } else {
      const gone = this.#preview === undefined ? left : missingFrom(list, this.#preview)
      this.#preview = undefined
      this.drive(effects, now, (collector, turn) => {
        collector.onListed(turn)
        for (const { peer, endpoint } of gone) {
          this.#chosen.forget(peer)
          collector.onLeft(endpoint, turn)
        }
        this.#followHolders(list.values(), collector, turn)
      })
    }
  }

  /** Runs one step of the collector and turns its events into effects. */
  drive(effects: Effect[], now: Instant, step: (collector: Collector, turn: Turn) => void): void {
    if (this.collector === undefined) return
    const events: CollectorEvent[] = []
    step(this.collector, { now, effects, events })
    for (const event of this.collector.trace?.take() ?? []) effects.push({ kind: 'report', event })
    let isLacking = false
    for (const event of events) {
      if (event.kind === 'dismissed') this.#options.dismiss(event.to, event.session, now)
      else if (event.kind === 'progress' || event.kind === 'resumed') effects.push({ kind: 'report', event })
      else if (event.kind === 'path-lost') {
        this.#chosen.lose(event.endpoint)
        isLacking = true
        trace('path:lost', { peer: endpointKey(event.endpoint), why: event.why }, effects)
      } else this.#finish(event.failure, event.fragments, now, effects)
    }
    const more = isLacking && !this.isDone ? this.#chosen.take() : []
    if (more.length > 0) {
      this.drive(effects, now, (collector, turn) => {
        for (const peer of more) collector.onJoined(this.#sourceOf(peer), turn)
      })
    }
  }

  onTick(now: Instant, effects: Effect[]): void {
    if (this.isDone) return
    this.#look(effects)
    if (this.collector !== undefined) this.drive(effects, now, (collector, turn) => collector.onTick(turn))
    else if (now >= this.#patienceEnds) {
      this.#finish({ kind: 'no-offer', detail: `no peer offers ${this.#options.name}` }, [], now, effects)
    }
  }

  /** Ends it before the file is whole. */
  stop(detail: string, now: Instant, effects: Effect[]): void {
    if (this.isDone) return
    if (this.collector !== undefined) this.drive(effects, now, (collector, turn) => collector.stop(detail, turn))
    else this.#finish({ kind: 'interrupted', detail }, [], now, effects)
  }

  deadline(): Instant {
    if (this.collector !== undefined) return this.collector.deadline()
    return this.isDone ? NEVER : this.#patienceEnds
  }

  get #patienceEnds(): Instant {
    return this.#listedAt === undefined ? NEVER : after(this.#listedAt, OFFER_PATIENCE_MS)
  }

  /** Asks once what an earlier run left, while nobody has answered yet. */
  #look(effects: Effect[]): void {
    if (!this.#isLooking) effects.push({ kind: 'find-target' })
    this.#isLooking = true
  }

  /** Starts if there is something to fetch, and it is known what is there of it. */
  #tryStart(now: Instant, effects: Effect[]): void {
    this.#look(effects)
    const seen = this.#seen
    if (this.#found === undefined || seen === undefined) return
    const { name, wanted, own, digests, restart } = this.#options
    // Ourselves we know better than the list does, which may not show us yet.
    const others = [...seen.list.values()].filter(peer => peer.session !== this.#options.member)
    const choice = wanted === undefined ? chooseOffer(name, own?.offer, others) : this.#holdersOf(wanted, others)
    if (choice === undefined) {
      if (seen.isListed) this.#wait(now, effects)
      return
    }
    const { offer, why, otherRoots, holders } = choice
    this.#offer = offer
    for (const peer of holders) this.#chosen.see(peer, holdsPart(peer, offer))
    const begun = this.#chosen.take()
    const sources = begun.map(peer => this.#sourceOf(peer))
    if (own !== undefined) sources.push({ kind: 'self' })
    const event = { kind: 'chosen', offer, why, otherRoots, sources: begun.map(peer => peer.endpoint) } as const
    effects.push({ kind: 'report', event })
    if (this.#options.trace) {
      const fields = { file: name, bytes: offer.size, peers: begun.length, local: own !== undefined }
      trace('transfer:start', fields, effects)
    }
    const known = own === undefined ? this.#options.tree : undefined
    const tree = known ?? new PartialTree(digests, offer.size, offer.root, own?.tree)
    const earlier = judgeEarlierRun(this.#found.part, tree, digests, restart)
    if (earlier.kind === 'other') {
      this.#finish({ kind: 'other-part', detail: earlier.detail }, [], now, effects)
      return
    }
    const { isListed, roundTrip } = seen
    if (!isListed) this.#preview = seen.list
    const isServed = own === undefined && this.#options.holder !== undefined
    // Who offers nothing yet may have come for the same.
    const mayBegin = (peer: ListedPeer) =>
      peer.offers.length === 0 || (offersContent(peer, offer) && holdsPart(peer, offer))
    const beginners = 1 + others.filter(mayBegin).length
    const options = { ...this.#options, tree, earlier, ownFile: own?.key, roundTrip, isListed, isServed, beginners }
    this.collector = new Collector(options, sources, now)
    if (isServed) this.#options.holder?.begin(offer, tree, this.collector.have)
    this.drive(effects, now, (collector, turn) => collector.start(turn))
  }

  #holdersOf(wanted: Offer, others: readonly ListedPeer[]): Choice | undefined {
    const choice = chooseHolders(wanted, others)
    if (choice !== undefined || !this.#options.blocks?.isEmpty) return choice
    // What is there already needs nobody.
    return { offer: wanted, why: 'only offer', otherRoots: 0, holders: [] }
  }

  #wait(now: Instant, effects: Effect[]): void {
    if (this.#listedAt !== undefined) return
    this.#listedAt = now
    effects.push({ kind: 'report', event: { kind: 'waiting', name: this.#options.name } })
  }

  /** Takes up those that joined, or began to offer it. One that was dropped is not taken up again before it has left. */
  #followHolders(peers: Iterable<ListedPeer>, collector: Collector, turn: Turn): void {
    for (const peer of peers) {
      if (!offersContent(peer, this.#offer!)) continue
      if (this.#chosen.see(peer, holdsPart(peer, this.#offer!))) collector.onWhole(peer.endpoint, turn)
    }
    for (const peer of this.#chosen.take()) collector.onJoined(this.#sourceOf(peer), turn)
  }

  #finish(
    failure: TransferFailure | undefined,
    fragments: TransferResult['fragments'],
    now: Instant,
    effects: Effect[],
  ): void {
    this.#result = {
      name: this.#options.name,
      bytes: this.#offer?.size ?? 0,
      root: this.#offer?.root ?? new Uint8Array(0),
      seconds: since(this.#startedAt, now) / 1_000,
      fragments,
      failure,
    }
    if (this.#options.trace) {
      const { seconds } = this.#result
      const fields = { ok: failure === undefined, failure: failure?.kind ?? 'none', seconds, ...this.counters }
      trace('transfer:end', fields, effects)
    }
    this.#options.holder?.end(failure === undefined)
    effects.push({ kind: 'report', event: { kind: 'result', result: this.#result } })
  }

  #sourceOf(peer: ListedPeer): Source {
    if (peer.session === this.#options.member) return { kind: 'self' }
    return { kind: 'peer', endpoint: peer.endpoint, isPartial: this.#chosen.isPartial(peer) }
  }
}

/** Who of `peers` is not on the list; numbers are not compared: they may be another manager's. */
function missingFrom(
  list: ReadonlyMap<PeerId, ListedPeer>,
  peers: ReadonlyMap<PeerId, ListedPeer>,
): readonly ListedPeer[] {
  const identity = ({ endpoint, session }: ListedPeer) => `${endpointKey(endpoint)} ${session}`
  const listed = new Set([...list.values()].map(identity))
  return [...peers.values()].filter(peer => !listed.has(identity(peer)))
}

function trace(name: string, fields: TraceFields, effects: Effect[]): void {
  effects.push({ kind: 'report', event: { kind: 'trace', name, fields } })
}
