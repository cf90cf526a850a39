// One peer's machines behind one contract: its membership, the uploads it serves, and, in a collector, the one transfer
// it fetches. Datagrams are told apart here; bulk never becomes an object.
import { type Digests, type Random, randomSession } from '../ambient.js'
import type { Endpoint } from '../endpoint.js'
import { assert } from '../errors.js'
import type { MemberEvent } from '../membership/event.js'
import { Member } from '../membership/member.js'
import type { Collector } from '../transfer/collector.js'
import type { Turn } from '../transfer/effect.js'
import { type Ended, Uploads } from '../transfer/uploads.js'
import { earliest, type Instant, NEVER, sequence } from '../units.js'
import type { ReceiveBatch, SendBatch } from '../wire/batch.js'
import { isBulk, isBulkTag, tagOf } from '../wire/bulk.js'
import { encode } from '../wire/encode.js'
import { CHUNK_HEADER_BYTES, ERROR_CODE, HEADER_BYTES, REASON, type Reason, TAG } from '../wire/layout.js'
import type { ErrorMessage, Goodbye, Message, Probe, Pull, Unsequenced } from '../wire/message.js'
import type { Outgoing } from '../wire/outgoing.js'
import type { Effect, FetchKey, FileKey, Host, Input, OfFetch, StopReason, TargetAnswer } from './contract.js'
import { ControlQueue } from './control-queue.js'
import { EarlyPulls } from './early-pulls.js'
import { Errands } from './errands.js'
import { Farewells } from './farewells.js'
import { Fetch, type FetchOptions, type Holder } from './fetch.js'
import { type HeldFile, Holdings } from './holdings.js'

/** Payload octets of a chunk: a 1500-octet Ethernet frame less IP, UDP and CHUNK headers. */
const CHUNK_BYTES_IPV4 = 1_444
const CHUNK_BYTES_IPV6 = 1_424

export interface PeerHostOptions {
  readonly manager: Endpoint
  /** Seconds; 0 = none. */
  readonly ttl: number
  readonly files: readonly HeldFile[]
  readonly collect?:
    | {
        readonly name: string
        readonly once: boolean
        readonly ownFile: FileKey | undefined
        /** Drop what an earlier run left, of this content or of another. */
        readonly restart?: boolean | undefined
      }
    | undefined
  /** kbit/s for all uploads together; undefined = none. */
  readonly uploadLimit?: number | undefined
  /** kbit/s that a collector asks all peers together for; undefined = none. */
  readonly downloadLimit?: number | undefined
  /** See CollectorOptions. */
  readonly background?: boolean | undefined
  /** UDP payload of the longest datagram that our own interface carries; undefined: no longer ones than usual are tried. */
  readonly datagramMax?: number | undefined
  /** Octets that our socket holds. */
  readonly receiveBuffer: number
  /** Makes BLOCK_BYTES of memory for a block that is collected, where some memory is better than other. */
  readonly blockMemory?: (() => Uint8Array) | undefined
  /** Milliseconds of its rate that an upload sends at once, at most; undefined: as many as late timers need. */
  readonly burst?: number | undefined
  /** Wait for a lost manager instead of stopping. */
  readonly wait: boolean
  readonly random: Random
  readonly digests: Digests
  /** Report what a transfer does in detail, as `trace` events. */
  readonly trace?: boolean | undefined
}

export class PeerHost implements Host {
  readonly #options: PeerHostOptions
  readonly #session: bigint
  readonly #member: Member
  readonly #uploads: Uploads
  /** What the peer was started for. */
  readonly #fetch: Fetch | undefined
  readonly #errands = new Errands()
  /** What all fetches have in common. */
  readonly #fetchOptions: Omit<FetchOptions, 'name' | 'own' | 'restart' | 'holder'>
  readonly #holdings: Holdings
  readonly #queue = new ControlQueue()
  readonly #farewells = new Farewells()
  readonly #earlyPulls = new EarlyPulls()
  // Emptied at the end of each turn, and reused.
  readonly #out: Outgoing[] = []
  readonly #events: MemberEvent[] = []
  /** Our PULL answers and goodbyes to collectors are not one stream: a running number is enough. */
  #sequence = 0
  #leaving: StopReason | undefined
  #isStopped = false

  constructor(options: PeerHostOptions, now: Instant) {
    const { manager, files, random, digests, collect } = options
    this.#options = options
    this.#session = randomSession(random)
    const offers = files.map(file => file.offer)
    this.#member = new Member({
      manager,
      session: this.#session,
      ttl: options.ttl,
      offers,
      random,
      wait: options.wait,
      preview: collect !== undefined,
    })
    const chunkSize = manager.address.includes(':') ? CHUNK_BYTES_IPV6 : CHUNK_BYTES_IPV4
    const datagramMax = Math.max(options.datagramMax ?? 0, CHUNK_HEADER_BYTES + chunkSize)
    this.#uploads = new Uploads(
      files,
      random,
      octetsPerMillisecond(options.uploadLimit),
      now,
      datagramMax,
      options.burst,
    )
    this.#holdings = new Holdings(files, this.#uploads)
    this.#fetchOptions = {
      member: this.#session,
      chunkSize,
      datagramMax,
      receiveBuffer: options.receiveBuffer,
      blockMemory: options.blockMemory,
      limit: octetsPerMillisecond(options.downloadLimit),
      background: options.background,
      random,
      digests,
      trace: options.trace,
      dismiss: (to, session, at) => this.#farewells.say(to, session, REASON.DONE, at, this.#out),
    }
    if (collect !== undefined) {
      const own = collect.ownFile === undefined ? undefined : files[collect.ownFile]
      this.#fetch = new Fetch(
        {
          ...this.#fetchOptions,
          name: collect.name,
          own: own && { key: collect.ownFile!, ...own },
          restart: collect.restart ?? false,
          holder: this.#holderOf(undefined, true),
        },
        now,
      )
    }
  }

  receive(batch: ReceiveBatch, now: Instant, effects: Effect[]): void {
    if (this.#isStopped) return
    for (let i = 0; i < batch.count; ) i += this.#receiveNext(batch, i, now, effects)
    this.#driveAll(effects, now, (collector, turn) => collector.endBatch(turn, batch.hasMore))
    this.#follow(now, effects)
  }

  step(input: Input, now: Instant, effects: Effect[]): void {
    if (this.#isStopped) return
    switch (input.kind) {
      case 'tick':
        this.#member.tick(now, this.#out, this.#events)
        this.#uploads.onTick(now)
        this.#farewells.tick(now, this.#out)
        this.#fetch?.onTick(now, effects)
        this.#errands.onTick(now, effects)
        break
      case 'stop':
        this.#leave('asked', 'stopped by the operator', now, effects)
        break
      case 'block-read':
        this.#onBlockRead(input, now, effects)
        break
      case 'offer':
        this.#offer(input)
        break
      case 'fetch':
        this.#begin(input, now, effects)
        break
      case 'cancel':
        this.#errands.stop(input.fetch, input.detail, now, effects)
        break
      case 'withdraw':
        this.#refuse(this.#holdings.end(input.fetch))
        break
      default:
        this.#onAnswer(input, now, effects)
    }
    this.#follow(now, effects)
  }

  fill(batch: SendBatch, now: Instant): void {
    this.#queue.fill(batch)
    while (!batch.isFull) {
      const next = this.#fetch?.collector?.nextMessage(now) ?? this.#errands.nextMessage(now)
      if (next === undefined) break
      batch.push(next.to, encode(next.message, batch.head))
      this.#queue.counters.add(`sent.${next.message.kind}`)
    }
    this.#uploads.fill(batch, now)
  }

  deadline(): Instant {
    const fetches = earliest(this.#fetch?.deadline() ?? NEVER, this.#errands.deadline())
    return earliest(this.#member.deadline(), this.#farewells.deadline(), this.#uploads.deadline(), fetches)
  }

  counters(): Readonly<Record<string, number>> {
    const fetched = this.#fetch?.counters ?? this.#errands.counters
    return { ...this.#queue.counters.all(), ...fetched, uploads: this.#uploads.active }
  }

  #offer({ file, offer, tree }: Extract<Input, { kind: 'offer' }>): void {
    const key = this.#holdings.addFile({ offer, tree })
    assert(key === file, `offer ${file} is the ${key}th`)
  }

  /** Serves what a fetch has. @param staysOn also when it is whole */
  #holderOf(fetch: FetchKey | undefined, staysOn: boolean): Holder {
    return {
      begin: (offer, tree, have) => this.#holdings.begin(fetch, offer, tree, have),
      end: isWhole => {
        const stays = isWhole && staysOn && this.#holdings.complete(fetch)
        if (!stays) this.#refuse(this.#holdings.end(fetch))
      },
    }
  }

  #begin({ fetch: key, offer, ...options }: Extract<Input, { kind: 'fetch' }>, now: Instant, effects: Effect[]): void {
    assert(!this.#errands.isFull && !this.#errands.has(key), `fetch ${key} is one too many`)
    const { files } = this.#holdings
    const own = files.findIndex(file => sameOctets(file.offer.root, offer.root))
    const ownFile = own === -1 ? undefined : { key: own, ...files[own]! }
    const { serve = 'no', ...rest } = options
    const holder = serve === 'no' ? undefined : this.#holderOf(key, serve === 'on')
    const wish = { ...rest, name: offer.name, wanted: offer, own: ownFile, holder }
    const fetch = new Fetch({ ...this.#fetchOptions, ...wish }, now)
    this.#errands.begin(key, fetch)
    if (this.#member.version > 0) {
      this.#errands.onList(this.#member.list, [], this.#member.roundTrip, now, effects)
    }
  }

  #onAnswer(input: TargetAnswer & OfFetch, now: Instant, effects: Effect[]): void {
    if (input.kind === 'target-read') {
      this.#refuse(this.#uploads.onTargetRead(input.fetch, input.block, input.data, effects))
      if (input.data === undefined) this.#loseWhole(input.fetch, input.why, effects)
    }
    const give = (fetch: Fetch, own: Effect[]) => giveAnswer(fetch, input, now, own)
    if (input.fetch !== undefined) this.#errands.give(input.fetch, effects, give)
    else if (this.#fetch !== undefined) give(this.#fetch, effects)
  }

  /** What a fetch left to be served was changed, or can't be read. */
  #loseWhole(fetch: FetchKey | undefined, why = 'can not be read', effects: Effect[]): void {
    const name = this.#holdings.nameOfWhole(fetch)
    if (name === undefined) return
    this.#refuse(this.#holdings.end(fetch))
    effects.push({ kind: 'report', event: { kind: 'offer-lost', fetch, name, why } })
  }

  #driveAll(effects: Effect[], now: Instant, step: (collector: Collector, turn: Turn) => void): void {
    this.#fetch?.drive(effects, now, step)
    this.#errands.driveAll(effects, now, step)
  }

  #stopFetches(detail: string, now: Instant, effects: Effect[]): void {
    this.#fetch?.stop(detail, now, effects)
    this.#errands.stopAll(detail, now, effects)
  }

  /** @returns how many datagrams it took */
  #receiveNext(batch: ReceiveBatch, index: number, now: Instant, effects: Effect[]): number {
    const d = batch.data[index]!
    const tag = tagOf(d)
    if (isBulkTag(tag) && isBulk(d)) {
      const taken = this.#fetch?.collector?.onBulk(batch, index, now) || this.#errands.onBulk(batch, index, now)
      if (taken === 0) this.#queue.counters.add('dropped.stray-bulk')
      return taken || 1
    }
    const message = this.#queue.read(d)
    if (message !== undefined) this.#onMessage(message, batch.from[index]!, now, effects)
    return 1
  }

  #onMessage(message: Message, from: Endpoint, now: Instant, effects: Effect[]): void {
    // Goodbyes and errors bear our own session in membership, and a transfer's in transfers.
    const isTransfer = message.session !== this.#session
    if (message.kind === 'pull') this.#onPull(message, from, now, effects)
    else if (message.kind === 'probe') this.#onProbe(message, from, now, effects)
    else if (message.kind === 'goodbye' && isTransfer) this.#onGoodbye(message, from, now, effects)
    else if (message.kind === 'error' && isTransfer) this.#onError(message, from, now, effects)
    else this.#member.receive(message, from, now, this.#out, this.#events)
  }

  /** Only a member that proves to be the one on the list is served; anyone else costs one short answer. */
  #onPull(pull: Pull, from: Endpoint, now: Instant, effects: Effect[]): void {
    if (this.#isListed(from, pull.member)) {
      this.#serve(from, pull, now, now, effects)
      return
    }
    this.#queue.counters.add('dropped.not-listed')
    this.#earlyPulls.keep(from, pull, now)
    this.#answer(from, { kind: 'error', session: pull.session, code: ERROR_CODE.NOT_LISTED, tag: TAG.PULL })
  }

  /** @param at when the PULL came */
  #serve(from: Endpoint, pull: Pull, at: Instant, now: Instant, effects: Effect[]): void {
    const refusal = this.#uploads.onPull(from, pull, now, effects, at)
    if (refusal === 'bad-proof') this.#queue.counters.add('dropped.bad-proof')
    else if (refusal !== undefined) {
      this.#answer(from, { kind: 'error', session: pull.session, code: refusal, tag: TAG.PULL })
    }
  }

  readonly #isListed = (endpoint: Endpoint, session: bigint) => this.#member.find(endpoint)?.session === session

  #onGoodbye(message: Goodbye, from: Endpoint, now: Instant, effects: Effect[]): void {
    const { session, reason } = message
    if (message.ack) {
      this.#farewells.onConfirmed(from, session)
      return
    }
    this.#earlyPulls.forget(from, session)
    let isKnown = this.#uploads.onGoodbye(from, session)
    this.#driveAll(effects, now, (collector, turn) => {
      if (collector.onGoodbye(from, session, turn)) isKnown = true
    })
    // Also if it is not known any more: the first confirmation may have been lost.
    if (isKnown || this.#member.find(from) !== undefined) {
      this.#answer(from, { kind: 'goodbye', ack: true, session, reason })
    }
  }

  #onProbe({ session, sequence: pull, padding }: Probe, from: Endpoint, now: Instant, effects: Effect[]): void {
    let isOurs = false
    this.#driveAll(effects, now, collector => {
      if (collector.onProbe(from, session, HEADER_BYTES + padding, pull)) isOurs = true
    })
    if (!isOurs) this.#queue.counters.add('dropped.stray-probe')
  }

  #onError({ session, code }: ErrorMessage, from: Endpoint, now: Instant, effects: Effect[]): void {
    this.#driveAll(effects, now, (collector, turn) => collector.onError(from, session, code, turn))
  }

  #onBlockRead(input: Extract<Input, { kind: 'block-read' }>, now: Instant, effects: Effect[]): void {
    const { file, block, data, why = 'can not be read' } = input
    this.#refuse(this.#uploads.onBlockRead(file, block, data, effects))
    const { name } = this.#holdings.files[file]!.offer
    if (data === undefined) effects.push({ kind: 'report', event: { kind: 'offer-lost', name, why } })
    this.#driveAll(effects, now, (collector, turn) => collector.onBlockRead(file, block, data, why, turn))
  }

  /** Tells those who were served that there is nothing more for them. */
  #refuse(ended: readonly Ended[]): void {
    for (const { to, session } of ended) {
      this.#answer(to, { kind: 'error', session, code: ERROR_CODE.FILE_LOST, tag: TAG.PULL })
    }
  }

  /** After every input: pass on what membership says, and stop when there is nothing left to do. */
  #follow(now: Instant, effects: Effect[]): void {
    this.#conclude(now, effects)
    this.#queue.take(this.#out)
  }

  #conclude(now: Instant, effects: Effect[]): void {
    for (const event of this.#events.splice(0)) {
      if (event.kind === 'preview') {
        this.#fetch?.onPreview(event.peers, this.#member.roundTrip, now, effects)
        continue
      }
      effects.push({ kind: 'report', event })
      if (event.kind !== 'list') continue
      for (const { from, pull, at } of this.#earlyPulls.takeListed(this.#isListed, now)) {
        this.#serve(from, pull, at, now, effects)
      }
      const left = event.left.map(departure => departure.peer)
      this.#fetch?.onList(this.#member.list, left, this.#member.roundTrip, now, effects)
      this.#errands.onList(this.#member.list, left, this.#member.roundTrip, now, effects)
    }
    if (this.#options.collect?.once && this.#fetch?.isDone && this.#leaving === undefined) {
      this.#leave('collected', '', now, effects)
    }
    if (this.#holdings.isChanged && this.#leaving === undefined) {
      this.#holdings.isChanged = false
      this.#member.setOffers(this.#holdings.offers, now)
      this.#member.tick(now, this.#out, this.#events)
    }
    const ended = this.#member.stopped
    if (ended === undefined) return
    const isLost = ended === 'manager-closed' || ended === 'manager-silent' || ended === 'no-manager'
    const isBusy = this.#fetch?.isUnderWay || this.#errands.isBusy || this.#uploads.active > 0
    if (isLost && isBusy && this.#leaving === undefined) {
      this.#member.seek(now)
      return
    }
    this.#end(this.#leaving ?? ended, now, effects)
  }

  /** Says goodbye to everyone; `end` follows when the manager has confirmed. */
  #leave(why: 'asked' | 'collected', detail: string, now: Instant, effects: Effect[]): void {
    if (this.#leaving !== undefined) return
    this.#leaving = why
    this.#stopFetches(detail, now, effects)
    this.#dismissUploads(REASON.GOODBYE, now)
    this.#member.leave(now, why)
    this.#member.tick(now, this.#out, this.#events)
  }

  #end(why: StopReason, now: Instant, effects: Effect[]): void {
    this.#stopFetches(STOP_DETAILS[why], now, effects)
    this.#dismissUploads(why === 'ttl-ended' ? REASON.TTL_ENDED : REASON.GOODBYE, now)
    this.#isStopped = true
    effects.push({ kind: 'stopped', why })
  }

  #dismissUploads(reason: Reason, now: Instant): void {
    for (const { to, session } of this.#uploads.stop()) this.#farewells.say(to, session, reason, now, this.#out)
  }

  #answer(to: Endpoint, message: Unsequenced<Goodbye | ErrorMessage>): void {
    this.#out.push({ to, message: { ...message, sequence: sequence(++this.#sequence) } })
  }
}

function octetsPerMillisecond(kilobits: number | undefined): number | undefined {
  return kilobits === undefined ? undefined : kilobits / 8
}

function giveAnswer(fetch: Fetch, answer: TargetAnswer, now: Instant, effects: Effect[]): void {
  if (answer.kind === 'target-found') {
    fetch.onFound(answer.found, answer.error, now, effects)
    return
  }
  fetch.drive(effects, now, (collector, turn) => {
    if (answer.kind === 'target-ready') collector.onTargetReady(answer.error, turn)
    else if (answer.kind === 'target-read') collector.onTargetRead(answer.block, answer.data, turn)
    else if (answer.kind === 'block-stored') collector.onBlockStored(answer.block, answer.outcome, turn)
    else if (answer.kind === 'target-flushed') collector.onTargetFlushed(answer.error, turn)
    else collector.onTargetFinished(answer.error, turn)
  })
}

/** What a transfer that ends with the process is told. */
const STOP_DETAILS: Readonly<Record<StopReason, string>> = {
  asked: 'stopped by the operator',
  'ttl-ended': 'the TTL ended before the file was whole',
  'manager-closed': 'the manager closed',
  'manager-silent': 'the manager fell silent',
  'no-manager': 'no manager answered',
  replaced: 'another process took over this port',
  refused: 'the manager refused the registration',
  collected: '',
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i])
}
