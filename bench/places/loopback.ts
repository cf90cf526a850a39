import type { RelayProcess } from '../relay/relay-process.js'
import { freePorts } from './free-ports.js'
import type { Place, Places } from './places.js'

const HOST = '127.0.0.1'

/** All processes on loopback: each has a port of its own, and another of the relay under which the others know it. */
export class Loopback implements Places {
  readonly #relay: RelayProcess

  constructor(relay: RelayProcess) {
    this.#relay = relay
  }

  async open(count: number): Promise<readonly Place[]> {
    const own = await freePorts(count)
    const seen = await this.#relay.open(own)
    return own.map((port, at) => ({
      own: { host: HOST, port },
      seen: { host: HOST, port: seen[at] ?? 0 },
      prefix: [],
    }))
  }

  async close(): Promise<void> {}
}
