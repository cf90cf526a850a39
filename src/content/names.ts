// Which names every system can hold, and what to write instead of one that some can't.
//
// wire/name.ts refuses, for everything that comes from the network, what could lead out of a folder: those names are never
// valid. The names here are valid and harmless where they were made, but mean something else on another system: a device, another
// file, a file of another name. The rules are those of all systems together, so that a plan (content/plan.ts) is the same on each.
import { NAME_BYTES_MAX } from '../wire/layout.js'
import { nameOctets } from '../wire/name.js'

export type NameFault =
  /** Windows opens a device by that name, in any folder and with any extension. */
  | 'device'
  /** Windows gives the character a meaning: a drive, a stream of a file, a wildcard, a redirection. */
  | 'character'
  /** Windows cuts dots and blanks off the end. */
  | 'ending'

/** Microsoft, "Naming Files, Paths, and Namespaces"; the superscript digits count as digits there. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9¹²³])$/i
const RESERVED = /[<>:"|?*]/
const RESERVED_ALL = /[<>:"|?*]/g
const ENDING = /[. ]+$/
/** Of no width: HFS+ passes over most of them when it compares names. */
const IGNORED = /\p{Default_Ignorable_Code_Point}/gu

/** Why some system can't hold the name as it is; undefined where every one can. @param name as `isName` accepts it */
export function nameFault(name: string): NameFault | undefined {
  if (RESERVED.test(name)) return 'character'
  if (ENDING.test(name)) return 'ending'
  return DEVICE.test(stem(name)) ? 'device' : undefined
}

/**
 * Names with equal keys are one and the same file on some system: by case, by the composition of accents, by characters of
 * no width, by ligatures (APFS takes `ß` for `ss`), by what is cut off the end. It calls too many names twins rather than too few.
 */
export function twinKey(name: string): string {
  const visible = name.normalize('NFKD').replace(IGNORED, '').replace(ENDING, '')
  // Down, up and down again: some characters meet only in one of the cases.
  return visible.toLowerCase().toUpperCase().toLowerCase().normalize('NFKD')
}

/** A name that every system can hold, as near to `name` as may be. @param name as `isName` accepts it */
export function safeName(name: string): string {
  const plain = name.replace(RESERVED_ALL, '_').replace(ENDING, ending => '_'.repeat(ending.length))
  return fitted(DEVICE.test(stem(plain)) ? `_${plain}` : plain, '')
}

/** `name (2).ext` for 2, and so on: another name beside one that is taken. */
export function numberedName(name: string, number: number): string {
  const dot = name.lastIndexOf('.')
  const end = dot > 0 ? dot : name.length
  return fitted(name.slice(0, end), ` (${number})${name.slice(end)}`)
}

/** What Windows takes for the name of a device: all up to the first dot, without blanks at its end. */
function stem(name: string): string {
  return name.split('.', 1)[0]!.replace(/ +$/, '')
}

/** `head` and `tail` together, as much taken off the head's end as the limit asks for; whole characters only. */
function fitted(head: string, tail: string): string {
  let kept = head
  const room = NAME_BYTES_MAX - nameOctets(tail).length
  // An extension alone may be as long as a name: then it goes.
  if (room < 1) return fitted(head + tail, '')
  while (nameOctets(kept).length > room) kept = [...kept].slice(0, -1).join('')
  // What was cut may have bared a dot or a blank.
  return tail === '' ? kept.replace(ENDING, ending => '_'.repeat(ending.length)) : kept + tail
}
