// Numbers and codes as people read them.
import { isAbsolute, relative } from 'node:path'
import { REASON, type Reason } from '../wire/layout.js'

const SIZE_UNITS = ['kB', 'MB', 'GB', 'TB'] as const
const SECONDS_PER_MINUTE = 60
const SECONDS_PER_HOUR = 3_600
const SECONDS_PER_DAY = 86_400

/** Three digits and a decimal unit: `512 B`, `1.05 MB`, `24.0 MB`. */
export function size(octets: number): string {
  if (octets < 1_000) return `${Math.round(octets)} B`
  let value = octets
  let unit = -1
  // 999.5 would be printed as 1000: the next unit takes it.
  while (value >= 999.5 && unit < SIZE_UNITS.length - 1) {
    value /= 1_000
    unit++
  }
  return `${threeDigits(value)} ${SIZE_UNITS[unit]}`
}

/** Every digit, in groups of three: `24,000,000`. */
export function exact(count: number): string {
  return count.toLocaleString('en-US')
}

/** `0.43 s`, `6.4 s`, `18 s`, `2 min 5 s`, `3 h 12 min`, `12 d 3 h`. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${seconds.toFixed(2)} s`
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  return wholeDuration(Math.round(seconds))
}

/** Rounded up, so that nothing is said to be over before it is. */
export function timeLeft(milliseconds: number): string {
  return Number.isFinite(milliseconds) ? wholeDuration(Math.max(0, Math.ceil(milliseconds / 1_000))) : 'no limit'
}

export function counted(count: number, one: string): string {
  return `${exact(count)} ${one}${count === 1 ? '' : 's'}`
}

/** A text from the network, safe on a terminal: control characters, and those that turn the writing round, are replaced. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd')
}

/** As seen from the working directory where it lies below it. */
export function shortPath(path: string): string {
  const below = relative(process.cwd(), path)
  return below === '' || below.startsWith('..') || isAbsolute(below) ? path : below
}

export function hex(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('hex')
}

/** The first eight digits are enough to tell two roots apart by eye. */
export function shortRoot(root: Uint8Array): string {
  return hex(root.subarray(0, 4))
}

/** Why a peer left: the word of the JSON lines, and the words for people. */
export const LEFT_BECAUSE: Readonly<Record<Reason, { readonly code: string; readonly words: string }>> = {
  [REASON.GOODBYE]: { code: 'goodbye', words: 'it said goodbye' },
  [REASON.TTL_ENDED]: { code: 'ttl-ended', words: 'its TTL ended' },
  [REASON.SILENT]: { code: 'silent', words: 'it fell silent' },
  [REASON.MANAGER_CLOSING]: { code: 'manager-closing', words: 'the manager is closing' },
  [REASON.REPLACED]: { code: 'replaced', words: 'a new process took its port' },
  [REASON.DONE]: { code: 'done', words: 'it needs no more' },
}

function threeDigits(value: number): string {
  if (value < 9.995) return value.toFixed(2)
  return value < 99.95 ? value.toFixed(1) : value.toFixed(0)
}

function wholeDuration(seconds: number): string {
  if (seconds < SECONDS_PER_MINUTE) return `${seconds} s`
  if (seconds < SECONDS_PER_HOUR) return twoUnits(seconds, SECONDS_PER_MINUTE, 'min', 1, 's')
  if (seconds < SECONDS_PER_DAY) return twoUnits(seconds, SECONDS_PER_HOUR, 'h', SECONDS_PER_MINUTE, 'min')
  return twoUnits(seconds, SECONDS_PER_DAY, 'd', SECONDS_PER_HOUR, 'h')
}

function twoUnits(seconds: number, big: number, bigName: string, small: number, smallName: string): string {
  return `${Math.floor(seconds / big)} ${bigName} ${Math.floor((seconds % big) / small)} ${smallName}`
}
