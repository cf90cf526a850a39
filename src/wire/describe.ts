// Octets to one line for people: traces, test failures, `npm run inspect`. Total: whatever the octets, there is a line.
import { decode } from './decode.js'
import { ERROR_CODE, REASON, TAG } from './layout.js'

/** How many octets of a root, a payload or a malformed datagram are worth a look. */
const HEAD_OCTETS = 16

/** Fields that hold one of a set of numbers, each with a name. */
const NAMED: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  reason: REASON,
  code: ERROR_CODE,
  tag: TAG,
}

/** One line: the kind of message and its fields, or why the datagram is malformed. */
export function describe(datagram: Uint8Array): string {
  const message = decode(datagram)
  const size = `${datagram.length} octets`
  if (message.kind === 'malformed') return `malformed (${message.reason}), ${size}: ${hexOf(datagram)}`
  const { kind, ...fields } = message
  return `${kind}, ${size}: ${textOfFields(fields)}`
}

/** The line for octets in hex, in which blanks and colons are passed over; undefined if `text` is not hex. */
export function describeHex(text: string): string | undefined {
  const digits = text.replace(/[\s:]/g, '')
  if (!/^(?:[\da-f]{2})+$/i.test(digits)) return undefined
  return describe(Uint8Array.from(digits.match(/../g) ?? [], pair => Number.parseInt(pair, 16)))
}

function textOfFields(fields: object): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${textOf(name, value)}`)
    .join(' ')
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'bigint') return `0x${value.toString(16).padStart(16, '0')}`
  if (typeof value === 'number') return nameOf(name, value) ?? String(value)
  if (value instanceof Uint8Array) return hexOf(value)
  if (Array.isArray(value)) return `[${value.map(item => textOf(name, item)).join(', ')}]`
  if (typeof value === 'object' && value !== null) return `{${textOfFields(value)}}`
  return name === 'name' ? JSON.stringify(value) : String(value)
}

function nameOf(field: string, value: number): string | undefined {
  const names = NAMED[field]
  return names && Object.keys(names).find(name => names[name] === value)
}

function hexOf(octets: Uint8Array): string {
  const digits = Array.from(octets.subarray(0, HEAD_OCTETS), octet => octet.toString(16).padStart(2, '0')).join('')
  return octets.length > HEAD_OCTETS ? `${digits}… (${octets.length})` : digits
}
