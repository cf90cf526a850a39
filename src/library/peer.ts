// A peer that runs in this process: what it shares and gets while it does.
import { setMaxListeners } from 'node:events'
import { UsageError } from '../errors.js'
import type { FetchKey, HostEvent } from '../host/contract.js'
import { FETCHES_MAX } from '../host/errands.js'
import { offersFit } from '../membership/offers.js'
import type { Driver } from '../shell/driver.js'
import { systemDigests } from '../shell/entropy.js'
import { openOffering } from '../shell/offering.js'
import { SharedBundle } from '../shell/shared-bundle.js'
import type { Offer } from '../wire/message.js'
import { StoppedError } from './errors.js'
import { type Fetching, fetching } from './fetching.js'
import {
  type Fetched,
  type FetchOrder,
  findOffer,
  type GetContext,
  type GetEvent,
  type GetOptions,
  runGet,
} from './get.js'
import { type Listing, runLook } from './look.js'
import type { Node } from './node.js'
import { type SeedEnd, Seeds } from './seeds.js'
import { offeringOptions, type ShareOptions } from './share-options.js'
import { type Holder, runSurvey } from './survey.js'
import { underSignals } from './under-signals.js'
import { type Held, View } from './view.js'

export interface Peer extends Node {
  /** What the swarm offers, as this peer's list shows it: what most peers have first. */
  readonly held: readonly Held[]
  /** Fulfilled with the first list of the swarm. @throws StoppedError */
  listed(): Promise<void>
  /**
   * Offers files and folders, together as one content, until the peer stops. Each octet is read once for that.
   *
   * @param paths symbolic links in them are left out; one that is named itself is refused
   * @throws UsageError where a pattern or the name is bad, or the peer offers as much as it may; FileError where something
   * can't be read or sent, or changes meanwhile
   */
  share(paths: string | readonly string[], options?: ShareOptions): Promise<Shared>
  /**
   * Gets a content from everyone who has it.
   *
   * @param what a name, an id, or 16 or more of its first digits
   * @returns to be awaited, or read event by event; either throws what `runGet` throws (library/get.ts), and StoppedError
   */
  get(what: string, options?: GetOptions): Fetching
  /** How much of a content each of those has who offer it; those who still collect it are asked, for 2 s at most. @throws as `get` */
  survey(held: Held, options?: Pick<GetOptions, 'signal'>): Promise<readonly Holder[]>
  /** What is in a content, without getting its files. @throws as `get` */
  look(what: string, options?: Pick<GetOptions, 'patience' | 'signal'>): Promise<Listing>
}

export interface Shared {
  /** The root, in hexadecimal: whoever has it can check everything. */
  readonly id: string
  readonly name: string
  /** Octets of the content; of a bundle the manifest's too. */
  readonly bytes: number
  /** Of all files and folders, names with `/` between them. */
  readonly paths: readonly string[]
  /** Symbolic links, and what is neither file nor folder. */
  readonly leftOut: readonly string[]
}

/** What the host says of one fetch. */
type Listener = (event: HostEvent) => void

export class RunningPeer implements Peer {
  readonly #node: Node
  readonly #driver: Driver
  readonly #view: View
  readonly #offers: Offer[]
  readonly #context: GetContext
  readonly #stopped = new AbortController()
  readonly #fetches = new Map<FetchKey, Listener>()
  readonly #seeds: Seeds
  /** Fetches that wait for one of the others to end. */
  readonly #queue: (() => void)[] = []
  #running = 0
  #lastKey = 0

  /** @param offers what the peer was started with */
  constructor(node: Node, driver: Driver, offers: readonly Offer[]) {
    this.#node = node
    this.#driver = driver
    this.#offers = [...offers]
    this.#view = new View(() => node.local)
    this.#context = {
      digests: systemDigests,
      find: this.#view.find.bind(this.#view),
      fetch: this.#fetch.bind(this),
    }
    this.#seeds = new Seeds(key => {
      driver.withdraw(key)
      void driver.endFetch(key)
    })
    // Each get listens, and there may be many.
    setMaxListeners(0, this.#stopped.signal)
    void node.done.then(why => {
      this.#stopped.abort(new StoppedError(why))
      this.#seeds.endAll('stopped')
    })
  }

  get local() {
    return this.#node.local
  }

  get receiveBuffer() {
    return this.#node.receiveBuffer
  }

  get socket() {
    return this.#node.socket
  }

  get remark() {
    return this.#node.remark
  }

  get done() {
    return this.#node.done
  }

  get held(): readonly Held[] {
    return this.#view.held
  }

  events() {
    return this.#node.events()
  }

  now() {
    return this.#node.now()
  }

  stop() {
    return this.#node.stop()
  }

  counters() {
    return this.#node.counters()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node.stop()
  }

  /** Each event of the host passes here. */
  onEvent(event: HostEvent): void {
    this.#view.onEvent(event)
    if (event.fetch === undefined) return
    this.#fetches.get(event.fetch)?.(event)
    if (event.kind === 'offer-lost') this.#seeds.end(event.fetch, 'lost')
  }

  listed(): Promise<void> {
    return this.#view.listed(this.#stopped.signal)
  }

  async share(paths: string | readonly string[], options: ShareOptions = {}): Promise<Shared> {
    const given = typeof paths === 'string' ? [paths] : paths
    if (given.length === 0) throw new UsageError('say what to share: one path or more')
    const { content, leftOut } = await openOffering(given, systemDigests, offeringOptions(options))
    const { offer } = content
    const others = this.#offers.filter(({ root }) => Buffer.compare(root, offer.root) !== 0)
    if (this.#stopped.signal.aborted || !offersFit([...others, offer])) {
      await content.close()
      this.#stopped.signal.throwIfAborted()
      throw new UsageError(`can't share ${offer.name} too: ${others.length} contents are as many as one peer can offer`)
    }
    // The same content again is offered already.
    if (others.length < this.#offers.length) await content.close()
    else {
      this.#offers.push(offer)
      this.#driver.offer(content)
    }
    const all = content instanceof SharedBundle ? content.manifest.entries.map(({ path }) => path) : [offer.name]
    return { id: Buffer.from(offer.root).toString('hex'), name: offer.name, bytes: offer.size, paths: all, leftOut }
  }

  get(what: string, options: GetOptions = {}): Fetching {
    return fetching(tell =>
      underSignals([this.#stopped.signal, options.signal], signal =>
        runGet(what, options, this.#context, signal, tell),
      ),
    )
  }

  async look(what: string, options: Pick<GetOptions, 'patience' | 'signal'> = {}): Promise<Listing> {
    return underSignals([this.#stopped.signal, options.signal], async signal =>
      runLook(await findOffer(what, options.patience, this.#context, signal), this.#context, signal),
    )
  }

  async survey(held: Held, options: Pick<GetOptions, 'signal'> = {}): Promise<readonly Holder[]> {
    return underSignals([this.#stopped.signal, options.signal], signal => runSurvey(held, this.#context, signal))
  }

  async #fetch(order: FetchOrder, signal: AbortSignal, tell: (event: GetEvent) => void): Promise<Fetched> {
    await this.#takeTurn(signal)
    const key = ++this.#lastKey
    const { target, seed = 0, ...fetch } = order
    let seeding: Promise<SeedEnd> | undefined
    const stopped = this.#stopped.signal
    const cancel = () => this.#driver.cancelFetch(key, 'given up')
    let onStopped = () => {}
    try {
      signal.addEventListener('abort', cancel, { once: true })
      const result = await new Promise<Fetched>((resolve, reject) => {
        // A host that has stopped answers no more.
        onStopped = () => reject(stopped.reason)
        stopped.addEventListener('abort', onStopped, { once: true })
        this.#fetches.set(key, event => {
          if (event.kind === 'result') {
            // Before anything else is told of it: it may be lost at once.
            if (event.result.failure === undefined && seed > 0) seeding = this.#seeds.begin(key, seed)
            resolve({ ...event.result, seeding })
          } else if (isTold(event)) tell(event)
        })
        this.#driver.fetch({ fetch: key, ...fetch, ...(seed > 0 && { serve: 'on' }) }, target)
      })
      if (result.failure?.kind === 'interrupted') signal.throwIfAborted()
      return result
    } finally {
      signal.removeEventListener('abort', cancel)
      stopped.removeEventListener('abort', onStopped)
      this.#fetches.delete(key)
      if (seeding === undefined) await this.#driver.endFetch(key)
      this.#running--
      this.#queue.shift()?.()
    }
  }

  async #takeTurn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#running >= FETCHES_MAX) await new Promise<void>(resolve => this.#queue.push(resolve))
    this.#running++
    if (!signal.aborted) return
    this.#running--
    this.#queue.shift()?.()
    signal.throwIfAborted()
  }
}

function isTold(event: HostEvent): event is Extract<GetEvent, HostEvent> {
  return ['waiting', 'chosen', 'resumed', 'progress'].includes(event.kind)
}
