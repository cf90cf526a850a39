// The list of active peers, for people and as JSON.
import { type Endpoint, endpointKey, sameEndpoint } from '../endpoint.js'
import type { HostEvent } from '../host/contract.js'
import type { ListedPeer } from '../membership/listed-peer.js'
import { type Instant, NEVER, since } from '../units.js'
import type { JsonFields, Output } from './output.js'
import { table } from './table.js'
import { counted, hex, LEFT_BECAUSE, printable, shortRoot, size, timeLeft } from './words.js'

export type ListEvent = Extract<HostEvent, { kind: 'list' }>

/** A longer list is cut on the screen; the JSON line has it all. */
const ROWS_MAX = 20

/** Who came and went, then the list as it is now. @param own marks our own row; undefined: the manager's view */
export function sayList(event: ListEvent, own: Endpoint | undefined, now: Instant, output: Output): void {
  output.say(...changes(event, own, output), output.paint('bold', heading(event)), ...rows(event.peers, own, now))
}

export function listFields(event: ListEvent, now: Instant): JsonFields {
  return {
    version: event.version,
    peers: event.peers.map(peer => ({
      peer: endpointKey(peer.endpoint),
      ttlLeft: peer.expires === NEVER ? null : Math.max(0, Math.ceil(since(now, peer.expires))),
      offers: peer.offers.map(offer => ({ name: offer.name, bytes: offer.size, root: hex(offer.root) })),
    })),
    joined: event.joined.map(peer => endpointKey(peer.endpoint)),
    left: event.left.map(({ peer, reason }) => ({
      peer: endpointKey(peer.endpoint),
      reason: LEFT_BECAUSE[reason].code,
    })),
  }
}

function changes(event: ListEvent, own: Endpoint | undefined, output: Output): string[] {
  // To a peer that has just joined all the others are new, but they did not join now.
  const first = own !== undefined && event.joined.some(peer => sameEndpoint(peer.endpoint, own))
  const joined = (first ? [] : event.joined).map(peer =>
    output.paint('green', `+ ${endpointKey(peer.endpoint)} joined`),
  )
  const left = event.left.map(({ peer, reason }) =>
    output.paint('yellow', `- ${endpointKey(peer.endpoint)} left: ${LEFT_BECAUSE[reason].words}`),
  )
  return shortened([...joined, ...left])
}

function heading(event: ListEvent): string {
  if (event.peers.length === 0) return `list ${event.version}: no active peers`
  return `list ${event.version}: ${counted(event.peers.length, 'active peer')}`
}

function rows(peers: readonly ListedPeer[], own: Endpoint | undefined, now: Instant): string[] {
  if (peers.length === 0) return []
  const cells = peers.slice(0, ROWS_MAX).map(peer => {
    const mark = own !== undefined && sameEndpoint(peer.endpoint, own) ? ' (this one)' : ''
    return ['', endpointKey(peer.endpoint) + mark, timeLeft(since(now, peer.expires)), offers(peer)]
  })
  const lines = table(
    [
      { title: '', align: 'left' },
      { title: 'peer', align: 'left' },
      { title: 'time left', align: 'right' },
      { title: 'offers', align: 'left' },
    ],
    cells,
  )
  return peers.length > ROWS_MAX ? [...lines, `  and ${peers.length - ROWS_MAX} more`] : lines
}

function offers(peer: ListedPeer): string {
  if (peer.offers.length === 0) return 'nothing yet'
  return peer.offers
    .map(offer => {
      const what = `${printable(offer.name)}, ${size(offer.size)}, root ${shortRoot(offer.root)}`
      return offer.isPartial ? `${what}, in part` : what
    })
    .join('; ')
}

function shortened(lines: string[]): string[] {
  return lines.length > ROWS_MAX
    ? [...lines.slice(0, ROWS_MAX), `  and ${lines.length - ROWS_MAX} more changes`]
    : lines
}
