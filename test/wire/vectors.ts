// spec/vectors as the tests read them: octets, and fields in the types of the decoded messages.
import { readFileSync } from 'node:fs'
import type { MalformedReason, Message } from '../../src/wire/message.js'

export interface ValidVector {
  readonly name: string
  readonly octets: Uint8Array
  readonly message: Message
}
export interface MalformedVector {
  readonly name: string
  readonly octets: Uint8Array
  readonly reason: MalformedReason
}

const SESSIONS = new Set(['session', 'epoch', 'member'])
const OCTETS = new Set(['cookie', 'root', 'wanted', 'payload', 'hashes'])

export const valid: readonly ValidVector[] = read<{ fields: unknown }>('valid').map(({ name, hex, fields }) => ({
  name,
  octets: octetsOf(hex),
  message: JSON.parse(JSON.stringify(fields), revive),
}))

export const malformed: readonly MalformedVector[] = read<{ reason: MalformedReason }>('malformed').map(
  ({ name, hex, reason }) => ({
    name,
    octets: octetsOf(hex),
    reason,
  }),
)

/** Octets in the notation of the vectors: pairs of hex digits, blanks, and `5a*1400` for 1400 octets 5a. */
export function octetsOf(hex: string): Uint8Array {
  const digits = hex.replace(/([\da-f]{2})\*(\d+)/g, (_, octet: string, count: string) => octet.repeat(Number(count)))
  return new Uint8Array(Buffer.from(digits.replaceAll(' ', ''), 'hex'))
}

function revive(key: string, value: unknown): unknown {
  if (SESSIONS.has(key)) return BigInt(value as string)
  return OCTETS.has(key) ? octetsOf(value as string) : value
}

function read<More>(file: string): readonly (More & { readonly name: string; readonly hex: string })[] {
  return JSON.parse(readFileSync(`spec/vectors/${file}.json`, 'utf8'))
}
