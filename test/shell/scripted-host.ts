import type { Endpoint } from '../../src/endpoint.js'
import type { Effect, Host, Input } from '../../src/host/contract.js'
import { type Instant, NEVER } from '../../src/units.js'
import type { ReceiveBatch, SendBatch } from '../../src/wire/batch.js'

export type Answer = (effects: Effect[], input: Input, at: Instant) => void

/** Does what a test says, and notes what it got. */
export class ScriptedHost implements Host {
  readonly log: string[] = []
  readonly inbox: string[] = []
  readonly outbox: [Endpoint, string][] = []
  due = NEVER
  nested = 0
  onDatagrams: (effects: Effect[]) => void = () => {}
  readonly #answers = new Map<Input['kind'], Answer>()

  on(kind: Input['kind'], answer: Answer): void {
    this.#answers.set(kind, answer)
  }
  receive(batch: ReceiveBatch, _: Instant, effects: Effect[]): void {
    for (let i = 0; i < batch.count; i++) this.inbox.push(String(batch.data[i]))
    this.onDatagrams(effects)
  }
  step(input: Input, at: Instant, effects: Effect[]): void {
    // The effects of the turn before were all performed: otherwise turns nest.
    this.nested += effects.length
    this.log.push(input.kind)
    this.#answers.get(input.kind)?.(effects, input, at)
  }
  fill(batch: SendBatch): void {
    while (!batch.isFull && this.outbox.length > 0) {
      const [to, text] = this.outbox.shift()!
      batch.head.set(Buffer.from(text))
      batch.push(to, text.length)
    }
  }
  deadline(): Instant {
    return this.due
  }
  counters() {
    return { scripted: 1 }
  }
}
