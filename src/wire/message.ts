// The decoded value of each datagram: one interface a tag. Types only.
// `decode` gives these for every tag; on the data path CHUNK is read in place instead (wire/bulk.ts).
import type { BlockIndex, PeerId, Sequence } from '../units.js'
import type { ErrorCode, Reason } from './layout.js'

/** A file that a peer holds: the name is for people, the root is its identity. */
export interface Offer {
  /** The peer has a part of it, and collects the rest; undefined: it has all. */
  readonly isPartial?: true
  readonly name: string
  /** Octets. */
  readonly size: number
  /** 32 octets: Merkle root bound to the size. */
  readonly root: Uint8Array
}

interface Common {
  /** 64-bit session; never 0. Whose it is stands at each message. */
  readonly session: bigint
  readonly sequence: Sequence
}

/** Peer to manager: asks for a cookie. Session: the peer's. */
export interface Hello extends Common {
  readonly kind: 'hello'
  /** Octets after the header: the answer has no more. */
  readonly padding: number
}
/** Manager to peer. Session: the peer's, as in all of its membership messages. */
export interface Cookie extends Common {
  readonly kind: 'cookie'
  /** COOKIE_BYTES octets; opaque to the peer. */
  readonly cookie: Uint8Array
  /** Of the whole list, which `entries` are; 0 = no preview: the HELLO had no room for it. */
  readonly version: number
  readonly entries: readonly ListEntry[]
}
export interface Register extends Common {
  readonly kind: 'register'
  readonly cookie: Uint8Array
  /** Seconds; 0 = until the manager closes. */
  readonly ttl: number
  readonly offers: readonly Offer[]
}
export interface Registered extends Common {
  readonly kind: 'registered'
  /** The manager's own random session: another one means that the manager was restarted. */
  readonly epoch: bigint
  readonly peer: PeerId
  /** Milliseconds; 0 = no TTL. */
  readonly ttlLeft: number
  /** Milliseconds between heartbeats. */
  readonly heartbeat: number
  readonly version: number
}
export interface Heartbeat extends Common {
  readonly kind: 'heartbeat'
  /** True from the manager, as the answer to a peer's. */
  readonly ack: boolean
  readonly version: number
  /** Milliseconds; 0 = no TTL, and from a peer. */
  readonly ttlLeft: number
}
export interface PresentEntry {
  readonly kind: 'present'
  readonly peer: PeerId
  /** The member's session: what its PULLs must bear. */
  readonly session: bigint
  readonly address: string
  readonly port: number
  /** Milliseconds; 0 = no TTL. */
  readonly ttlLeft: number
  readonly offers: readonly Offer[]
}
export interface LeftEntry {
  readonly kind: 'left'
  readonly peer: PeerId
  readonly reason: Reason
}
export type ListEntry = PresentEntry | LeftEntry
export interface List extends Common {
  readonly kind: 'list'
  readonly epoch: bigint
  readonly version: number
  /** 0 = snapshot. */
  readonly base: number
  readonly page: number
  readonly pages: number
  readonly entries: readonly ListEntry[]
}
export interface ListAck extends Common {
  readonly kind: 'list-ack'
  readonly epoch: bigint
  readonly version: number
  readonly base: number
  readonly page: number
}
/** Both ways between peer and manager (session: the peer's), and between collector and uploading peer (session: the transfer's). */
export interface Goodbye extends Common {
  readonly kind: 'goodbye'
  readonly ack: boolean
  readonly reason: Reason
}
/** Never answered. Session: that of the datagram it answers. */
export interface ErrorMessage extends Common {
  readonly kind: 'error'
  readonly code: ErrorCode
  readonly tag: number
}

/** Hashes of the nodes TREE_PAGE_HEIGHTS below a node (or of the leaves, where they are nearer); in a PULL also a place of a log (LOG_HEIGHT). */
export interface TreePage {
  readonly height: number
  readonly index: number
}
export interface BlockRange {
  readonly first: BlockIndex
  readonly count: number
}
export interface BlockWant {
  readonly block: BlockIndex
  /** 8 octets: chunk c is bit 7 - c % 8 of octet c / 8. */
  readonly wanted: Uint8Array
}
/** Collector to peer. Session: the transfer's, chosen by the collector for this peer. */
export interface Pull extends Common {
  readonly kind: 'pull'
  readonly member: bigint
  readonly root: Uint8Array
  readonly statement: number
  readonly credit: Sequence
  /** kbit/s, counting IP and UDP headers. */
  readonly rate: number
  readonly horizon: Sequence
  readonly largest: Sequence
  readonly proof: number
  readonly chunkSize: number
  /** Octets of the longest CHUNK that may be sent: the peer may put neighbouring chunks into one. */
  readonly datagram: number
  /** Octets of the PROBE that is to be sent; 0 = none. */
  readonly probe: number
  readonly pages: readonly TreePage[]
  readonly ranges: readonly BlockRange[]
  readonly blocks: readonly BlockWant[]
}
interface Bulk extends Common {
  /** Microseconds of the sender's clock, modulo 2^32. */
  readonly sentAt: number
  /** Low 16 bits of a PULL's sequence number. */
  readonly echo: number
  /** Units of HOLD_UNIT_MICROS. */
  readonly hold: number
  readonly appLimited: boolean
}
export interface Chunk extends Bulk {
  readonly kind: 'chunk'
  readonly retransmitted: boolean
  readonly block: BlockIndex
  readonly offset: number
  /** A view of the datagram. */
  readonly payload: Uint8Array
}
export interface Tree extends Bulk {
  readonly kind: 'tree'
  readonly retransmitted: boolean
  readonly height: number
  readonly index: number
  /** Whole hashes, one after the other; a view of the datagram. */
  readonly hashes: Uint8Array
}
/** Peer to collector: the answer to a PULL that let nothing be sent. */
export interface Echo extends Bulk {
  readonly kind: 'echo'
}
export interface HaveRange extends BlockRange {
  /** On their way to the peer; otherwise there. */
  readonly isComing: boolean
}
/** Peer to collector: what became of blocks of a file that the peer collects itself, from one place of its log to another. */
export interface Have extends Bulk {
  readonly kind: 'have'
  readonly from: number
  /** Behind the last place. */
  readonly to: number
  readonly ranges: readonly HaveRange[]
}

/** Peer to collector: shows that the path carries datagrams of its length. Its sequence number is that of the PULL that asked. */
export interface Probe extends Common {
  readonly kind: 'probe'
  /** Octets of zeros after the header. */
  readonly padding: number
}

export type Message =
  | Hello
  | Cookie
  | Register
  | Registered
  | Heartbeat
  | List
  | ListAck
  | Goodbye
  | ErrorMessage
  | Pull
  | Chunk
  | Tree
  | Echo
  | Probe
  | Have

/** A message before the sender gives it its sequence number. */
export type Unsequenced<M extends Message = Message> = M extends Message ? Omit<M, 'sequence'> : never

/** What `decode` gives for octets that break a rule; `reason` is one of a fixed set, for counting. */
export interface Malformed {
  readonly kind: 'malformed'
  readonly reason: MalformedReason
}
export type MalformedReason =
  | 'short-header'
  | 'version'
  | 'unknown-tag'
  | 'flags'
  | 'session'
  | 'sequence'
  | 'length'
  | 'padding'
  | 'range'
  | 'count'
  | 'name'
  | 'family'
