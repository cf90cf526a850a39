// How long a change of the list takes to reach nearly all who are on it.

interface Version {
  /** When the first of its changes happened. */
  readonly since: number
  /** Members at that time that still are, and how many of them hold it. */
  members: number
  holders: number
}

/** What of the members a change must have reached. */
const NEARLY_ALL = 0.99

export class Reach {
  /** Milliseconds, by version, in the order in which nearly all had it. */
  readonly times: number[] = []
  /** Those that are not reached yet. */
  readonly #versions = new Map<number, Version>()

  /** Versions that still have to reach nearly all. */
  get pending(): number {
    return this.#versions.size
  }

  /** @param since when the first of its changes happened @param members who are to learn of it @param holders who did already */
  begin(number: number, since: number, members: number, holders: number, now: number): void {
    const version = { since, members, holders }
    this.#versions.set(number, version)
    this.#end(number, version, now)
  }

  /** A member holds `to` now, and held `from` before. */
  onHeld(from: number, to: number, now: number): void {
    for (const [number, version] of this.#versions) {
      if (number <= from || number > to) continue
      version.holders++
      this.#end(number, version, now)
    }
  }

  /** A member that holds `held` left: it needs to learn nothing any more. */
  onLeft(held: number, now: number): void {
    for (const [number, version] of this.#versions) {
      version.members--
      if (number <= held) version.holders--
      this.#end(number, version, now)
    }
  }

  #end(number: number, { since, members, holders }: Version, now: number): void {
    if (holders < NEARLY_ALL * members) return
    this.#versions.delete(number)
    this.times.push(now - since)
  }
}
