import { closeSync, openSync, writeSync } from 'node:fs'
import { endpointKey } from '../endpoint.js'
import type { HostEvent } from '../host/contract.js'
import type { Instant } from '../units.js'
import { describe } from '../wire/describe.js'
import type { Watcher } from './trace.js'

const BUFFER_LINES = 1_000
const MICROSECONDS = 1_000

/** One JSON object a line: `t` in milliseconds, `name` as `area:what`, then what belongs to it. */
export class TraceFile implements Watcher {
  readonly #file: number
  #lines: string[] = []

  constructor(path: string) {
    this.#file = openSync(path, 'w')
  }

  datagram(at: Instant, from: string, to: string, fate: string, data: Uint8Array): void {
    this.#write(at, 'net:datagram', { from, to, fate, text: describe(data) })
  }

  event(at: Instant, host: string, event: HostEvent): void {
    if (event.kind === 'trace') this.#write(at, event.name, { host, ...event.fields })
    else this.#write(at, `host:${event.kind}`, { host, ...plainFields(event) })
  }

  close(): void {
    this.#flush()
    closeSync(this.#file)
  }

  #write(at: Instant, name: string, fields: object): void {
    const t = Math.round(at * MICROSECONDS) / MICROSECONDS
    // A field that has the name of a line's own goes second.
    this.#lines.push(
      JSON.stringify({ t, name, ...fields, ...('name' in fields ? { name, file: fields.name } : {}) }, asPlain),
    )
    if (this.#lines.length >= BUFFER_LINES) this.#flush()
  }

  #flush(): void {
    writeSync(this.#file, this.#lines.map(line => `${line}\n`).join(''))
    this.#lines = []
  }
}

/** A list is told by its changes: whole ones would be most of the file. */
function plainFields(event: HostEvent): object {
  if (event.kind !== 'list') return { ...event, kind: undefined }
  const { version, peers, joined, left } = event
  return {
    version,
    peers: peers.length,
    joined: joined.map(peer => endpointKey(peer.endpoint)),
    left: left.map(({ peer, reason }) => ({ peer: endpointKey(peer.endpoint), reason })),
  }
}

/** JSON knows neither 64-bit sessions nor octets. `this` holds the value as it was before a Buffer's own `toJSON`. */
function asPlain(this: Readonly<Record<string, unknown>>, key: string): unknown {
  const value = this[key]
  if (typeof value === 'bigint') return `0x${value.toString(16).padStart(16, '0')}`
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
}
