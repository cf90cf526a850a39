// A member of a crowd: the real machine of membership, but its list is only followed, not kept. Ten thousand copies of a list of
// ten thousand would be 100 million rows; what the manager does for them is the same.
import type { Endpoint } from '../endpoint.js'
import type { MemberEvent } from '../membership/event.js'
import type { ListFollower, PageOutcome } from '../membership/list-copy.js'
import type { ListedPeer } from '../membership/listed-peer.js'
import { Member, type MemberOptions } from '../membership/member.js'
import type { Instant, PeerId } from '../units.js'
import { sequence } from '../units.js'
import { decode } from '../wire/decode.js'
import { encode } from '../wire/encode.js'
import {
  CONTROL_BYTES_MAX,
  HEADER_BYTES,
  LIST_BASE_AT,
  LIST_EPOCH_AT,
  LIST_PAGE_AT,
  LIST_PAGES_AT,
  LIST_VERSION_AT,
  SEQUENCE_AT,
  SESSION_AT,
  TAG,
  TAG_AT,
} from '../wire/layout.js'
import type { List, Message } from '../wire/message.js'
import type { Outgoing } from '../wire/outgoing.js'

const NOBODY: ReadonlyMap<PeerId, ListedPeer> = new Map()

/** Which pages of which version came, and nothing of what they say. */
class Versions implements ListFollower {
  readonly rows = NOBODY
  version = 0
  #gathering: { readonly version: number; readonly base: number; readonly received: Set<number> } | undefined

  find(): undefined {}

  startOver(): void {
    this.version = 0
    this.#gathering = undefined
  }

  /** As `ListCopy`. */
  onPage({ version, base, page, pages }: List): PageOutcome {
    if (version <= this.version) return { kind: 'old' }
    if (base > this.version) return { kind: 'gap' }
    if (this.#gathering !== undefined && this.#gathering.version > version) return { kind: 'refused' }
    if (this.#gathering?.version !== version || this.#gathering.base !== base) {
      this.#gathering = { version, base, received: new Set() }
    }
    const { received } = this.#gathering
    received.add(page)
    if (received.size < pages) return { kind: 'kept' }
    this.version = version
    this.#gathering = undefined
    return { kind: 'applied', joined: [], left: [] }
  }
}

export class Follower {
  readonly member: Member
  readonly #manager: Endpoint
  readonly #out: Outgoing[] = []
  readonly #events: MemberEvent[] = []
  readonly #send: (datagram: Uint8Array) => void
  readonly #head = new Uint8Array(CONTROL_BYTES_MAX)

  /** @param send takes a datagram to the manager, which is its own to keep */
  constructor(options: Omit<MemberOptions, 'copy'>, send: (datagram: Uint8Array) => void) {
    this.member = new Member({ ...options, copy: new Versions() })
    this.#manager = options.manager
    this.#send = send
  }

  receive(datagram: Uint8Array, now: Instant): void {
    const message = read(datagram)
    if (message !== undefined) this.member.receive(message, this.#manager, now, this.#out, this.#events)
    this.#end()
  }

  tick(now: Instant): void {
    this.member.tick(now, this.#out, this.#events)
    this.#end()
  }

  leave(now: Instant): void {
    this.member.leave(now)
    this.tick(now)
  }

  #end(): void {
    for (const { message } of this.#out) this.#send(this.#head.slice(0, encode(message, this.#head)))
    this.#out.length = 0
    this.#events.length = 0
  }
}

/** The entries of a LIST are left where they are: nobody looks at them. */
function read(d: Uint8Array): Message | undefined {
  if (d.length < HEADER_BYTES || d[TAG_AT] !== TAG.LIST) {
    const message = decode(d)
    return message.kind === 'malformed' ? undefined : message
  }
  const view = new DataView(d.buffer, d.byteOffset, d.length)
  return {
    kind: 'list',
    session: view.getBigUint64(SESSION_AT),
    sequence: sequence(view.getUint32(SEQUENCE_AT)),
    epoch: view.getBigUint64(LIST_EPOCH_AT),
    version: view.getUint32(LIST_VERSION_AT),
    base: view.getUint32(LIST_BASE_AT),
    page: view.getUint16(LIST_PAGE_AT),
    pages: view.getUint16(LIST_PAGES_AT),
    entries: [],
  }
}
