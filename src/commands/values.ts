// The texts of the command line -> checked values. Each refusal is one line that says what is wrong and what to write.
import { UsageError } from '../errors.js'
import type { SocketKind } from '../index.js'
import { ID_DIGITS_MIN } from '../library/view.js'
import { HASH_BYTES, TTL_MAX_SECONDS } from '../wire/layout.js'

const PORT_MAX = 65_535
const RATE_PATTERN = /^(\d+(?:\.\d+)?)(kbit|mbit|gbit)$/i
const RATE_UNITS: Readonly<Record<string, number>> = { kbit: 1e3, mbit: 1e6, gbit: 1e9 }
/** Slower than this, a single datagram takes a second. */
const RATE_MIN = 16e3
const RATE_MAX = 100e9
const ID_DIGITS = 2 * HASH_BYTES

/** @throws UsageError unless `text` is a whole number from 1 to 65535 */
export function portOf(text: string): number {
  const pick = `pick a whole number from 1 to ${PORT_MAX}`
  if (!isNumber(text)) throw new UsageError(`port "${text}" is not a number: ${pick}`)
  if (!isWhole(text)) throw new UsageError(`port ${text} is not a whole number: ${pick}`)
  const port = Number(text)
  if (port === 0) throw new UsageError(`port 0 is no fixed port, and the others must know it: ${pick}`)
  if (port < 0 || port > PORT_MAX) throw new UsageError(`port ${text} is out of range: ${pick}`)
  return port
}

/** @returns seconds @throws UsageError unless `text` is a whole number of seconds that a registration can carry */
export function ttlOf(text: string): number {
  const give = `give whole seconds from 1 to ${TTL_MAX_SECONDS}, or none to stay until the manager closes`
  if (!isNumber(text)) throw new UsageError(`TTL "${text}" is not a number: ${give}`)
  if (!isWhole(text)) throw new UsageError(`TTL ${text} is not a whole number of seconds: ${give}`)
  const seconds = Number(text)
  if (seconds === 0) throw new UsageError(`TTL ${text} would end at once: ${give}`)
  if (seconds < 0) throw new UsageError(`TTL ${text} is negative: ${give}`)
  if (seconds > TTL_MAX_SECONDS) throw new UsageError(`TTL ${text} is longer than ten years: ${give}`)
  return seconds
}

/** @param text empty: no end @returns seconds @throws UsageError unless `text` is a whole number of seconds */
export function seedOf(text: string): number {
  const give = `give whole seconds from 1 to ${TTL_MAX_SECONDS}, or --seed alone to serve until Ctrl-C`
  if (text === '') return Number.POSITIVE_INFINITY
  if (!isWhole(text)) throw new UsageError(`--seed "${text}" is not a whole number of seconds: ${give}`)
  const seconds = Number(text)
  if (seconds === 0) throw new UsageError(`--seed 0 would end at once: ${give}, or leave it out`)
  if (seconds < 0 || seconds > TTL_MAX_SECONDS) throw new UsageError(`--seed ${text} is out of range: ${give}`)
  return seconds
}

/** @returns bits a second @throws UsageError unless `text` is a number with the unit kbit, mbit or gbit, in range */
export function rateOf(text: string): number {
  const [, amount = '', unit = ''] = RATE_PATTERN.exec(text) ?? []
  const rate = Number(amount) * (RATE_UNITS[unit.toLowerCase()] ?? Number.NaN)
  if (Number.isNaN(rate)) throw new UsageError(`--limit "${text}" is no rate: write 500kbit, 2.5mbit or 1gbit`)
  if (rate < RATE_MIN) throw new UsageError(`--limit ${text} is too low to send anything: give at least 16kbit`)
  if (rate > RATE_MAX) throw new UsageError(`--limit ${text} is above 100gbit: leave it out to send without a limit`)
  return rate
}

/** @throws UsageError unless `text` names a kind of socket */
export function socketOf(text: string): SocketKind {
  if (text === 'dgram' || text === 'batched') return text
  throw new UsageError(`--socket "${text}" is no kind of socket: write dgram or batched, or leave it out`)
}

/** @returns hexadecimal digits @throws UsageError unless `text` is an id, or enough of its first digits */
export function idOf(text: string): string {
  if (/^[\da-f]+$/i.test(text) && text.length >= ID_DIGITS_MIN && text.length <= ID_DIGITS) return text.toLowerCase()
  throw new UsageError(
    `"${text}" is no id: write ${ID_DIGITS} hexadecimal digits, or the first ${ID_DIGITS_MIN} or more`,
  )
}

function isNumber(text: string): boolean {
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text)
}

/** Digits alone, with a sign at most: `4e3` and `4000.0` are whole too, but more likely slips than meant. */
function isWhole(text: string): boolean {
  return /^-?\d+$/.test(text)
}
