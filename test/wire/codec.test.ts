// src/wire/encode.ts and src/wire/decode.ts against spec/vectors and against each other.
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { InvariantError } from '../../src/errors.js'
import { blockIndex, peerId, sequence } from '../../src/units.js'
import { decode } from '../../src/wire/decode.js'
import { encode, encodedSize, TAG_OF } from '../../src/wire/encode.js'
import { TAG, TAG_AT } from '../../src/wire/layout.js'
import type { Hello, Message, Pull } from '../../src/wire/message.js'
import { anyMessage } from './messages.js'
import { malformed, valid } from './vectors.js'

/** Kinds whose length is free, within limits. */
const PADDED: ReadonlySet<string> = new Set(['chunk', 'hello', 'probe'])

t.test('every valid vector decodes to its fields and its fields encode to it', async t => {
  for (const { name, octets, message } of valid) {
    t.strictSame(decode(octets), message, `decode: ${name}`)
    t.strictSame(encoded(message), octets, `encode: ${name}`)
  }
})

t.test('every tag has valid and malformed vectors', async t => {
  for (const tag of Object.values(TAG)) {
    t.ok(valid.filter(({ octets }) => octets[TAG_AT] === tag).length >= 2, `valid: tag ${tag}`)
    t.ok(malformed.filter(({ octets }) => octets[TAG_AT] === tag).length >= 4, `malformed: tag ${tag}`)
  }
})

t.test('every malformed vector gives its reason', async t => {
  for (const { name, octets, reason } of malformed) t.strictSame(decode(octets), { kind: 'malformed', reason }, name)
})

t.test('a message reads the same from the middle of a buffer, and writing it touches nothing around it', async t => {
  for (const { name, octets, message } of valid) {
    const room = new Uint8Array(octets.length + 12).fill(0xee)
    const size = encode(message, room, 7)
    t.equal(size, octets.length, name)
    const read = decode(room.subarray(7, 7 + size))
    t.strictSame(read, message, name)
    t.strictSame(encoded(read as Message), octets, name)
    room.fill(0xee, 7, 7 + size)
    t.ok(
      room.every(octet => octet === 0xee),
      name,
    )
  }
})

t.test('a Buffer reads as its octets do', async t => {
  for (const { name, octets, message } of valid) {
    const read = decode(Buffer.from(octets)) as Message
    t.strictSame(encoded(read), octets, name)
    t.equal(read.kind, message.kind, name)
  }
})

t.test('octets of a control message are its own, not a view of the datagram', async t => {
  for (const { name, octets, message } of valid) {
    if (message.kind === 'chunk' || message.kind === 'tree') continue
    const datagram = octets.slice()
    const read = decode(datagram)
    datagram.fill(0)
    t.strictSame(read, message, name)
  }
})

t.test('no beginning of a datagram is a datagram, but for chunks and what is padded', async t => {
  for (const { name, octets, message } of valid) {
    let wrong = 0
    for (let size = 0; size < octets.length; size += size < 2_000 ? 1 : 997) {
      const { kind } = decode(octets.subarray(0, size))
      if (kind !== 'malformed' && !PADDED.has(kind)) wrong++
      if (PADDED.has(kind) && message.kind !== kind) wrong++
    }
    t.equal(wrong, 0, name)
  }
})

t.test('every message comes back from its datagram', async t => {
  const comesBack = fc.property(anyMessage, message => isDeepStrictEqual(decode(encoded(message)), message))
  t.doesNotThrow(() => fc.assert(comesBack, { seed: 11, numRuns: 3_000 }))
})

t.test('a preview that goes out again bears the cookie and the number of each datagram', async t => {
  const { message } = valid.find(({ name }) => name === 'cookie: preview of a list of two')!
  const again = { ...message, session: 9n, sequence: sequence(7), cookie: new Uint8Array(20).fill(7) } as Message
  t.strictSame(decode(encoded(message)), message)
  t.strictSame(decode(encoded(again)), again)
})

t.test('our own value out of its range stops the process', async t => {
  const hello: Hello = { kind: 'hello', session: 1n, padding: 25, sequence: sequence(1) }
  const pull = valid.find(({ message }) => message.kind === 'pull')!.message as Pull
  const wants = (count: number) => Array.from({ length: count }, (_, i) => ({ first: blockIndex(i * 2), count: 1 }))
  const offer = { name: 'x', size: 1, root: new Uint8Array(32) }
  const register = { kind: 'register', session: 1n, sequence: sequence(1), cookie: new Uint8Array(20) } as const
  const list = { kind: 'list', session: 1n, sequence: sequence(1), epoch: 1n, version: 1, base: 0 } as const
  const present = { kind: 'present', peer: peerId(1), session: 1n, port: 1, ttlLeft: 0, offers: [] } as const
  const ours: Record<string, Message> = {
    'session 0': { ...hello, session: 0n },
    'a session of 65 bits': { ...hello, session: 1n << 64n },
    'a negative session': { ...hello, session: -1n },
    'sequence 0': { ...hello, sequence: sequence(0) },
    'a sequence of 33 bits': { ...hello, sequence: sequence(2 ** 32) },
    'half a sequence': { ...hello, sequence: sequence(1.5) },
    'a sequence that is no number': { ...hello, sequence: sequence(Number.NaN) },
    'a HELLO that is too short': { ...hello, padding: 24 },
    'a HELLO that is too long': { ...hello, padding: 1_187 },
    'rate 0': { ...pull, rate: 0 },
    'a negative credit': { ...pull, credit: sequence(-1) },
    'more wants than fit': { ...pull, ranges: wants(187) },
    'more wants than are counted': { ...pull, ranges: wants(256) },
    'a bitmap of nine octets': { ...pull, blocks: [{ block: blockIndex(1), wanted: new Uint8Array(9).fill(1) }] },
    'a short root': { ...pull, root: new Uint8Array(31) },
    'a short cookie': { ...register, cookie: new Uint8Array(19), ttl: 0, offers: [] },
    'seventeen offers': { ...register, ttl: 0, offers: new Array(17).fill(offer) },
    'a name that is a path': { ...register, ttl: 0, offers: [{ ...offer, name: '../x' }] },
    'a name with half a pair': { ...register, ttl: 0, offers: [{ ...offer, name: 'x\ud800' }] },
    'a name of 256 octets': { ...register, ttl: 0, offers: [{ ...offer, name: 'x'.repeat(256) }] },
    'offers that no list page holds': {
      ...register,
      ttl: 0,
      offers: new Array(4).fill({ ...offer, name: 'x'.repeat(242) }),
    },
    'an address that is a name': {
      ...list,
      page: 0,
      pages: 1,
      entries: [{ ...present, address: 'localhost' }],
    },
    'a port over 65535': { ...list, page: 0, pages: 1, entries: [{ ...present, address: '::1', port: 65_536 }] },
  }
  for (const [name, message] of Object.entries(ours)) {
    t.throws(() => encode(message, new Uint8Array(70_000)), InvariantError, name)
  }
  t.throws(() => encode(hello, new Uint8Array(40), 7), InvariantError, 'no room')
})

t.test('the kinds of messages and the tags are one to one', async t => {
  t.strictSame(new Set(Object.values(TAG_OF)), new Set(Object.values(TAG)))
})

function encoded(message: Message): Uint8Array {
  const datagram = new Uint8Array(encodedSize(message))
  encode(message, datagram)
  return datagram
}
