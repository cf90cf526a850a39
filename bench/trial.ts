// One measurement: a transfer by one system, on links of one loss, until the file is there or patience ends.
import { Changes } from './changes.js'
import { type Capacity, secondsAtLimit } from './limit.js'
import { capacityOf, planNetwork } from './network-plan.js'
import type { BenchOptions } from './options.js'
import type { Places } from './places/places.js'
import type { RelayCounts } from './relay/messages.js'
import type { RelayProcess } from './relay/relay-process.js'
import { SYSTEMS, type SystemName } from './systems.js'
import type { BenchFile } from './transfer/bench-file.js'
import { Pair } from './transfer/pair.js'
import { Swarm } from './transfer/swarm.js'
import type { Collected, ProgressPoint } from './transfer/transfer.js'

/** A transfer may take this many times what the links allow, and this many milliseconds beside. */
const PATIENCE_FACTOR = 10
const PATIENCE_EXTRA = 20_000
/** One by another system less: what it has moved by then says how fast it is. */
const PATIENCE_FACTOR_OTHERS = 2.5
const PATIENCE_EXTRA_OTHERS = 4_000

export interface TrialPlan {
  readonly system: SystemName
  /** Share, 0 to 1. */
  readonly loss: number
  /** From 1. */
  readonly run: number
}

export interface DoneTrial extends TrialPlan, Collected {
  readonly kind: 'done'
  /** That were moved in `seconds`: all of the file, but where another system was stopped before. */
  readonly octets: number
  readonly isWhole: boolean
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
  readonly places: Places
  readonly relay: RelayProcess
  readonly file: BenchFile
  readonly signal: AbortSignal
  /** Where the collector's trace goes. */
  readonly trace: string | undefined
  /** @param share of the file that is there */
  onProgress(share: number): void
}

/** Never rejected for what a process under measurement does: that is a failed trial. */
export async function runTrial(plan: TrialPlan, parts: TrialParts): Promise<Trial> {
  const { options, relay, file, signal, trace } = parts
  const { adapter, data } = SYSTEMS[plan.system]
  const places = await parts.places.open(options.peers + 2)
  const transfer = adapter === undefined ? new Swarm(file, places, options.socket) : new Pair(file, adapter, places)
  let stopped: string | undefined
  const stop = (why: string) => {
    stopped ??= why
    transfer.kill()
  }
  const changes = new Changes(options, {
    change: moment => relay.change(planNetwork(options, plan.loss, moment).computers),
    killFirstPeer: () => transfer.killFirstPeer(),
    onFailure: error => stop(String(error)),
  })
  const progress: ProgressPoint[] = []
  const onProgress = (point: ProgressPoint) => {
    progress.push(point)
    changes.onProgress(point.octets / file.size)
    parts.onProgress(point.octets / file.size)
  }
  const patience = patienceFor(plan, options)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    stop(`not done after ${Math.round(patience / 1e3)} s`)
  }, patience)
  const onAbort = () => stop('interrupted')
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  const done = async (collected: Collected, octets: number): Promise<DoneTrial> => ({
    kind: 'done',
    ...plan,
    ...collected,
    octets,
    isWhole: octets === file.size,
    counts: await relay.counts(),
    capacity: changes.capacity,
    trace,
  })
  try {
    await transfer.gather()
    const luck = { seed: options.seed, label: `loss ${plan.loss} run ${plan.run}` }
    await relay.shape(planNetwork(options, plan.loss), data, luck)
    const collected = await transfer.collect({ trace, onStart: () => changes.start(), onProgress })
    return await done(collected, file.size)
  } catch (error) {
    const last = progress.at(-1)
    if (isLate && adapter !== undefined && last !== undefined) {
      const unknown = { peers: undefined, collector: undefined }
      return await done({ seconds: last.seconds, cpu: unknown, progress }, last.octets)
    }
    return { kind: 'failed', ...plan, why: stopped ?? (error instanceof Error ? error.message : String(error)) }
  } finally {
    clearTimeout(timer)
    changes.end()
    signal.removeEventListener('abort', onAbort)
    await transfer.end()
    await file.clear()
  }
}

/** Milliseconds that a transfer may take, with the lowest of all rates. */
function patienceFor({ system, loss }: TrialPlan, options: BenchOptions): number {
  const peers = options.kill === undefined ? options.peers : options.peers - 1
  const rates = [options.rate, ...options.steps.map(step => step.rate)].map(rate =>
    capacityOf(options, { rate, peers }),
  )
  const best = 1_000 * secondsAtLimit(options.size, [{ seconds: 0, rate: Math.min(...rates) }], loss)
  return SYSTEMS[system].adapter === undefined
    ? PATIENCE_EXTRA + PATIENCE_FACTOR * best
    : PATIENCE_EXTRA_OTHERS + PATIENCE_FACTOR_OTHERS * best
}
