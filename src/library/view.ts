// What the swarm offers, as a peer's copy of the list shows it, and which content a name or an id means.
import { type Endpoint, sameEndpoint } from '../endpoint.js'
import { UsageError } from '../errors.js'
import type { HostEvent } from '../host/contract.js'
import type { ListedPeer } from '../membership/listed-peer.js'
import { HASH_BYTES } from '../wire/layout.js'
import type { Offer } from '../wire/message.js'
import { underSignals } from './under-signals.js'

/** The first digits of an id that may stand for it: 64 bits, which nobody can forge. */
export const ID_DIGITS_MIN = 16
/** Milliseconds: a longer wait is none at all to Node's timers. */
const TIMER_MAX = 2 ** 31 - 1
const ID_PATTERN = new RegExp(`^[\\da-f]{${ID_DIGITS_MIN},${2 * HASH_BYTES}}$`, 'i')

/** A content that somebody offers. */
export interface Held {
  /** The root, in hexadecimal. */
  readonly id: string
  /** By which it is offered; most peers first. */
  readonly names: readonly string[]
  /** Octets. */
  readonly bytes: number
  readonly peers: readonly Endpoint[]
  /** Those of them that still collect it, and serve what they have. */
  readonly partial: readonly Endpoint[]
}

export class View {
  #peers: readonly ListedPeer[] = []
  #isListed = false
  readonly #own: () => Endpoint
  readonly #waiting = new Set<() => void>()

  /** @param own where this peer is: its own offers are not what it could fetch */
  constructor(own: () => Endpoint) {
    this.#own = own
  }

  onEvent(event: HostEvent): void {
    if (event.kind !== 'list') return
    this.#peers = event.peers
    this.#isListed = true
    for (const look of [...this.#waiting]) look()
  }

  /** By id, those first that most peers offer. */
  get held(): readonly Held[] {
    return heldBy(this.#peers)
  }

  /** Fulfilled with the first list. */
  listed(signal: AbortSignal): Promise<void> {
    return this.#until(() => (this.#isListed ? true : undefined), signal).then(() => {})
  }

  /**
   * The content that others offer by a name or an id.
   *
   * @param what a name, an id, or ID_DIGITS_MIN or more of its first digits
   * @param patience milliseconds from the first list on
   * @returns undefined where nobody offers it in that time
   * @throws UsageError where it means several contents
   */
  async find(what: string, patience: number, signal: AbortSignal): Promise<Offer | undefined> {
    await this.listed(signal)
    const late = new AbortController()
    const timer = Number.isFinite(patience) ? setTimeout(() => late.abort(), Math.min(patience, TIMER_MAX)) : undefined
    try {
      return await underSignals([signal, late.signal], either => this.#until(() => offerOf(what, this.#others), either))
    } catch (error) {
      if (signal.aborted || error instanceof UsageError) throw error
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }

  get #others(): readonly ListedPeer[] {
    const own = this.#own()
    return this.#peers.filter(({ endpoint }) => !sameEndpoint(endpoint, own))
  }

  /** Fulfilled as soon as `find` gives something; rejected when it throws, and with the reason of `signal`. */
  #until<T>(find: () => T | undefined, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        this.#waiting.delete(look)
        signal.removeEventListener('abort', onAbort)
        settle()
      }
      const look = () => {
        try {
          const found = find()
          if (found !== undefined) end(() => resolve(found))
        } catch (error) {
          end(() => reject(error))
        }
      }
      const onAbort = () => end(() => reject(signal.reason))
      this.#waiting.add(look)
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
      else look()
    })
  }
}

/** @throws UsageError where `what` means several contents */
function offerOf(what: string, peers: readonly ListedPeer[]): Offer | undefined {
  const offers = peers.flatMap(peer => peer.offers)
  const byId = ID_PATTERN.test(what) ? offers.filter(offer => idOf(offer).startsWith(what.toLowerCase())) : []
  const meant = byId.length > 0 ? byId : offers.filter(offer => offer.name === what)
  const contents = heldBy(peers).filter(({ id, bytes }) =>
    meant.some(offer => idOf(offer) === id && offer.size === bytes),
  )
  if (contents.length > 1) {
    const ids = contents.slice(0, 5).map(({ id, peers: { length } }) => `${id.slice(0, ID_DIGITS_MIN)} (${length})`)
    throw new UsageError(
      `${contents.length} different contents are offered as ${JSON.stringify(what)}: give the id instead, ` +
        `one of ${ids.join(', ')}${contents.length > ids.length ? ', ...' : ''}; in brackets, how many peers have it`,
    )
  }
  const [first] = meant
  return first && { name: first.name, size: first.size, root: first.root }
}

function heldBy(peers: readonly ListedPeer[]): readonly Held[] {
  const contents = new Map<string, Counted>()
  for (const { endpoint, offers } of peers) {
    for (const offer of offers) {
      // A size that others don't state for the root is somebody's lie: it is shown as what it is, another content.
      const key = `${idOf(offer)}/${offer.size}`
      const content = contents.get(key) ?? newlyCounted(offer)
      contents.set(key, content)
      content.names.set(offer.name, (content.names.get(offer.name) ?? 0) + 1)
      content.peers.push(endpoint)
      if (offer.isPartial) content.partial.push(endpoint)
    }
  }
  return [...contents.values()]
    .map(content => ({ ...content, names: [...content.names].sort((a, b) => b[1] - a[1]).map(([name]) => name) }))
    .sort((a, b) => b.peers.length - a.peers.length || (a.id < b.id ? -1 : 1))
}

interface Counted {
  readonly id: string
  readonly bytes: number
  /** How many peers call it so. */
  readonly names: Map<string, number>
  readonly peers: Endpoint[]
  readonly partial: Endpoint[]
}

function newlyCounted(offer: Offer): Counted {
  return { id: idOf(offer), bytes: offer.size, names: new Map(), peers: [], partial: [] }
}

function idOf({ root }: Offer): string {
  return Buffer.from(root).toString('hex')
}
