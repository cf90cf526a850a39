import type { Instant } from '../../src/units.js'

/** Seconds that each entry of a flow stands for. */
export const FLOW_BIN = 0.1

/** The data over time: from its first datagram on, in stretches of FLOW_BIN, octets of IP packets. */
export interface FlowCounts {
  readonly entered: readonly number[]
  readonly delivered: readonly number[]
  /** When the links got other settings, in seconds from the first datagram. */
  readonly changes: readonly number[]
}

export class Flow {
  #start: Instant | undefined
  readonly #entered: number[] = []
  readonly #delivered: number[] = []
  readonly #changes: number[] = []

  get counts(): FlowCounts {
    return { entered: this.#entered, delivered: this.#delivered, changes: this.#changes }
  }

  enter(now: Instant, octets: number): void {
    this.#start ??= now
    add(this.#entered, this.#binAt(now), octets)
  }

  deliver(now: Instant, octets: number): void {
    add(this.#delivered, this.#binAt(now), octets)
  }

  change(now: Instant): void {
    this.#changes.push(this.#secondsAt(now))
  }

  #binAt(now: Instant): number {
    return Math.floor(this.#secondsAt(now) / FLOW_BIN)
  }

  #secondsAt(now: Instant): number {
    return (now - (this.#start ?? now)) / 1_000
  }
}

function add(bins: number[], bin: number, octets: number): void {
  while (bins.length <= bin) bins.push(0)
  bins[bin]! += octets
}
