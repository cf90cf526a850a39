// One measurement: a swarm of its own, on links of one loss, until the collector has the file or patience ends.
import { Changes } from './changes.js'
import { type Capacity, secondsAtLimit } from './limit.js'
import { capacityOf, planNetwork } from './network-plan.js'
import type { BenchOptions } from './options.js'
import type { RelayCounts } from './relay/messages.js'
import type { RelayProcess } from './relay/relay-process.js'
import type { BenchFile } from './swarm/bench-file.js'
import { type Collected, Swarm } from './swarm/swarm.js'

/** A transfer may take this many times what the links allow, and this many milliseconds beside. */
const PATIENCE_FACTOR = 10
const PATIENCE_EXTRA = 20_000

export interface TrialPlan {
  /** Share, 0 to 1. */
  readonly loss: number
  /** From 1. */
  readonly run: number
}

export interface DoneTrial extends TrialPlan, Collected {
  readonly kind: 'done'
  readonly counts: RelayCounts
  /** What the links could carry in the course of it. */
  readonly capacity: readonly Capacity[]
  /** Of the collector; undefined where none was asked for. */
  readonly trace: string | undefined
}

export interface FailedTrial extends TrialPlan {
  readonly kind: 'failed'
  readonly why: string
}

export type Trial = DoneTrial | FailedTrial

export interface TrialParts {
  readonly options: BenchOptions
  readonly relay: RelayProcess
  readonly file: BenchFile
  readonly signal: AbortSignal
  /** Where the collector's trace goes. */
  readonly trace: string | undefined
  /** @param share of the file that is verified */
  onProgress(share: number): void
}

/** Never rejected for what a process of the swarm does: that is a failed trial. */
export async function runTrial(plan: TrialPlan, parts: TrialParts): Promise<Trial> {
  const { options, relay, file, signal, trace } = parts
  const swarm = await Swarm.open(relay, file, options.peers)
  let stopped: string | undefined
  const stop = (why: string) => {
    stopped ??= why
    swarm.kill()
  }
  const changes = new Changes(options, {
    change: moment => relay.change(planNetwork(options, plan.loss, moment).computers),
    killFirstPeer: () => swarm.killFirstPeer(),
    onFailure: error => stop(String(error)),
  })
  const patience = PATIENCE_EXTRA + PATIENCE_FACTOR * 1_000 * longestAtLimit(options, plan.loss)
  const timer = setTimeout(() => stop(`not done after ${Math.round(patience / 1e3)} s`), patience)
  const onAbort = () => stop('interrupted')
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    await swarm.gather()
    const luck = { seed: options.seed, label: `loss ${plan.loss} run ${plan.run}` }
    await relay.shape(planNetwork(options, plan.loss), luck)
    const onProgress = (octets: number) => {
      changes.onProgress(octets / file.size)
      parts.onProgress(octets / file.size)
    }
    const collected = await swarm.collect({ trace, onStart: () => changes.start(), onProgress })
    changes.end()
    return { kind: 'done', ...plan, ...collected, counts: await relay.counts(), capacity: changes.capacity, trace }
  } catch (error) {
    return { kind: 'failed', ...plan, why: stopped ?? (error instanceof Error ? error.message : String(error)) }
  } finally {
    clearTimeout(timer)
    changes.end()
    signal.removeEventListener('abort', onAbort)
    await swarm.end()
    await file.clear()
  }
}

/** Seconds, with the lowest of all rates. */
function longestAtLimit(options: BenchOptions, loss: number): number {
  const rates = [options.rate, ...options.steps.map(step => step.rate)]
  const lowest = Math.min(
    ...rates.map(rate => capacityOf(options, { rate, peers: options.kill ? options.peers - 1 : options.peers })),
  )
  return secondsAtLimit(options.size, [{ seconds: 0, rate: lowest }], loss)
}
