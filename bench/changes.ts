// What the options want to happen in mid-transfer: other rates, and the end of a peer.
import type { Capacity } from './limit.js'
import { capacityOf, type Moment } from './network-plan.js'
import type { BenchOptions } from './options.js'

/** What the changes are done with. */
export interface ChangeTools {
  /** Gives the links the rates of this moment, and notes when. */
  change(moment: Moment): Promise<void>
  killFirstPeer(): Promise<void>
  onFailure(error: unknown): void
}

export class Changes {
  readonly #options: BenchOptions
  readonly #tools: ChangeTools
  readonly #capacity: Capacity[]
  readonly #timers: NodeJS.Timeout[] = []
  #moment: Moment = {}
  #start = Number.NaN
  #isKilled = false

  constructor(options: BenchOptions, tools: ChangeTools) {
    this.#options = options
    this.#tools = tools
    this.#capacity = [{ seconds: 0, rate: capacityOf(options) }]
  }

  /** What the links could carry, from when on. */
  get capacity(): readonly Capacity[] {
    return this.#capacity
  }

  /** The transfer begins. */
  start(): void {
    this.#start = performance.now()
    for (const { seconds, rate } of this.#options.steps) {
      this.#timers.push(setTimeout(() => this.#do({ rate }), seconds * 1_000))
    }
  }

  /** @param share of the file that is verified */
  onProgress(share: number): void {
    const { kill, peers } = this.#options
    if (kill === undefined || this.#isKilled || share < kill) return
    this.#isKilled = true
    this.#tools.killFirstPeer().catch(this.#tools.onFailure)
    this.#do({ peers: peers - 1 })
  }

  end(): void {
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #do(moment: Moment): void {
    this.#moment = { ...this.#moment, ...moment }
    const seconds = (performance.now() - this.#start) / 1_000
    this.#capacity.push({ seconds, rate: capacityOf(this.#options, this.#moment) })
    this.#tools.change(this.#moment).catch(this.#tools.onFailure)
  }
}
