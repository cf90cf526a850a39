// Who is asked for what: the schedule of octets not yet taken, the blocks being put together, and the chunks that each
// source owes, kept in step. Every missing octet stands in exactly one of three places: untaken in the schedule, owed by
// a source (by two, at the end), or homeless until a source is found.
import type { Random } from '../ambient.js'
import { Bitmap } from '../content/bitmap.js'
import { chunkBytes, chunkOffset, type FileLayout } from '../content/layout.js'
import { endpointKey } from '../endpoint.js'
import { type BlockIndex, chunkIndex, type Instant, latest, since } from '../units.js'
import * as bulk from '../wire/bulk.js'
import { CHUNKS_MAX } from '../wire/layout.js'
import { Assembly, type OpenBlock } from './assembly.js'
import { Availability } from './availability.js'
import type { EffectSink } from './effect.js'
import { LOCAL_SOURCES, PATH_SOURCES_FROM } from './ledger.js'
import type { LocalSource } from './local-source.js'
import type { Path } from './path.js'
import { PeerLog } from './peer-log.js'
import { type Interval, Pool } from './pool.js'
import type { PeerProgress } from './report.js'
import { Schedule, type WorkerView } from './schedule.js'
import { fairShare } from './share.js'
import type { Trace } from './trace.js'

/** Share of the file that may come twice at the end, and how many chunks always may be asked of two peers. */
const DUPLICATE_SHARE = 0.01
const DUPLICATE_CHUNKS_MIN = 64
/** Payload of a 1200-octet UDP datagram: carried by every path (RFC 9000, section 14). */
const CHUNK_BYTES_SAFE = 1_172
/** Peers that are pulled from at once; with as many there may be others, of whom nothing is known. */
export const SOURCES_MAX = 32
/** Nothing new from anyone for so long, where nobody has the whole file, ends a transfer. */
const HOPE_MS = 10_000

export class Work {
  readonly availability: Availability
  readonly schedule: Schedule
  readonly assembly: Assembly
  readonly paths: Path[] = []
  readonly local: LocalSource | undefined
  chunkSize: number
  /** Told of each block that somebody is asked for. */
  onOpened: ((block: BlockIndex) => void) | undefined
  readonly #layout: FileLayout
  readonly #trace: Trace | undefined
  /** Blocks some chunk of which is asked of two paths. */
  readonly #shared = new Set<number>()
  #duplicatesAsked = 0
  /** Some missing chunk may be owed by nobody. */
  #hasHomeless = false
  /** Nobody that we ask has some of them. */
  #isLookingForHolders = false

  constructor(
    layout: FileLayout,
    chunkSize: number,
    local: LocalSource | undefined,
    random: Random,
    trace?: Trace,
    blockMemory?: () => Uint8Array,
  ) {
    this.#layout = layout
    this.#trace = trace
    this.availability = new Availability(layout.blockCount, random)
    this.schedule = new Schedule(new Pool(layout, this.availability))
    if (trace !== undefined) this.schedule.onSteal = (...move) => this.#note('work:steal', ...move)
    this.assembly = new Assembly(layout, blockMemory)
    this.chunkSize = chunkSize
    this.local = local
  }

  get active(): readonly Path[] {
    return this.paths.filter(path => path.state === 'active')
  }

  /** Whether another path takes the upward probe that all share. */
  isProbedBeside(path: Path): boolean {
    return this.paths.some(other => other !== path && other.state === 'active' && other.isProbing)
  }

  /** Chunks that all peers together may be asked for twice over: once nothing is left that nobody was asked for, the end waits for what is lost. */
  get spare(): number {
    return this.schedule.untaken > 0 ? 0 : this.#duplicatesWorth
  }

  /** Of each peer that lives. */
  get progress(): readonly PeerProgress[] {
    const alive = this.paths.filter(path => path.state !== 'dead')
    return alive.map(path => ({ ...path.progress, has: this.#shareOf(path) }))
  }

  /** Whether any octet still has to come from some source. */
  get isWanting(): boolean {
    if (this.schedule.untaken > 0) return true
    for (const open of this.assembly.all()) if (open.state === 'receiving' || open.state === 'parked') return true
    return false
  }

  /** @param home where a peer that has everything is asked first, as a share of the file */
  addPath(path: Path, home: number, now: Instant): void {
    this.paths.push(path)
    if (path.isPartial) {
      this.availability.addPartial(path.number)
      // Others collect the file too: what nobody was asked for is anyone's, the rarest first.
      this.schedule.share(PATH_SOURCES_FROM)
    } else {
      this.availability.addWhole(path.number)
      this.availability.beginAt(path.number, home)
    }
    if (this.availability.isShared && this.paths.length >= SOURCES_MAX) this.#followGiven(now)
  }

  /** A peer that had a part of the file has all of it. */
  onWhole(path: Path, now: Instant): void {
    path.isPartial = false
    this.availability.forget(path.number)
    this.availability.addWhole(path.number)
    path.log = undefined
    if (this.paths.length >= SOURCES_MAX) this.#followGiven(now)
    this.#onHolder()
  }

  /** A peer says which blocks of the file it has by now, in a HAVE that `isBulk` accepted. */
  onHave(d: Uint8Array, path: Path, now: Instant): void {
    if (path.log === undefined) return
    let added = 0
    for (let i = 0; i < bulk.haveCount(d); i++) {
      const first = bulk.haveFirst(d, i)
      const end = first + bulk.haveBlocks(d, i)
      if (bulk.haveIsComing(d, i)) this.availability.expect(path.number, first, end)
      else added += this.availability.add(path.number, first, end)
    }
    if (bulk.haveFrom(d) <= path.log.places) path.log.places = Math.max(path.log.places, bulk.haveTo(d))
    if (added === 0) return
    path.log.newsAt = now
    this.#onHolder()
  }

  /** All that are left collect the file themselves, have nothing that we lack, and have got nothing new for long. */
  isHopeless(now: Instant): boolean {
    return this.paths.every(({ state, isPartial, log, owed, usefulAt }) => {
      if (state === 'dead') return true
      return isPartial && log !== undefined && owed.isEmpty && since(latest(log.newsAt, usefulAt), now) > HOPE_MS
    })
  }

  /** Sees to it that `path` has been asked for enough. */
  refill(path: Path, now: Instant): void {
    if (path.state !== 'active') return
    if (path.owed.isEmpty && path.pages.size === 0) path.onBusy(now)
    while (path.owed.octets < path.target && !this.assembly.isFull) {
      const interval = this.schedule.take(path.number, this.#view)
      if (interval === undefined) {
        this.#help(path, now)
        return
      }
      this.#ask(path.owed, interval)
    }
  }

  /** Divides our own limit among the paths. @param limit octets a millisecond; undefined = none */
  share(limit: number | undefined): void {
    if (limit === undefined) return
    const wishes = this.active.filter(path => path.isWaitedFor).map(path => path.congestion.pacingRate)
    const share = fairShare(limit, wishes)
    for (const path of this.paths) path.cap = share
  }

  /** Starts reading what is the local file's to give. */
  refillLocal(effects: EffectSink): void {
    if (this.local === undefined || !this.local.usable) return
    for (const source of Object.values(LOCAL_SOURCES)) {
      while (this.local.of(source).size < CHUNKS_MAX && !this.assembly.isFull) {
        const interval = this.schedule.take(source)
        if (interval === undefined) break
        this.#ask(this.local.of(source), interval)
      }
    }
    this.local.read(effects)
  }

  /** A chunk is there: nobody owes it any more. */
  settle(open: OpenBlock, chunk: number, from: Path): void {
    const wasOwed = from.owed.bring(open, chunk)
    if (wasOwed && (this.#shared.size === 0 || !this.#shared.has(open.index))) return
    for (const path of this.paths) if (path !== from) path.owed.settle(open, chunk)
    this.local?.settle(open, chunk)
  }

  /** Whether the chunks [first, end) are missing, and owed by this path and by nobody else. */
  isOwedAlone(open: OpenBlock, first: number, end: number, path: Path): boolean {
    if (this.#shared.has(open.index) || open.have.firstSet(first, end) !== undefined) return false
    const owed = path.owed.chunksOf(open.index)
    return owed !== undefined && owed.firstMissing(first, end) === undefined
  }

  /** Nobody owes anything of the block any more. */
  release(open: OpenBlock): void {
    for (const path of this.paths) path.owed.release(open)
    this.local?.release(open)
    this.#shared.delete(open.index)
  }

  /** Takes all work from a path that does not answer; `toLocal`: the local file gives it instead of other peers. */
  strip(path: Path, toLocal: boolean): void {
    this.#hasHomeless = true
    const owed = [...path.owed.entries()].map(({ open, chunks }) => ({ open, chunks }))
    for (const { open } of owed) path.owed.release(open)
    if (toLocal && this.local?.usable) {
      const mine = this.local.of(LOCAL_SOURCES['peer left'])
      this.schedule.inherit(LOCAL_SOURCES['peer left'], path.number)
      for (const { open, chunks } of owed) {
        chunks.forEachSet(0, open.chunks, c => {
          if (!open.have.has(c) && !this.#isOwed(open, c)) mine.want(open, c)
        })
      }
    } else this.schedule.abandon(path.number)
  }

  /** Gives missing chunks that nobody owes to the path that would bring them first. */
  adoptHomeless(now: Instant): void {
    const paths = this.active
    if (!this.#hasHomeless || paths.length === 0) return
    this.#hasHomeless = false
    for (const open of this.assembly.all()) {
      if (open.state !== 'receiving') continue
      const homeless = new Bitmap(open.chunks)
      open.have.forEachMissing(0, open.chunks, c => {
        if (!this.#hasPlace(open, c)) homeless.set(c)
      })
      if (homeless.isEmpty) continue
      if (open.isUndivided) {
        this.release(open)
        this.assembly.reset(open)
        homeless.setRange(0, open.chunks)
      }
      const holders = paths.filter(path => this.availability.has(path.number, open.index))
      if (holders.length === 0) {
        this.#isLookingForHolders = true
        continue
      }
      const path = holders.reduce((a, b) => (finishesIn(b) < finishesIn(a) ? b : a))
      if (path.owed.isEmpty) path.onBusy(now)
      homeless.forEachSet(0, open.chunks, c => path.owed.want(open, c))
    }
  }

  /** What only the local file can give now: everything not asked of a live peer. */
  turnToLocal(): void {
    if (this.local?.usable !== true) return
    const source = LOCAL_SOURCES['no other source']
    this.schedule.inherit(source)
    for (const path of this.paths) this.schedule.inherit(source, path.number)
    for (const open of this.assembly.all()) {
      if (open.state !== 'receiving') continue
      open.have.forEachMissing(0, open.chunks, c => {
        if (!this.#hasPlace(open, c)) this.local?.of(source).want(open, c)
      })
    }
  }

  /** The local file can't be used: its work is anyone's. */
  abandonLocal(): void {
    this.#hasHomeless = true
    for (const source of Object.values(LOCAL_SOURCES)) this.schedule.abandon(source)
  }

  /** Starts a block anew; someone has to be found for it. */
  restart(open: OpenBlock): void {
    this.release(open)
    this.assembly.reset(open)
    this.#hasHomeless = true
  }

  /** Asks for a whole block from one path only, so that it answers for all of it. */
  askAlone(open: OpenBlock, path: Path, now: Instant): void {
    open.isUndivided = true
    if (path.owed.isEmpty) path.onBusy(now)
    path.owed.wantRange(open, 0, open.chunks)
  }

  /** A path does not carry the datagrams that it was to bring. */
  onBlackHole(path: Path, now: Instant): void {
    path.blackHoleSigns = 0
    if (path.mtu.onBlackHole(now)) path.onShorter(now)
    else if (this.chunkSize > CHUNK_BYTES_SAFE) {
      this.shrinkChunks(CHUNK_BYTES_SAFE)
      path.onShorter(now)
    }
  }

  /** Starts all unfinished blocks anew with smaller chunks: a path does not carry large datagrams. */
  shrinkChunks(chunkSize: number): void {
    this.chunkSize = chunkSize
    // All paths: one that kept longer datagrams would ask for two short chunks in one that it may not carry.
    for (const path of this.paths) path.chunkSize = chunkSize
    for (const open of [...this.assembly.all()]) {
      if (open.state !== 'receiving') continue
      const owner = this.paths.find(path => path.owed.chunksOf(open.index) !== undefined)
      this.release(open)
      this.assembly.close(open)
      const start = this.#layout.blockStart(open.index)
      const interval = { start, end: start + open.bytes }
      this.schedule.withdraw(interval.start, interval.end)
      if (owner === undefined) this.schedule.orphan(interval.start, interval.end)
      else this.#ask(owner.owed, interval)
    }
  }

  /** Sources by their numbers, for a trace. */
  namesOf(sources: Iterable<number>): string {
    return [...sources].map(source => this.#nameOf(source)).join(' ')
  }

  get #duplicatesWorth(): number {
    return (DUPLICATE_SHARE * this.#layout.size) / this.chunkSize
  }

  /** Of the blocks, what the peer has; undefined while it has not told all. */
  #shareOf({ isPartial, log, number }: Path): number | undefined {
    if (isPartial && log?.isKnown === false) return undefined
    const { blockCount } = this.#layout
    return blockCount === 0 ? 1 : this.availability.countHeld(number) / blockCount
  }

  readonly #view = (worker: number): WorkerView => {
    const path = this.paths[worker - PATH_SOURCES_FROM]
    if (path === undefined) return { rate: Infinity, outstanding: 0, stealable: false }
    // What a silent peer may leave behind is the local file's to give, where there is one.
    const stealable = path.timeouts === 0 || this.local?.usable !== true
    return { rate: path.rate, outstanding: path.owed.octets, stealable }
  }

  /** Who has everything tells what it gave to others, not all of whom are known to us: of it that is asked for last. */
  #followGiven(now: Instant): void {
    for (const path of this.paths) path.log ??= new PeerLog(now)
  }

  /** Somebody has more than before. */
  #onHolder(): void {
    if (!this.#isLookingForHolders) return
    this.#isLookingForHolders = false
    this.#hasHomeless = true
  }

  #ask(owed: Path['owed'], interval: Interval): void {
    const block = this.#layout.blockAt(interval.start)
    if (this.assembly.find(block) === undefined) this.onOpened?.(block)
    const open = this.assembly.ensure(block, this.chunkSize)
    const start = this.#layout.blockStart(block)
    owed.wantRange(
      open,
      Math.ceil((interval.start - start) / open.chunkSize),
      Math.ceil((interval.end - start) / open.chunkSize),
    )
  }

  #isOwed(open: OpenBlock, chunk: number): boolean {
    for (const path of this.paths) if (path.owed.chunksOf(open.index)?.has(chunk)) return true
    return this.local?.owes(open.index, chunk) ?? false
  }

  /** Someone owes it, or it is still to be taken: a fragment may begin in the middle of a block. */
  #hasPlace(open: OpenBlock, chunk: number): boolean {
    return (
      this.#isOwed(open, chunk) ||
      this.schedule.holds(this.#layout.blockStart(open.index) + chunkOffset(chunkIndex(chunk), open.chunkSize))
    )
  }

  /** Nothing is left to take: relieve the path that would finish last. */
  #help(helper: Path, now: Instant): void {
    // Where others collect the file too, a peer may have nothing for us now and much a little later.
    if (this.availability.isShared && this.schedule.untaken > 0) return
    let slow: Path | undefined
    for (const path of this.paths) {
      if (path === helper || path.state !== 'active' || path.owed.isEmpty) continue
      if (!this.#view(path.number).stealable) continue
      if (slow === undefined || finishesIn(path) > finishesIn(slow)) slow = path
    }
    if (slow === undefined || finishesIn(slow) < finishesIn(helper) + helper.cadence) return
    const inFlight = inFlightOf(slow)
    const share = helper.rate / (helper.rate + slow.rate)
    const movable = (slow.owed.octets - inFlight) * share
    if (movable > 0) this.#move(slow, helper, movable)
    else if (since(slow.usefulAt, now) > 1.5 * slow.roundTrip.smoothed + helper.roundTrip.smoothed + slow.cadence) {
      this.#duplicate(slow, helper)
    }
  }

  /** Moves the newest requests, which the slow path has not begun to send. */
  #move(slow: Path, helper: Path, octets: number): void {
    let left = octets
    for (const { open, chunks } of slow.owed.newestFirst()) {
      if (open.isUndivided || !this.availability.has(helper.number, open.index)) continue
      for (let c = open.chunks - 1; c >= 0 && left > 0; c--) {
        if (!chunks.has(c)) continue
        slow.owed.settle(open, c)
        helper.owed.want(open, c)
        left -= chunkBytes(open.bytes, open.chunkSize, chunkIndex(c))
      }
      if (left <= 0) break
    }
    this.#note('work:help', slow.number, helper.number, octets - left)
  }

  /** What is late is asked of a second path too, within a budget. */
  #duplicate(slow: Path, helper: Path): void {
    const budget = Math.max(DUPLICATE_CHUNKS_MIN, this.#duplicatesWorth)
    let octets = 0
    for (const { open, chunks } of slow.owed.entries()) {
      if (open.isUndivided || !this.availability.has(helper.number, open.index)) continue
      chunks.forEachSet(0, open.chunks, c => {
        if (this.#duplicatesAsked >= budget || helper.owed.chunksOf(open.index)?.has(c)) return
        helper.owed.want(open, c)
        this.#shared.add(open.index)
        this.#duplicatesAsked++
        octets += chunkBytes(open.bytes, open.chunkSize, chunkIndex(c))
      })
    }
    this.#note('work:duplicate', slow.number, helper.number, octets)
  }

  /** Traces work that changed hands; none is no line. */
  #note(name: string, from: number, to: number, octets: number): void {
    if (octets > 0) this.#trace?.add(name, { from: this.#nameOf(from), to: this.#nameOf(to), octets })
  }

  #nameOf(source: number): string {
    const path = this.paths[source - PATH_SOURCES_FROM]
    return path === undefined ? 'local' : endpointKey(path.endpoint)
  }
}

/** What may be on its way already: no more than its credit lets it send, which may be from a faster time, nor than its rate. */
function inFlightOf(path: Path): number {
  const allowed = (path.credit - path.loss.largest) * path.longest
  return Math.min(allowed, path.pacingRate * (path.roundTrip.smoothed + path.cadence))
}

/** Milliseconds until a path has brought what it owes. */
export function finishesIn(path: Path): number {
  return path.owed.octets / path.rate + path.roundTrip.smoothed
}
