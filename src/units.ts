// Quantities that could be swapped for one another carry a brand. This file is the only one that casts to them.

declare const unit: unique symbol
type Branded<Name extends string> = number & { readonly [unit]: Name }

/** A point on the driver's monotonic clock, in milliseconds (fractions count); its zero means nothing. */
export type Instant = Branded<'Instant'>
/** A length of time, in milliseconds. */
export type Milliseconds = Branded<'Milliseconds'>
/** A peer's number in the list, given by the manager; never used again within one manager's life. */
export type PeerId = Branded<'PeerId'>
/** Which fragment of the file, from 0. */
export type FragmentIndex = Branded<'FragmentIndex'>
/** Which 64 KiB block of the file, from 0. */
export type BlockIndex = Branded<'BlockIndex'>
/** Which chunk of a block, from 0. */
export type ChunkIndex = Branded<'ChunkIndex'>
/** A datagram's sequence number within one session and direction; 1 is the first, 0 means none. */
export type Sequence = Branded<'Sequence'>

export const ms = (n: number) => n as Milliseconds
export const instant = (n: number) => n as Instant
export const after = (start: Instant, wait: number) => (start + wait) as Instant
export const since = (start: Instant, now: Instant) => (now - start) as Milliseconds
export const earliest = (...instants: readonly Instant[]) => Math.min(...instants) as Instant
export const latest = (...instants: readonly Instant[]) => Math.max(...instants) as Instant
export const NEVER = Infinity as Instant

export const peerId = (n: number) => n as PeerId
export const fragmentIndex = (n: number) => n as FragmentIndex
export const blockIndex = (n: number) => n as BlockIndex
export const chunkIndex = (n: number) => n as ChunkIndex
export const sequence = (n: number) => n as Sequence
