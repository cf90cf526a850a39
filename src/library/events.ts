// Events for `for await`: each reader has a queue of its own, with an end and a limit.

/** Events kept for a reader that is slow; then what is least worth goes, the oldest first. */
const QUEUE_MAX = 1_024

/** One reader's events, in order. It ends when the stream does, after what was told before. */
class Reader<Event extends { readonly kind: string }> implements AsyncIterableIterator<Event> {
  readonly #stream: EventStream<Event>
  readonly #queue: Event[] = []
  readonly #waiting: ((result: IteratorResult<Event>) => void)[] = []
  #isOver = false

  constructor(stream: EventStream<Event>) {
    this.#stream = stream
  }

  push(event: Event): void {
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) {
      waiting({ done: false, value: event })
      return
    }
    this.#queue.push(event)
    if (this.#queue.length <= QUEUE_MAX) return
    const minor = this.#queue.findIndex(({ kind }) => kind === 'progress' || kind === 'trace')
    this.#queue.splice(Math.max(0, minor), 1)
  }

  end(): void {
    this.#isOver = true
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined })
  }

  next(): Promise<IteratorResult<Event>> {
    const event = this.#queue.shift()
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined })
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  /** The loop was left. */
  return(): Promise<IteratorResult<Event>> {
    this.#stream.forget(this)
    this.#queue.length = 0
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

export class EventStream<Event extends { readonly kind: string }> {
  readonly #readers = new Set<Reader<Event>>()
  #isOver = false

  push(event: Event): void {
    for (const reader of this.#readers) reader.push(event)
  }

  end(): void {
    this.#isOver = true
    for (const reader of this.#readers) reader.end()
  }

  /** A new reader, which sees what is told from now on. */
  read(): AsyncIterableIterator<Event> {
    const reader = new Reader(this)
    if (this.#isOver) reader.end()
    else this.#readers.add(reader)
    return reader
  }

  forget(reader: Reader<Event>): void {
    this.#readers.delete(reader)
  }
}
