// A sender and a receiver of another transport, each a process of its own, in the places of a peer and the collector.
import { fileURLToPath } from 'node:url'
import { addressText, type Place } from '../places/places.js'
import type { BenchFile } from './bench-file.js'
import type { JsonProcess } from './json-process.js'
import { type Collected, type CollectOptions, Processes, type Transfer } from './transfer.js'

const MAIN = fileURLToPath(new URL('../against/main.js', import.meta.url))

export class Pair implements Transfer {
  readonly #file: BenchFile
  readonly #adapter: string
  readonly #sender: Place
  readonly #receiver: Place
  readonly #processes = new Processes()
  #sending: JsonProcess | undefined

  /** @param places as a swarm has them: the second is the sender's, the last the receiver's */
  constructor(file: BenchFile, adapter: string, places: readonly Place[]) {
    const [, sender] = places
    const receiver = places.at(-1)
    if (sender === undefined || receiver === undefined) throw new Error('a pair needs two places')
    this.#file = file
    this.#adapter = adapter
    this.#sender = sender
    this.#receiver = receiver
  }

  async gather(): Promise<void> {
    this.#sending = this.#processes.start(this.#command('send', this.#sender, this.#receiver, [this.#file.shared]))
    await this.#sending.saw('registered')
  }

  collect(options: CollectOptions): Promise<Collected> {
    const { rebuilt, size } = this.#file
    const command = this.#command('receive', this.#receiver, this.#sender, [rebuilt, `${size}`])
    return this.#processes.collect(command, this.#sending === undefined ? [] : [this.#sending], this.#file, options)
  }

  async killFirstPeer(): Promise<void> {
    if (this.#sending !== undefined) await this.#processes.killOne(this.#sending)
  }

  kill(): void {
    this.#processes.kill()
  }

  end(): Promise<void> {
    return this.#processes.end(this.#sending)
  }

  #command(role: 'send' | 'receive', at: Place, other: Place, args: readonly string[]): string[] {
    const ends = [addressText(at.own), addressText(other.seen)]
    return [...at.prefix, process.execPath, MAIN, role, this.#adapter, ...ends, ...args]
  }
}
