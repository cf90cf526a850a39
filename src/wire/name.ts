// Names of files as they stand in offers: UTF-8, 1 to NAME_BYTES_MAX octets, and never a path. Whatever could lead out of
// a folder or move a terminal's cursor is refused here, once, for everything that comes from the network.
import { NAME_BYTES_MAX } from './layout.js'

// Separators of any system; control characters, NUL among them (Cc); halves of surrogate pairs (Cs), which UTF-8 has not.
const FORBIDDEN = /[/\\\p{Cc}\p{Cs}]/u

// `ignoreBOM` keeps a leading U+FEFF, so that every name goes back to the octets that it came from.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/** Whether `name` may stand in an offer. */
export function isName(name: string): boolean {
  if (name === '' || name === '.' || name === '..' || FORBIDDEN.test(name)) return false
  return nameOctets(name).length <= NAME_BYTES_MAX
}

export function nameOctets(name: string): Uint8Array {
  return encoder.encode(name)
}

/** The text of octets in UTF-8; octets that are not UTF-8 give the empty string, which is no name. */
export function nameText(octets: Uint8Array): string {
  const text = utf8.decode(octets)
  // The decoder puts U+FFFD in place of what is not UTF-8: then the way back leads elsewhere.
  const back = encoder.encode(text)
  return back.length === octets.length && back.every((octet, i) => octet === octets[i]) ? text : ''
}
