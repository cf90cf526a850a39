import { type Instant, NEVER } from '../units.js'

interface Entry<K> {
  readonly key: K
  readonly at: Instant
}

/** At most one deadline for each key, the earliest at hand: a binary heap that knows the place of every key. */
export class Agenda<K> {
  readonly #heap: Entry<K>[] = []
  readonly #places = new Map<K, number>()

  get size(): number {
    return this.#heap.length
  }

  /** `NEVER` if nothing waits. */
  earliest(): Instant {
    return this.#heap[0]?.at ?? NEVER
  }

  /** Sets or moves a deadline; `NEVER` takes the key off. */
  set(key: K, at: Instant): void {
    const place = this.#places.get(key)
    if (at === NEVER) {
      if (place !== undefined) this.#removeAt(place)
      return
    }
    const entry = { key, at }
    if (place === undefined) {
      this.#heap.push(entry)
      this.#rise(this.#heap.length - 1, entry)
    } else {
      this.#rise(this.#sink(place, entry), entry)
    }
  }

  delete(key: K): void {
    this.set(key, NEVER)
  }

  /** Takes the earliest key off, if its time has come. */
  takeDue(now: Instant): K | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.at > now) return undefined
    this.#removeAt(0)
    return first.key
  }

  clear(): void {
    this.#heap.length = 0
    this.#places.clear()
  }

  #removeAt(place: number): void {
    this.#places.delete(this.#heap[place]!.key)
    const last = this.#heap.pop()!
    if (place < this.#heap.length) this.#rise(this.#sink(place, last), last)
  }

  /** Puts `entry` at `place` or as far up as it belongs. */
  #rise(place: number, entry: Entry<K>): void {
    let at = place
    while (at > 0) {
      const above = (at - 1) >> 1
      if (this.#heap[above]!.at <= entry.at) break
      this.#put(at, this.#heap[above]!)
      at = above
    }
    this.#put(at, entry)
  }

  /** Moves earlier entries up past `place` until `entry` fits there. @returns the place that is free for it */
  #sink(place: number, entry: Entry<K>): number {
    let at = place
    for (;;) {
      let below = 2 * at + 1
      if (below >= this.#heap.length) return at
      if (below + 1 < this.#heap.length && this.#heap[below + 1]!.at < this.#heap[below]!.at) below++
      if (this.#heap[below]!.at >= entry.at) return at
      this.#put(at, this.#heap[below]!)
      at = below
    }
  }

  #put(place: number, entry: Entry<K>): void {
    this.#heap[place] = entry
    this.#places.set(entry.key, place)
  }
}
