import type { Endpoint } from '../../endpoint.js'
import { ReceiveBatch } from '../../wire/batch.js'

/** libuv reads as many datagrams of a socket in one go: where there were fewer, all were read. */
const READ_AT_ONCE = 32
/** This holds what several reads of one turn bring. */
const BATCH_DATAGRAMS = 256

/** Gathers the datagrams that come in one turn of the event loop, and hands them over as one batch at its end. */
export class Inbox {
  /** Datagrams from sources that can't be answered. */
  refused = 0
  readonly #batch = new ReceiveBatch(BATCH_DATAGRAMS)
  readonly #deliver: (batch: ReceiveBatch) => void
  #turnEnd: NodeJS.Immediate | undefined
  #isClosed = false

  constructor(deliver: (batch: ReceiveBatch) => void) {
    this.#deliver = deliver
  }

  /** @param data kept until the end of the turn */
  readonly take = (data: Uint8Array, from: Endpoint): void => {
    if (this.#isClosed) return
    if (!isAnswerable(from)) {
      this.refused++
      return
    }
    this.#batch.push(data, from)
    if (this.#batch.isFull) this.#handOver()
    else this.#turnEnd ??= setImmediate(this.#handOver)
  }

  close(): void {
    this.#isClosed = true
    clearImmediate(this.#turnEnd)
  }

  readonly #handOver = (): void => {
    clearImmediate(this.#turnEnd)
    this.#turnEnd = undefined
    this.#batch.hasMore = this.#batch.count >= READ_AT_ONCE
    this.#deliver(this.#batch)
    this.#batch.clear()
  }
}

/** A source port of 0 means "no answer" (RFC 768); an address with a zone (`fe80::1%eth0`) means nothing to another host. */
function isAnswerable({ address, port }: Endpoint): boolean {
  return port !== 0 && !address.includes('%')
}
