// `peer-udp ls`: what the swarm offers and who has it, or what is in one of the contents.
import { createPeer, endpointKey, type Held, type Holder, ID_DIGITS_MIN, type Listing } from '../index.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { endOf, exitCodeOf, type JoinCommand, joinOptions } from './joining.js'
import { Output } from './output.js'
import { table } from './table.js'
import { exact, printable } from './words.js'

export interface LsCommand extends JoinCommand {
  /** A name or an id; undefined: the swarm. */
  readonly what: string | undefined
}

interface Found extends Held {
  readonly holders: readonly Holder[]
}

/** Peers named in one row. */
const PEERS_SHOWN = 4

/** @returns the exit code @throws UsageError, PortError */
export async function runLs(command: LsCommand, signal: AbortSignal): Promise<ExitCode> {
  const output = new Output({ json: command.json })
  const peer = await createPeer({ ...joinOptions(command), signal })
  try {
    if (command.what === undefined) {
      await peer.listed()
      const found = await Promise.all(
        peer.held.map(async held => ({ ...held, holders: await peer.survey(held, { signal }) })),
      )
      for (const content of found) output.emit('held', heldFields(content))
      if (!command.json) print(heldTable(found))
      if (found.length === 0) output.say('nobody offers anything yet')
    } else {
      const patience = command.wait ? { patience: Number.POSITIVE_INFINITY } : {}
      const listing = await peer.look(command.what, { signal, ...patience })
      const { id, name, bytes, kind, entries } = listing
      output.emit('listing', { id, name, bytes, kind, entries: entries.map(entryFields) })
      if (!command.json) print(entryTable(listing))
    }
    return EXIT.FINE
  } catch (error) {
    const end = endOf(error, command, peer.local.port, signal)
    if (end === undefined) throw error
    output.say(`peer-udp: ${end.detail}`)
    return exitCodeOf(end)
  } finally {
    await peer.stop()
  }
}

function heldTable(held: readonly Found[]): string[] {
  if (held.length === 0) return []
  return table(
    [
      { title: 'name', align: 'left' },
      { title: 'octets', align: 'right' },
      { title: 'id', align: 'left' },
      { title: 'peers', align: 'right' },
      { title: '', align: 'left' },
    ],
    held.map(({ names, bytes, id, peers, holders }) => [
      names.map(printable).join(', '),
      exact(bytes),
      id.slice(0, ID_DIGITS_MIN),
      exact(peers.length),
      holders.slice(0, PEERS_SHOWN).map(holderWords).join(' ') + (peers.length > PEERS_SHOWN ? ' ...' : ''),
    ]),
  )
}

/** Rounded down: who lacks anything does not have 100 %. */
function holderWords({ peer, has }: Holder): string {
  if (has === 1) return endpointKey(peer)
  return `${endpointKey(peer)} (${has === undefined ? 'in part' : `${Math.floor(100 * has)} %`})`
}

function heldFields({ id, names, bytes, peers, holders }: Found) {
  const has = holders.map(holder => holder.has ?? null)
  return { id, names, bytes, peers: peers.map(endpointKey), has }
}

function entryTable({ entries }: Listing): string[] {
  return table(
    [
      { title: 'octets', align: 'right' },
      { title: 'path', align: 'left' },
    ],
    entries.map(({ kind, path, bytes, isExecutable }) =>
      kind === 'folder' ? ['', `${printable(path)}/`] : [exact(bytes), `${printable(path)}${isExecutable ? '*' : ''}`],
    ),
  )
}

function entryFields({ kind, path, bytes, isExecutable, id }: Listing['entries'][number]) {
  return kind === 'folder' ? { kind, path } : { kind, path, bytes, isExecutable, id: id ?? null }
}

/** What was asked for, not words about it: to stdout. */
function print(lines: readonly string[]): void {
  process.stdout.write(lines.map(line => `${line}\n`).join(''))
}
