import { after, type Instant, instant, type PeerId } from '../units.js'
import { CONTROL_BYTES_MAX, COOKIE_ENTRIES_AT } from '../wire/layout.js'
import type { ListEntry } from '../wire/message.js'
import type { ListedPeer } from './listed-peer.js'
import { rowBytes, toEntry } from './pages.js'

/** Milliseconds for which one is shown to all: so much too long a TTL left in it may be. */
const SHOWN_FOR = 100
const ROOM_MAX = CONTROL_BYTES_MAX - COOKIE_ENTRIES_AT
const NONE: Shown = { version: 0, entries: [] }

interface Shown {
  /** 0 = no preview. */
  readonly version: number
  readonly entries: readonly ListEntry[]
}

/**
 * The list as a COOKIE shows it to those of whom nothing is known yet. It is whole or it is not shown: a file is divided by
 * the number of peers. It is made once for each version and stretch of time, however many ask.
 */
export class Preview {
  #shown: Shown = NONE
  #bytes = 0
  #version = 0
  #until = instant(-Infinity)

  /**
   * @param version of `rows`; never less than before
   * @param room octets that the entries may take
   */
  of(rows: ReadonlyMap<PeerId, ListedPeer>, version: number, room: number, now: Instant): Shown {
    if (version !== this.#version || now >= this.#until) this.#make(rows, version, now)
    return this.#bytes <= room ? this.#shown : NONE
  }

  #make(rows: ReadonlyMap<PeerId, ListedPeer>, version: number, now: Instant): void {
    const entries: ListEntry[] = []
    this.#version = version
    this.#until = after(now, SHOWN_FOR)
    this.#bytes = 0
    for (const row of rows.values()) {
      this.#bytes += rowBytes(row)
      if (this.#bytes > ROOM_MAX) break
      entries.push(toEntry({ kind: 'present', row }, now))
    }
    this.#shown = { version, entries }
  }
}
