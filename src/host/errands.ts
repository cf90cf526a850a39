// The fetches that are ordered while a peer runs, each with a target of its own. What one of them orders and tells bears its key.
import type { Endpoint } from '../endpoint.js'
import type { ListedPeer } from '../membership/listed-peer.js'
import type { Collector } from '../transfer/collector.js'
import type { Turn } from '../transfer/effect.js'
import { earliest, type Instant, NEVER, type PeerId } from '../units.js'
import type { ReceiveBatch } from '../wire/batch.js'
import type { Pull } from '../wire/message.js'
import type { Effect, FetchKey } from './contract.js'
import type { Fetch } from './fetch.js'

/** At once: as many transfers as a peer serves one collector (transfer/uploads.ts). */
export const FETCHES_MAX = 4

export class Errands {
  readonly #fetches = new Map<FetchKey, Fetch>()

  get isFull(): boolean {
    return this.#fetches.size >= FETCHES_MAX
  }

  get isBusy(): boolean {
    return [...this.#fetches.values()].some(fetch => fetch.isUnderWay)
  }

  /** Sums of all fetches, those that are over not counted. */
  get counters(): Readonly<Record<string, number>> {
    const sums: Record<string, number> = {}
    for (const { counters } of this.#fetches.values()) {
      for (const [name, count] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + count
    }
    return sums
  }

  has(key: FetchKey): boolean {
    return this.#fetches.has(key)
  }

  begin(key: FetchKey, fetch: Fetch): void {
    this.#fetches.set(key, fetch)
  }

  /** See Collector. @returns how many datagrams one of them took */
  onBulk(batch: ReceiveBatch, index: number, now: Instant): number {
    for (const { collector } of this.#fetches.values()) {
      const taken = collector?.onBulk(batch, index, now) ?? 0
      if (taken > 0) return taken
    }
    return 0
  }

  onList(
    list: ReadonlyMap<PeerId, ListedPeer>,
    left: readonly ListedPeer[],
    roundTrip: number | undefined,
    now: Instant,
    effects: Effect[],
  ): void {
    this.#each(effects, (fetch, own) => fetch.onList(list, left, roundTrip, now, own))
  }

  onTick(now: Instant, effects: Effect[]): void {
    this.#each(effects, (fetch, own) => fetch.onTick(now, own))
  }

  /** Runs one step of every collector. */
  driveAll(effects: Effect[], now: Instant, step: (collector: Collector, turn: Turn) => void): void {
    this.#each(effects, (fetch, own) => fetch.drive(own, now, step))
  }

  stop(key: FetchKey, detail: string, now: Instant, effects: Effect[]): void {
    this.give(key, effects, (fetch, own) => fetch.stop(detail, now, own))
  }

  stopAll(detail: string, now: Instant, effects: Effect[]): void {
    this.#each(effects, (fetch, own) => fetch.stop(detail, now, own))
  }

  nextMessage(now: Instant): { readonly to: Endpoint; readonly message: Pull } | undefined {
    for (const { collector } of this.#fetches.values()) {
      const next = collector?.nextMessage(now)
      if (next !== undefined) return next
    }
    return undefined
  }

  deadline(): Instant {
    let at = NEVER
    for (const fetch of this.#fetches.values()) at = earliest(at, fetch.deadline())
    return at
  }

  #each(effects: Effect[], act: (fetch: Fetch, own: Effect[]) => void): void {
    if (this.#fetches.size === 0) return
    for (const key of this.#fetches.keys()) this.give(key, effects, act)
  }

  /** Gives something to one fetch; nothing where it is over. */
  give(key: FetchKey, effects: Effect[], act: (fetch: Fetch, own: Effect[]) => void): void {
    const fetch = this.#fetches.get(key)
    if (fetch === undefined) return
    const own: Effect[] = []
    act(fetch, own)
    for (const effect of own) effects.push(marked(effect, key))
    if (fetch.isDone) this.#fetches.delete(key)
  }
}

/** What is read of our own files is no fetch's alone. */
function marked(effect: Effect, fetch: FetchKey): Effect {
  if (effect.kind === 'report') return { kind: 'report', event: { ...effect.event, fetch } }
  return effect.kind === 'read-block' || effect.kind === 'stopped' ? effect : { ...effect, fetch }
}
