// Every number that two implementations must agree on: tags, offsets, sizes, limits, codes.
// spec/wire.md prints the same tables; test/wire/layout.test.ts compares the two.
// All integers are unsigned and in network byte order. Offsets count octets from the start of the datagram.

export const VERSION = 1

/** Datagram types, second octet. */
export const TAG = {
  HELLO: 0x01,
  COOKIE: 0x02,
  REGISTER: 0x03,
  REGISTERED: 0x04,
  HEARTBEAT: 0x05,
  LIST: 0x06,
  LIST_ACK: 0x07,
  GOODBYE: 0x08,
  ERROR: 0x09,
  PULL: 0x10,
  CHUNK: 0x11,
  TREE: 0x12,
  ECHO: 0x13,
  PROBE: 0x14,
  HAVE: 0x15,
} as const
export type Tag = (typeof TAG)[keyof typeof TAG]

/** Flags, low four bits of the first octet. Which tag may carry which stands in `FLAGS_ALLOWED`. */
export const FLAG = {
  /** This datagram answers one of the same tag (HEARTBEAT from the manager, GOODBYE confirmed). */
  ACK: 0x1,
  /** CHUNK, TREE: its content was sent before in this upload. */
  RETRANSMITTED: 0x2,
  /** CHUNK, TREE, ECHO, HAVE: the sender ran out of data before this one, so the spacing says nothing about the path. */
  APP_LIMITED: 0x4,
} as const

export const FLAGS_ALLOWED: Readonly<Record<Tag, number>> = {
  [TAG.HELLO]: 0,
  [TAG.COOKIE]: 0,
  [TAG.REGISTER]: 0,
  [TAG.REGISTERED]: 0,
  [TAG.HEARTBEAT]: FLAG.ACK,
  [TAG.LIST]: 0,
  [TAG.LIST_ACK]: 0,
  [TAG.GOODBYE]: FLAG.ACK,
  [TAG.ERROR]: 0,
  [TAG.PULL]: 0,
  [TAG.CHUNK]: FLAG.RETRANSMITTED | FLAG.APP_LIMITED,
  [TAG.TREE]: FLAG.RETRANSMITTED | FLAG.APP_LIMITED,
  [TAG.ECHO]: FLAG.APP_LIMITED,
  [TAG.PROBE]: 0,
  [TAG.HAVE]: FLAG.APP_LIMITED,
}

// Header of every datagram.
export const VERSION_FLAGS_AT = 0 // u8: version in the high four bits, flags in the low four
export const TAG_AT = 1 // u8
export const SESSION_AT = 2 // u64
export const SEQUENCE_AT = 10 // u32
export const HEADER_BYTES = 14

// Prefix of the bulk datagrams (CHUNK, TREE, ECHO, HAVE), after the header.
export const SENT_AT_AT = 14 // u32: the sender's clock in microseconds, modulo 2^32; its zero is random
export const ECHO_AT = 18 // u16: low 16 bits of the sequence number of the newest PULL taken
export const HOLD_AT = 20 // u16: time since that PULL came, in units of HOLD_UNIT_MICROS; HOLD_MAX = that long or longer
export const BULK_HEADER_BYTES = 22
export const HOLD_UNIT_MICROS = 16
export const HOLD_MAX = 0xffff
/** ECHO is the prefix and nothing else. */
export const ECHO_BYTES = 22

// CHUNK, after the bulk prefix.
export const CHUNK_BLOCK_AT = 22 // u32
export const CHUNK_OFFSET_AT = 26 // u16: octets from the start of the block
export const CHUNK_HEADER_BYTES = 28

// TREE, after the bulk prefix.
export const TREE_HEIGHT_AT = 22 // u8: height of the node whose descendants follow; leaves have height 0
export const TREE_INDEX_AT = 23 // u32: which node at that height, from 0
export const TREE_COUNT_AT = 27 // u8: hashes that follow, 1 to TREE_PAGE_HASHES_MAX
export const TREE_HEADER_BYTES = 28

// HAVE, after the bulk prefix: what became of blocks from place `from` of a peer's log up to but without `to`.
export const HAVE_FROM_AT = 22 // u32
export const HAVE_TO_AT = 26 // u32
export const HAVE_COUNT_AT = 30 // u8: ranges that follow, up to HAVE_RANGES_MAX
export const HAVE_RANGES_AT = 31
export const HAVE_RANGE_BYTES = 6 // u8 state, u24 first block, u16 count of blocks
/** Of a block, in a HAVE. */
export const STATE = { THERE: 0, COMING: 1 } as const
/** What fits in CONTROL_BYTES_MAX. */
export const HAVE_RANGES_MAX = 194

// HELLO: the header, then as many zeros as the peer likes: COOKIE is never larger than what it answers.
export const HELLO_BYTES_MIN = 39
// COOKIE: u32 time bucket, 16 octets of keyed hash; then a preview of the list.
export const COOKIE_AT = 14
export const COOKIE_BYTES = 20
export const COOKIE_VERSION_AT = 34 // u32 list version; 0 = no preview
export const COOKIE_COUNT_AT = 38 // u8 entries that follow
export const COOKIE_ENTRIES_AT = 39
// REGISTER: cookie, u32 TTL, u8 count of offers, then the offers.
export const REGISTER_TTL_AT = 34 // u32 seconds; 0 = until the manager closes
export const REGISTER_OFFER_COUNT_AT = 38
export const REGISTER_OFFERS_AT = 39
// An offer: u8 held, u56 size, 32 octets of root, u8 length of the name, the name in UTF-8.
export const OFFER_FIXED_BYTES = 41
/** How much a peer has of the file that it offers; PART: it collects the rest. */
export const HELD = { WHOLE: 0, PART: 1 } as const
export const OFFER_NAME_BYTES_AT = 40
/** The longest REGISTER: what it offers must fit one LIST page beside an IPv6 address. */
export const REGISTER_BYTES_MAX = 1_167
// REGISTERED
export const REGISTERED_EPOCH_AT = 14 // u64: the manager's own random session
export const REGISTERED_PEER_AT = 22 // u32: peer id
export const REGISTERED_TTL_LEFT_AT = 26 // u32 ms; 0 = no TTL
export const REGISTERED_HEARTBEAT_AT = 30 // u16 ms between heartbeats
export const REGISTERED_VERSION_AT = 32 // u32 list version
export const REGISTERED_BYTES = 36
// HEARTBEAT
export const HEARTBEAT_VERSION_AT = 14 // u32 list version that the sender holds
export const HEARTBEAT_TTL_LEFT_AT = 18 // u32 ms; 0 = no TTL, and from a peer
export const HEARTBEAT_BYTES = 22
// LIST
export const LIST_EPOCH_AT = 14 // u64
export const LIST_VERSION_AT = 22 // u32: the version that these pages lead to
export const LIST_BASE_AT = 26 // u32: the version that they start from; 0 = a whole snapshot
export const LIST_PAGE_AT = 30 // u16 from 0
export const LIST_PAGES_AT = 32 // u16
export const LIST_COUNT_AT = 34 // u8 entries on this page
export const LIST_ENTRIES_AT = 35
// A list entry: u8 kind, u32 peer id, then for LEFT u8 reason; for PRESENT u64 session, u8 family (4 or 6),
// 4 or 16 octets of address, u16 port, u32 ms of TTL left (0 = no TTL), u8 count of offers, the offers.
export const ENTRY = { PRESENT: 0, LEFT: 1 } as const
export const ENTRY_LEFT_BYTES = 6
export const ENTRY_FAMILY_AT = 13
export const FAMILY = { IPV4: 4, IPV6: 6 } as const
export const IPV4_BYTES = 4
export const IPV6_BYTES = 16
/** A PRESENT entry with an IPv4 address and no offers. */
export const ENTRY_PRESENT_FIXED_BYTES = 25
// LIST_ACK
export const LIST_ACK_EPOCH_AT = 14 // u64
export const LIST_ACK_VERSION_AT = 22 // u32
export const LIST_ACK_BASE_AT = 26 // u32
export const LIST_ACK_PAGE_AT = 30 // u16
export const LIST_ACK_BYTES = 32
// GOODBYE
export const GOODBYE_REASON_AT = 14 // u8
export const GOODBYE_BYTES = 15
// ERROR
export const ERROR_CODE_AT = 14 // u8
export const ERROR_TAG_AT = 15 // u8: tag of the datagram that it answers
export const ERROR_BYTES = 16
// PULL
export const PULL_MEMBER_AT = 14 // u64: the collector's own session as the list shows it
export const PULL_ROOT_AT = 22 // 32 octets
export const PULL_STATEMENT_AT = 54 // u32: parts of one statement bear one number; a newer one replaces all older wants
export const PULL_CREDIT_AT = 58 // u32: sequence numbers up to this one may be used
export const PULL_RATE_AT = 62 // u32: kbit/s, counting IP and UDP headers
export const PULL_HORIZON_AT = 66 // u32: what was sent with a sequence number up to this one and is wanted was lost
export const PULL_LARGEST_AT = 70 // u32: largest sequence number received; 0 = none yet
export const PULL_PROOF_AT = 74 // u32: `sentAt` of that datagram; 0 while `largest` is 0
export const PULL_CHUNK_SIZE_AT = 78 // u16 octets of payload
export const PULL_DATAGRAM_AT = 80 // u16: the longest CHUNK datagram that may be sent
export const PULL_PROBE_AT = 82 // u16: length of the PROBE that is to be sent; 0 = none
export const PULL_PAGE_COUNT_AT = 84 // u8
export const PULL_RANGE_COUNT_AT = 85 // u8
export const PULL_BLOCK_COUNT_AT = 86 // u8
export const PULL_WANTS_AT = 87
export const PULL_PAGE_BYTES = 5 // u8 height, u32 index
export const PULL_RANGE_BYTES = 6 // u32 first block, u16 count of blocks: every chunk of them
export const PULL_BITMAP_BYTES = 8
export const PULL_BLOCK_BYTES = 12 // u32 block, 8 octets of bitmap: chunk c is bit 7 - c % 8 of octet c / 8

/** Why a peer left the list, and what a GOODBYE says. */
export const REASON = {
  GOODBYE: 1,
  TTL_ENDED: 2,
  SILENT: 3,
  MANAGER_CLOSING: 4,
  REPLACED: 5,
  /** Between collector and uploading peer: this transfer needs no more. */
  DONE: 6,
} as const
export type Reason = (typeof REASON)[keyof typeof REASON]

export const ERROR_CODE = {
  /** The manager does not know this session: register again. An uploading peer has no such transfer: begin another. */
  UNKNOWN_SESSION: 1,
  /** The cookie is too old or was made for another address: say HELLO again. */
  BAD_COOKIE: 2,
  /** The manager's list is full. */
  LIST_FULL: 3,
  /** Too many registrations from this address: wait. */
  TOO_MANY_REGISTRATIONS: 4,
  /** The asker is not on the list that this peer holds. */
  NOT_LISTED: 5,
  /** This peer does not offer that root. */
  NO_SUCH_ROOT: 6,
  /** This peer serves as many transfers as it can. */
  TOO_MANY_UPLOADS: 7,
  /** The file changed or can't be read any more at this peer. */
  FILE_LOST: 8,
} as const
export type ErrorCode = (typeof ERROR_CODE)[keyof typeof ERROR_CODE]

// Sizes and limits.
export const HASH_BYTES = 32
export const BLOCK_BYTES = 65_536
export const CHUNK_BYTES_MIN = 1_024
/** A whole UDP datagram less the CHUNK header. */
export const CHUNK_BYTES_MAX = 65_479
/** BLOCK_BYTES / CHUNK_BYTES_MIN: what the 8-octet bitmap of a PULL holds. */
export const CHUNKS_MAX = 64
export const TREE_PAGE_HASHES_MAX = 32
/** log2 of TREE_PAGE_HASHES_MAX: heights at which pages start are multiples of it. */
export const TREE_PAGE_HEIGHTS = 5
/** Height of the top page of the largest file: the least multiple of TREE_PAGE_HEIGHTS that spans BLOCKS_MAX leaves. */
export const TREE_HEIGHT_MAX = 25
/** A page of a PULL at this height is none: it asks for HAVE, from place `index` of the peer's log on. */
export const LOG_HEIGHT = 31
/** Blocks in the largest file: 2^24 blocks are 1 TiB. */
export const BLOCKS_MAX = 16_777_216
/** Places in the log of the largest file: each block may be on its way once, and there once. */
export const PLACES_MAX = 33_554_432
export const FILE_BYTES_MAX = BLOCKS_MAX * BLOCK_BYTES
export const OFFERS_MAX = 16
export const NAME_BYTES_MAX = 255
/** Ten years. */
export const TTL_MAX_SECONDS = 315_360_000
/** TTL left is sent in a u32 of milliseconds: what is longer is sent as this. */
export const TTL_LEFT_MAX_MS = 0xffffffff
export const LIST_PAGES_MAX = 4_096
export const PEERS_MAX = 10_000
/** Every datagram but CHUNK and PROBE: safe on any path (RFC 9000, section 14). */
export const CONTROL_BYTES_MAX = 1_200
export const DATAGRAM_BYTES_MAX = 65_507
/** Shorter ones are carried anyway. */
export const PROBE_BYTES_MIN = CONTROL_BYTES_MAX + 1
