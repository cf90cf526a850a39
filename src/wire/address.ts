// IP addresses as text and as octets. The text given back is the canonical one, so that equal addresses are equal
// strings: dotted decimal for IPv4, RFC 5952 for IPv6. Zones (`fe80::1%eth0`) mean nothing to another host: no address.
import { assert } from '../errors.js'
import { IPV4_BYTES, IPV6_BYTES } from './layout.js'

const DECIMAL_OCTET = /^(?:0|[1-9]\d{0,2})$/
const HEX_GROUP = /^[\da-f]{1,4}$/i
const GROUPS = 8
/** `::ffff:0:0/96`: an IPv4 address in IPv6 clothes, which RFC 5952, section 5, writes in dotted decimal. */
const MAPPED_GROUPS = [0, 0, 0, 0, 0, 0xffff]

/** @returns 4 or 16 octets, or undefined where `text` is not a numeric address */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIPv6(text) : parseIPv4(text)
}

/** @param octets 4 or 16 of them */
export function formatAddress(octets: Uint8Array): string {
  assert(octets.length === IPV4_BYTES || octets.length === IPV6_BYTES, `an address has ${octets.length} octets`)
  return octets.length === IPV4_BYTES ? octets.join('.') : formatIPv6(octets)
}

function parseIPv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== IPV4_BYTES) return undefined
  const octets = new Uint8Array(IPV4_BYTES)
  for (const [i, part] of parts.entries()) {
    if (!DECIMAL_OCTET.test(part) || Number(part) > 0xff) return undefined
    octets[i] = Number(part)
  }
  return octets
}

function parseIPv6(text: string): Uint8Array | undefined {
  const [before, after, ...more] = text.split('::')
  if (more.length > 0) return undefined
  const head = parseGroups(before!, after === undefined)
  const tail = parseGroups(after ?? '', true)
  if (head === undefined || tail === undefined) return undefined
  const zeros = GROUPS - head.length - tail.length
  if (after === undefined ? zeros !== 0 : zeros < 1) return undefined
  const octets = new Uint8Array(IPV6_BYTES)
  const groups = [...head, ...new Array<number>(zeros).fill(0), ...tail]
  for (const [i, group] of groups.entries()) {
    octets[2 * i] = group >> 8
    octets[2 * i + 1] = group & 0xff
  }
  return octets
}

/** @param endsAddress whether the last group may be an IPv4 address, which stands for two */
function parseGroups(text: string, endsAddress: boolean): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  const groups: number[] = []
  for (const [i, part] of parts.entries()) {
    if (HEX_GROUP.test(part)) {
      groups.push(Number.parseInt(part, 16))
      continue
    }
    const embedded = endsAddress && i === parts.length - 1 ? parseIPv4(part) : undefined
    if (embedded === undefined) return undefined
    groups.push((embedded[0]! << 8) | embedded[1]!, (embedded[2]! << 8) | embedded[3]!)
  }
  return groups
}

function formatIPv6(octets: Uint8Array): string {
  const groups = Array.from({ length: GROUPS }, (_, i) => (octets[2 * i]! << 8) | octets[2 * i + 1]!)
  if (MAPPED_GROUPS.every((group, i) => groups[i] === group)) return `::ffff:${octets.subarray(12).join('.')}`
  const { start, count } = longestZeros(groups)
  const texts = groups.map(group => group.toString(16))
  // A single zero group is not shortened (RFC 5952, section 4.2.2).
  if (count < 2) return texts.join(':')
  return `${texts.slice(0, start).join(':')}::${texts.slice(start + count).join(':')}`
}

/** The first of the longest runs of zero groups. */
function longestZeros(groups: readonly number[]): { readonly start: number; readonly count: number } {
  let longest = { start: 0, count: 0 }
  let start = 0
  for (const [i, group] of groups.entries()) {
    if (group !== 0) start = i + 1
    else if (i + 1 - start > longest.count) longest = { start, count: i + 1 - start }
  }
  return longest
}
