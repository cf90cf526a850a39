import { type Digests, type Random, randomSession } from '../ambient.js'
import type { MembershipEvent } from '../membership/event.js'
import { Manager } from '../membership/manager.js'
import type { ManagerSettings } from '../membership/settings.js'
import type { Instant } from '../units.js'
import type { ReceiveBatch, SendBatch } from '../wire/batch.js'
import type { Outgoing } from '../wire/outgoing.js'
import type { Effect, Host, Input } from './contract.js'
import { ControlQueue } from './control-queue.js'

export interface ManagerHostOptions {
  readonly random: Random
  readonly digests: Digests
  readonly settings?: Partial<ManagerSettings> | undefined
}

/** A manager's process: one machine, and nothing on disk. */
export class ManagerHost implements Host {
  readonly #manager: Manager
  readonly #queue = new ControlQueue()
  // Emptied at the end of each turn, and reused.
  readonly #out: Outgoing[] = []
  readonly #events: MembershipEvent[] = []
  #isReported = false

  constructor({ random, digests, settings }: ManagerHostOptions) {
    this.#manager = new Manager({ epoch: randomSession(random), random, digests, settings })
  }

  /** For tests and the simulator: the list as the manager holds it. */
  get manager(): Manager {
    return this.#manager
  }

  receive(batch: ReceiveBatch, now: Instant, effects: Effect[]): void {
    for (let i = 0; i < batch.count; i++) {
      const message = this.#queue.read(batch.data[i]!)
      if (message !== undefined) this.#manager.receive(message, batch.from[i]!, now, this.#out, this.#events)
    }
    // What came together changes the list together: members hear of it now, not one datagram after the other.
    this.#manager.tick(now, this.#out, this.#events)
    this.#endTurn(effects)
  }

  step(input: Input, now: Instant, effects: Effect[]): void {
    if (input.kind === 'stop') this.#manager.stop(now, this.#out)
    else if (input.kind === 'tick') this.#manager.tick(now, this.#out, this.#events)
    this.#endTurn(effects)
  }

  fill(batch: SendBatch): void {
    this.#queue.fill(batch)
  }

  deadline(): Instant {
    return this.#manager.deadline()
  }

  counters(): Readonly<Record<string, number>> {
    return this.#queue.counters.all()
  }

  #endTurn(effects: Effect[]): void {
    this.#queue.take(this.#out)
    for (const event of this.#events) effects.push({ kind: 'report', event })
    this.#events.length = 0
    if (!this.#manager.isStopped || this.#isReported) return
    this.#isReported = true
    effects.push({ kind: 'stopped', why: 'asked' })
  }
}
