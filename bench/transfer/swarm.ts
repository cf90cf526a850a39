// A manager, peers and a collector as processes of their own: the command as a user starts it.
import { fileURLToPath } from 'node:url'
import type { SocketKind } from '../options.js'
import { addressText, type Place } from '../places/places.js'
import type { BenchFile } from './bench-file.js'
import type { JsonProcess } from './json-process.js'
import { type Collected, type CollectOptions, Processes, type Transfer } from './transfer.js'

/** The built command of this package, wherever this module was compiled to. */
const CLI = fileURLToPath(new URL('./cli.js', import.meta.resolve('peer-udp')))

export class Swarm implements Transfer {
  readonly #file: BenchFile
  /** Flags of every process. */
  readonly #flags: readonly string[]
  readonly #managerPlace: Place
  readonly #peerPlaces: readonly Place[]
  readonly #collectorPlace: Place
  readonly #processes = new Processes()
  readonly #peers: JsonProcess[] = []
  #manager: JsonProcess | undefined

  /** @param places the manager's, one for each peer, the collector's @param socket undefined = what the command itself chooses */
  constructor(file: BenchFile, places: readonly Place[], socket: SocketKind | undefined) {
    const [first, ...others] = places
    const last = others.pop()
    if (first === undefined || last === undefined) throw new Error('a swarm needs two places at least')
    this.#file = file
    this.#flags = ['--json', ...(socket === undefined ? [] : ['--socket', socket])]
    this.#managerPlace = first
    this.#peerPlaces = others
    this.#collectorPlace = last
  }

  async gather(): Promise<void> {
    const { own, prefix } = this.#managerPlace
    const args = ['manager', '--port', `${own.port}`, '--listen', own.host, ...this.#flags]
    this.#manager = this.#processes.start([...prefix, process.execPath, CLI, ...args])
    await this.#manager.saw('started')
    for (const place of this.#peerPlaces) {
      this.#peers.push(this.#processes.start(this.#peerAt(place, ['--no-collect', '--share', this.#file.shared])))
    }
    await Promise.all(this.#peers.map(peer => peer.saw('registered')))
  }

  collect(options: CollectOptions): Promise<Collected> {
    const { lacking, rebuilt } = this.#file
    const args = ['--collect', '--once', '--share', lacking, '--out', rebuilt]
    if (options.trace !== undefined) args.push('--trace', options.trace)
    return this.#processes.collect(this.#peerAt(this.#collectorPlace, args), this.#peers, this.#file, options)
  }

  async killFirstPeer(): Promise<void> {
    const [peer] = this.#peers
    if (peer !== undefined) await this.#processes.killOne(peer)
  }

  kill(): void {
    this.#processes.kill()
  }

  /** When the manager leaves, all others do. */
  end(): Promise<void> {
    return this.#processes.end(this.#manager)
  }

  #peerAt({ own, prefix }: Place, args: readonly string[]): string[] {
    const manager = addressText(this.#managerPlace.seen)
    const base = ['peer', `${own.port}`, '--manager', manager, '--listen', own.host, ...this.#flags]
    return [...prefix, process.execPath, CLI, ...base, ...args]
  }
}
