// Flows of kernel TCP between two places, each a sender and a receiver, processes of their own.
import { fileURLToPath } from 'node:url'
import { type Address, addressText, type Place } from '../places/places.js'
import { Processes } from '../transfer/transfer.js'

const MAIN = fileURLToPath(new URL('../against/main.js', import.meta.url))

export class TcpFlows {
  /** What each flow sends. */
  readonly #path: string
  readonly #count: number
  readonly #from: Place
  readonly #to: Place
  readonly #processes = new Processes()

  constructor(path: string, count: number, from: Place, to: Place) {
    this.#path = path
    this.#count = count
    this.#from = from
    this.#to = to
  }

  /** Starts the senders. */
  async gather(): Promise<void> {
    const senders = this.#ports().map(port => {
      const ends = [addressText(at(this.#from.own, port)), addressText(this.#to.seen)]
      return this.#processes.start([...this.#from.prefix, process.execPath, MAIN, 'send', 'tcp', ...ends, this.#path])
    })
    await Promise.all(senders.map(sender => sender.saw('registered')))
  }

  /**
   * Starts the receivers.
   *
   * @param onProgress gets the octets that have come to one of them
   * @param onEnd called when one of them ends, which it does not before `kill`, and why
   * @returns when all run
   */
  async run(onProgress: (flow: number, octets: number) => void, onEnd: (why: string) => void): Promise<void> {
    const receivers = this.#ports().map((port, flow) => {
      const ends = [addressText(this.#to.own), addressText(at(this.#from.seen, port))]
      return this.#processes.start([...this.#to.prefix, process.execPath, MAIN, 'drain', 'tcp', ...ends], line => {
        if (line.t === 'progress') onProgress(flow, Number(line.verifiedBytes))
      })
    })
    for (const receiver of receivers) receiver.ended.then(words => onEnd(`a flow of TCP ended: ${words}`))
    await Promise.all(receivers.map(receiver => receiver.saw('started')))
  }

  kill(): void {
    this.#processes.kill()
  }

  end(): Promise<void> {
    return this.#processes.end(undefined)
  }

  /** A sender for each flow. */
  #ports(): number[] {
    return Array.from({ length: this.#count }, (_, flow) => this.#from.own.port + flow)
  }
}

function at({ host }: Address, port: number): Address {
  return { host, port }
}
