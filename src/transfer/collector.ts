// The one brain of a transfer. It divides the file, tells every peer what it still wants from it, how much and how fast,
// has the blocks put together, verified and written (blocks.ts), and when a peer leaves finds another source for exactly
// what that peer still owed (work.ts).
//
// Pure: datagrams, results of I/O and instants go in; PULLs, effects and events come out.
import { FileLayout } from '../content/layout.js'
import { Wanted } from '../content/wanted.js'
import type { Endpoint } from '../endpoint.js'
import { after, type BlockIndex, blockIndex, earliest, type Instant, NEVER, since } from '../units.js'
import type { ReceiveBatch } from '../wire/batch.js'
import * as bulk from '../wire/bulk.js'
import { BLOCK_BYTES, ERROR_CODE, TAG } from '../wire/layout.js'
import { runLength } from '../wire/run.js'
import { Blocks } from './blocks.js'
import type { CollectorOptions, PeerSource, Source } from './collector-options.js'
import type { CollectorEvent, Stored, Turn } from './effect.js'
import { FATAL_ERRORS } from './fatal-errors.js'
import { Goodput } from './goodput.js'
import { Have } from './have.js'
import { JournalKeeper } from './journal-keeper.js'
import { Ledger, LOCAL_SOURCES, PATH_SOURCES_FROM } from './ledger.js'
import { LocalSource } from './local-source.js'
import type { Path, Patience } from './path.js'
import { Paths } from './paths.js'
import { type AddressedPull, Pulls } from './pulls.js'
import type { TransferFailure } from './report.js'
import { Resumption } from './resumption.js'
import { Trace } from './trace.js'
import { Work } from './work.js'

/** Bad blocks after which a peer is dropped. */
const BAD_BLOCKS_MAX = 2
/** Datagrams beyond the credit after which a peer is dropped; a few are damage that no checksum saw. */
const BREACHES_MAX = 64
const PROGRESS_MS = 200
/** Without a turn for so long, though one was due every PROGRESS_MS, the process itself stood still. */
const STALL_MS = 500

type State = 'collecting' | 'finishing' | 'done'

export class Collector {
  readonly trace: Trace | undefined
  isListed: boolean
  /** What is there by now. */
  readonly have: Have
  #beyondCredit = 0
  #state: State = 'collecting'
  readonly #options: CollectorOptions
  readonly #layout: FileLayout
  readonly #wanted: Wanted
  readonly #local: LocalSource | undefined
  readonly #work: Work
  readonly #ledger: Ledger
  readonly #journal: JournalKeeper
  readonly #blocks: Blocks
  readonly #resumption: Resumption
  readonly #sources: readonly Source[]
  /** Those that have a fragment to begin with. */
  readonly #givers: readonly Source[]
  readonly #paths: Paths
  /** Paths that something came from in this turn. */
  readonly #touched = new Set<Path>()
  readonly #pulls: Pulls
  #progressAt: Instant
  #turnAt: Instant
  readonly #goodput: Goodput

  /** Divides the file among `sources`. Nothing happens before `start`. */
  constructor(options: CollectorOptions, sources: readonly Source[], now: Instant) {
    this.#options = options
    this.isListed = options.isListed
    this.#layout = new FileLayout(options.tree.size)
    this.#wanted = new Wanted(this.#layout, options.blocks)
    this.#local = options.ownFile === undefined ? undefined : new LocalSource(options.ownFile)
    this.trace = options.trace ? new Trace() : undefined
    const { random, blockMemory } = options
    this.#work = new Work(this.#layout, options.chunkSize, this.#local, random, this.trace, blockMemory)
    this.have = new Have(this.#layout.blockCount)
    this.#work.onOpened = block => this.have.expect(block)
    this.#pulls = new Pulls(options, this.#work)
    this.#paths = new Paths(options, this.#work.paths, this.trace, now)
    this.#sources = sources
    const wholes = sources.filter(source => source.kind === 'self' || !source.isPartial)
    this.#givers = wholes.length > 0 ? wholes : sources.slice(0, 1)
    const fragments = this.#wanted.divide(Math.max(1, this.#givers.length), options.chunkSize)
    this.#ledger = new Ledger(
      fragments,
      this.#wanted,
      this.#givers.map(source => (source.kind === 'self' ? undefined : source.endpoint)),
    )
    this.#journal = new JournalKeeper(options.digests, options.tree, now)
    const layout = this.#layout
    const [wanted, work, journal] = [this.#wanted, this.#work, this.#journal]
    this.#blocks = new Blocks(layout, wanted, options.tree, work, this.#ledger, journal, this.have)
    const parts = { layout, wanted, blocks: this.#blocks, journal, schedule: work.schedule }
    this.#resumption = new Resumption({ ...options, ...parts })
    this.#progressAt = now
    this.#turnAt = now
    this.#goodput = new Goodput(now)
  }

  get counters(): Readonly<Record<string, number>> {
    return { ...this.#blocks.counters, beyondCredit: this.#beyondCredit }
  }

  /** Asks all sources at once; what comes before the target is ready waits for it. */
  start(turn: Turn): void {
    turn.effects.push({ kind: 'prepare-target', size: this.#layout.size, keep: this.#options.earlier.kind === 'kept' })
    this.#resumption.start(turn)
    this.#goodput.start(this.#blocks.bytes)
    const workers = this.#sources.map(source =>
      source.kind === 'self' ? LOCAL_SOURCES['own fragment'] : this.#addPath(source, turn.now).number,
    )
    for (const [i, giver] of this.#givers.entries()) {
      const { start, end } = this.#ledger.fragments[i]!
      const worker = workers[this.#sources.indexOf(giver)]!
      const assign = (from: number, to: number) => this.#work.schedule.assign(worker, from, to)
      const home = Math.max(start, Math.floor((start + (end - start) * this.#home) / BLOCK_BYTES) * BLOCK_BYTES)
      this.#blocks.forEachMissing(home, end, this.#resumption.claimed, assign)
      this.#blocks.forEachMissing(start, home, this.#resumption.claimed, assign)
    }
    this.#advance(turn)
  }

  onTargetReady(error: string | undefined, turn: Turn): void {
    if (this.#state !== 'collecting') return
    if (error === undefined) {
      const { given } = this.#options
      given?.forEachSet(0, given.size, block => this.have.add(blockIndex(block)))
      this.#blocks.onTargetReady(turn.effects)
      this.#resumption.proceed(turn)
    } else this.#finish({ kind: 'disk', detail: error }, turn)
    this.#advance(turn)
  }

  /** A block that an earlier run left was read. @param data undefined where it is not what the tree says */
  onTargetRead(block: BlockIndex, data: Uint8Array | undefined, turn: Turn): void {
    if (this.#state !== 'collecting') return
    this.#resumption.onRead(block, data, turn)
    this.#advance(turn)
  }

  onTargetFlushed(error: string | undefined, turn: Turn): void {
    if (this.#state !== 'collecting') return
    this.#journal.onFlushed(turn.now)
    if (error !== undefined) this.#finish({ kind: 'disk', detail: error }, turn)
    this.#advance(turn)
  }

  /** A peer with the file joined: it takes part from now on. */
  onJoined(source: Source, turn: Turn): void {
    if (this.#state !== 'collecting' || source.kind === 'self') return
    if (this.#paths.to(source.endpoint) !== undefined) return
    this.#addPath(source, turn.now)
    this.#advance(turn)
  }

  /** A peer that had a part of the file has all of it now. */
  onWhole(peer: Endpoint, turn: Turn): void {
    const path = this.#paths.to(peer)
    if (path?.isPartial !== true) return
    this.#work.onWhole(path, turn.now)
    this.#advance(turn)
  }

  /** The manager's word: this peer is gone. Of the last one only its own silence is believed: it may come back. */
  onLeft(peer: Endpoint, turn: Turn): void {
    const path = this.#paths.to(peer)
    if (path !== undefined && this.#patience(path) !== 'last') this.#dropPath(path, 'left the list', turn)
  }

  /** Peers know us from now on: that they were silent meant nothing. */
  onListed({ now }: Turn): void {
    if (this.isListed) return
    this.isListed = true
    for (const path of this.#work.paths) path.onListed(now)
  }

  /** The peer's own word. @returns whether the session is one of ours */
  onGoodbye(from: Endpoint, session: bigint, turn: Turn): boolean {
    const path = this.#paths.find(from, session)
    if (path !== undefined) this.#dropPath(path, 'said goodbye', turn)
    return path !== undefined
  }

  /** A PROBE came: the path carries datagrams of that length. @returns whether the session is one of ours */
  onProbe(from: Endpoint, session: bigint, octets: number, pull: number): boolean {
    const path = this.#paths.find(from, session)
    if (path?.mtu.onProbe(octets, pull)) path.trace?.onLonger(octets)
    return path !== undefined
  }

  onError(from: Endpoint, session: bigint, code: number, turn: Turn): void {
    const path = this.#paths.find(from, session)
    if (path === undefined || path.state === 'dead') return
    const why = FATAL_ERRORS[code]
    const hasOthers = this.#local?.usable === true || this.#work.active.some(other => other !== path)
    // Where there is nobody else, the peer is asked now and then whether it has time.
    if (code === ERROR_CODE.TOO_MANY_UPLOADS && !hasOthers) this.#onRefused(path, turn.now)
    else if (why !== undefined) this.#dropPath(path, why, turn)
    else if (code === ERROR_CODE.UNKNOWN_SESSION) this.#renewPath(path, turn)
  }

  /**
   * Takes a bulk datagram that `isBulk` accepted, and those that continue it.
   * @returns how many it took; 0 where the first belongs to no path
   */
  onBulk(batch: ReceiveBatch, index: number, now: Instant): number {
    const d = batch.data[index]!
    const path = this.#paths.ofBulk(d, batch.from[index]!)
    if (path === undefined) return 0
    const tag = bulk.tagOf(d)
    const run = tag === TAG.CHUNK ? this.#takeRun(batch, index, path, now) : 0
    if (run > 0) return run
    if (tag !== TAG.ECHO && bulk.sequenceOf(d) > path.credit) {
      path.breaches++
      this.#beyondCredit++
      this.#touched.add(path)
      return 1
    }
    const arrival = path.onArrival(
      bulk.sequenceOf(d),
      bulk.sentAt(d),
      bulk.echoOf(d),
      bulk.holdOf(d),
      d.length,
      // An ECHO or a HAVE goes out whatever there is to send: it says nothing of what the path can do.
      tag === TAG.ECHO || tag === TAG.HAVE || bulk.isAppLimited(d),
      now,
    )
    if (arrival === undefined) {
      this.#beyondCredit++
      return 1
    }
    this.#touched.add(path)
    if (tag === TAG.CHUNK) this.#blocks.onChunk(d, batch.payload(index), path, now)
    else if (tag === TAG.TREE) this.#blocks.onTree(d, path, now)
    else path.onSmall()
    if (tag === TAG.HAVE) this.#work.onHave(d, path, now)
    path.log?.onTold(d)
    return 1
  }

  /** After the datagrams of one wake-up. @param hasMore others had come, and wait in the socket */
  endBatch(turn: Turn, hasMore = false): void {
    if (this.#state !== 'collecting') return
    this.#turnAt = turn.now
    if (this.#touched.size > 0) this.onListed(turn)
    for (const path of this.#touched) {
      const mayProbe = !this.#work.isProbedBeside(path)
      path.endBatch(turn.now, mayProbe, hasMore)
      if (path.badBlocks >= BAD_BLOCKS_MAX) this.#dropPath(path, 'sent bad data', turn)
      if (path.breaches >= BREACHES_MAX) this.#dropPath(path, 'sends more than it may', turn)
      if (path.isBlackHole) this.#work.onBlackHole(path, turn.now)
    }
    this.#advance(turn, this.#touched)
    this.#touched.clear()
  }

  /** @param data undefined where the block can't be had: `why` says so for people */
  onBlockRead(file: number, block: BlockIndex, data: Uint8Array | undefined, why: string, turn: Turn): void {
    if (this.#local === undefined || this.#local.file !== file || this.#state !== 'collecting') return
    if (data !== undefined) {
      if (this.#local.onRead(block, data, this.#work.assembly)) this.#blocks.onLocal(block)
    } else if (this.#local.usable) {
      this.#local.onBroken(why)
      this.#work.abandonLocal()
    }
    this.#advance(turn)
  }

  onBlockStored(block: BlockIndex, outcome: Stored, turn: Turn): void {
    if (this.#state !== 'collecting') return
    if (outcome === 'stored') this.#blocks.onStored(block)
    else if (outcome === 'bad') this.#onBadBlock(block, turn)
    else this.#finish({ kind: 'disk', detail: outcome.error }, turn)
    this.#advance(turn)
  }

  onTargetFinished(error: string | undefined, turn: Turn): void {
    if (this.#state !== 'finishing') return
    this.#finish(error === undefined ? undefined : { kind: 'disk', detail: error }, turn)
  }

  /** Ends before the file is whole. */
  stop(detail: string, turn: Turn): void {
    if (this.#state !== 'done') this.#finish({ kind: 'interrupted', detail }, turn)
  }

  onTick(turn: Turn): void {
    if (this.#state !== 'collecting') return
    // We stood still: what came meanwhile waits in the socket, and nobody was silent for all we know.
    const hasStalled = since(this.#turnAt, turn.now) > STALL_MS
    this.#turnAt = turn.now
    for (const path of this.#work.paths) {
      if (hasStalled) path.onBusy(turn.now)
      if (path.state === 'dead' || !path.isWaitedFor || path.timeoutAt() > turn.now) continue
      const patience = this.#patience(path)
      const step = path.onTimeout(turn.now, patience)
      if (!this.isListed) continue
      if (step === 'dead') this.#dropPath(path, 'silent', turn)
      else if (step === 'move' && path.state === 'active' && patience === 'others') this.#suspend(path)
    }
    if (turn.now >= this.#progressAt) this.#report(turn)
    this.#advance(turn)
  }

  /** Who could give in its place what `path` owes. */
  #patience(path: Path): Patience {
    if (this.#local?.usable === true) return 'local'
    return this.#work.active.some(other => other !== path) ? 'others' : 'last'
  }

  /** The next PULL that is due; the caller encodes and sends it. */
  nextMessage(now: Instant): AddressedPull | undefined {
    return this.#state === 'collecting' ? this.#pulls.next(now) : undefined
  }

  deadline(): Instant {
    if (this.#state !== 'collecting') return NEVER
    let at = earliest(this.#progressAt, this.#journal.deadline())
    for (const path of this.#work.paths) {
      if (path.isPulled) at = earliest(at, path.pullDueAt(), path.isWaitedFor ? path.timeoutAt() : NEVER)
    }
    return at
  }

  /** Takes CHUNKs that continue one another at once. @returns how many; 0 where something about them is unusual */
  #takeRun(batch: ReceiveBatch, first: number, path: Path, now: Instant): number {
    const d = batch.data[first]!
    const count = runLength(batch, first)
    if (count === 1 || bulk.sequenceOf(d) + count - 1 > path.credit) return 0
    const open = this.#blocks.openFor(d, count, path)
    if (open === undefined || !path.onRun(d, count, now)) return 0
    this.#touched.add(path)
    this.#blocks.onRun(open, batch, first, count, path, now)
    return count
  }

  /** Whatever came in: take the next steps that it allows. @param touched where it did; undefined: anywhere */
  #advance(turn: Turn, touched?: ReadonlySet<Path>): void {
    if (this.#state !== 'collecting') return
    this.#blocks.proceed(turn.effects)
    if (this.#blocks.isComplete) {
      this.#state = 'finishing'
      this.#dismissAll(turn.events)
      turn.effects.push({ kind: 'finish-target' })
      return
    }
    const hasPeers = !this.#work.isHopeless(turn.now)
    if (hasPeers) this.#work.adoptHomeless(turn.now)
    else this.#work.turnToLocal()
    for (const path of this.#paths.toRefill(touched, turn.now)) {
      this.#work.refill(path, turn.now)
      this.#blocks.askForPages(path)
    }
    this.#work.refillLocal(turn.effects)
    if (!this.#resumption.isChecking) this.#journal.proceed(turn.now, turn.effects)
    if (!hasPeers && this.#local?.isBusy !== true && this.#work.isWanting) this.#giveUp(turn)
  }

  #giveUp(turn: Turn): void {
    const missing = this.#wanted.bytes - this.#blocks.bytes
    const local = this.#local?.broken === undefined ? '' : `, and the local file ${this.#local.broken}`
    this.#finish({ kind: 'incomplete', missing, detail: `no peer with the file is left${local}` }, turn)
  }

  /** Only a block that one peer gave alone says who lied; a mixed one is fetched again from one peer. */
  #onBadBlock(block: BlockIndex, turn: Turn): void {
    const bad = this.#blocks.onBad(block)
    if (bad === undefined) return
    const { open, suspects } = bad
    this.trace?.add('block:bad', { block: open.index, suspects: this.#work.namesOf(suspects) })
    if (suspects.size === 1) {
      const liar = this.#work.paths[[...suspects][0]! - PATH_SOURCES_FROM]!
      if (++liar.badBlocks >= BAD_BLOCKS_MAX) this.#dropPath(liar, 'sent bad data', turn)
    }
    this.#work.restart(open)
    const { active } = this.#work
    const holders = active.filter(path => this.#work.availability.has(path.number, open.index))
    const next = holders.find(path => !suspects.has(path.number)) ?? holders[0]
    if (next !== undefined) this.#work.askAlone(open, next, turn.now)
  }

  #dropPath(path: Path, why: string, turn: Turn): void {
    if (path.state === 'dead') return
    this.#paths.end(path)
    this.#work.availability.forget(path.number)
    this.#blocks.forgetPages(path)
    this.#work.strip(path, true)
    turn.events.push({ kind: 'dismissed', to: path.endpoint, session: path.session })
    turn.events.push({ kind: 'path-lost', endpoint: path.endpoint, why })
    this.#advance(turn)
  }

  /** The peer forgot the transfer: begin another one with it. */
  #renewPath(path: Path, turn: Turn): void {
    this.#suspend(path)
    this.#paths.end(path)
    this.#work.availability.forget(path.number)
    this.#addPath({ kind: 'peer', endpoint: path.endpoint, isPartial: path.isPartial }, turn.now)
    this.#advance(turn)
  }

  #onRefused(path: Path, now: Instant): void {
    path.heardAt = now
    if (path.state === 'active') this.#suspend(path)
  }

  #suspend(path: Path): void {
    path.state = 'suspended'
    path.trace?.onSuspended()
    this.#blocks.forgetPages(path)
    this.#work.strip(path, false)
  }

  #report({ now, events }: Turn): void {
    const verifiedBytes = this.#blocks.bytes
    this.#goodput.update(verifiedBytes, now)
    this.#progressAt = after(now, PROGRESS_MS)
    const progress = { bytes: this.#wanted.bytes, verifiedBytes, rate: this.#goodput.rate, peers: this.#work.progress }
    events.push({ kind: 'progress', progress })
  }

  #finish(failure: TransferFailure | undefined, { effects, events }: Turn): void {
    if (this.#state === 'collecting' && !this.#resumption.isChecking) this.#journal.close(effects)
    if (this.#state === 'collecting') this.#dismissAll(events)
    this.#state = 'done'
    const endpointOf = (source: number) => this.#work.paths[source - PATH_SOURCES_FROM]?.endpoint
    events.push({ kind: 'finished', failure, fragments: this.#ledger.report(endpointOf) })
  }

  #dismissAll(events: CollectorEvent[]): void {
    for (const { state, endpoint: to, session } of this.#work.paths) {
      if (state !== 'dead') events.push({ kind: 'dismissed', to, session })
    }
  }

  #addPath(source: PeerSource, now: Instant): Path {
    const path = this.#paths.add(source, this.#work.chunkSize, now)
    this.#work.addPath(path, this.#home, now)
    return path
  }

  /** Where to begin, as a share of what is fetched. */
  get #home(): number {
    return this.#options.isServed ? Number(this.#options.member >> 32n) / 2 ** 32 : 0
  }
}
