// One measurement of how a link is shared: peer-udp and the opponents for some seconds, none of whom comes to an end.
import { setTimeout as sleep } from 'node:timers/promises'
import { planShared } from '../network-plan.js'
import type { BenchOptions } from '../options.js'
import type { RelayCounts } from '../relay/messages.js'
import type { Stage } from '../stage.js'
import { Swarm } from '../transfer/swarm.js'
import type { ProgressPoint } from '../transfer/transfer.js'
import { type Opponents, opponentsText, SECONDS_SKIPPED } from './opponents.js'
import { TcpFlows } from './tcp-flows.js'

/** Milliseconds after the last second that counts, so that everyone has said how far it was then. */
const LAST_WORDS = 500
/** So many places beside those of the peers: manager, senders of the opponents, collector. */
export const OTHER_PLACES = 3

export interface SharedPlan {
  readonly opponents: Opponents
  /** Octets that may wait for the link. */
  readonly queue: number
  /** From 1. */
  readonly run: number
}

export interface DoneShared extends SharedPlan {
  readonly kind: 'done'
  /** Seconds from the moment when all ran, and octets of file that had come by then. */
  readonly ours: readonly ProgressPoint[]
  /** The same of each flow. */
  readonly theirs: readonly (readonly ProgressPoint[])[]
  /** From when to when it counts, in those seconds. */
  readonly from: number
  readonly to: number
  /** Of all data together, in that time. */
  readonly counts: RelayCounts
}

export interface FailedShared extends SharedPlan {
  readonly kind: 'failed'
  readonly why: string
}

export type SharedTrial = DoneShared | FailedShared

export interface SharedParts extends Pick<Stage, 'places' | 'relay' | 'file'> {
  readonly options: BenchOptions
  readonly seconds: number
  readonly signal: AbortSignal
}

/** Never rejected for what a process under measurement does: that is a failed trial. */
export async function runShared(plan: SharedPlan, parts: SharedParts): Promise<SharedTrial> {
  const { options, relay, file, seconds } = parts
  const places = await parts.places.open(options.peers + OTHER_PLACES)
  const [rivals, collector] = places.slice(-2)
  if (rivals === undefined || collector === undefined) throw new Error('a shared link needs two places')
  const swarm = new Swarm(file, [...places.slice(0, -2), collector], options.socket)
  const flows = new TcpFlows(file.shared, plan.opponents.flows, rivals, collector)
  const stop = new AbortController()
  stop.signal.addEventListener('abort', () => {
    swarm.kill()
    flows.kill()
  })
  const onInterrupt = () => stop.abort('interrupted')
  parts.signal.addEventListener('abort', onInterrupt, { once: true })
  if (parts.signal.aborted) onInterrupt()
  const wait = (milliseconds: number) => sleep(milliseconds, undefined, { signal: stop.signal })
  try {
    await Promise.all([swarm.gather(), flows.gather()])
    const label = `beside ${opponentsText(plan.opponents)} queue ${plan.queue} run ${plan.run}`
    await relay.shape(planShared(options, plan.queue), 'large', { seed: options.seed, label })

    const progress = new Progress(plan.opponents.flows)
    await Promise.all([
      startOurs(swarm, progress, why => stop.abort(why)),
      flows.run(
        (flow, octets) => progress.add(octets, flow),
        why => stop.abort(why),
      ),
    ])
    progress.begin()
    await wait(SECONDS_SKIPPED * 1_000)
    const from = progress.seconds
    await relay.countAnew()
    await wait((seconds - SECONDS_SKIPPED) * 1_000)
    const to = progress.seconds
    const counts = await relay.counts()
    await wait(LAST_WORDS)
    return { kind: 'done', ...plan, ours: progress.ours, theirs: progress.theirs, from, to, counts }
  } catch (error) {
    return { kind: 'failed', ...plan, why: stop.signal.aborted ? String(stop.signal.reason) : messageOf(error) }
  } finally {
    parts.signal.removeEventListener('abort', onInterrupt)
    stop.abort()
    await Promise.all([swarm.end(), flows.end()])
    await file.clear()
  }
}

/** Who had how much when; the clock starts when all run. */
class Progress {
  readonly ours: ProgressPoint[] = []
  readonly theirs: readonly ProgressPoint[][]
  #start: number | undefined

  constructor(flows: number) {
    this.theirs = Array.from({ length: flows }, () => [])
  }

  begin(): void {
    this.#start = performance.now()
  }

  get seconds(): number {
    return this.#start === undefined ? 0 : (performance.now() - this.#start) / 1_000
  }

  /** @param flow of the opponents; undefined = ours */
  add(octets: number, flow?: number): void {
    const points = flow === undefined ? this.ours : this.theirs[flow]
    points?.push({ seconds: this.seconds, octets })
  }
}

/** @param onEnd called when the transfer is over, which it should not be @returns when the collector runs */
async function startOurs(swarm: Swarm, progress: Progress, onEnd: (why: string) => void): Promise<void> {
  let collected: Promise<unknown> = Promise.resolve()
  const started = new Promise<void>(onStart => {
    collected = swarm.collect({ trace: undefined, onStart, onProgress: ({ octets }) => progress.add(octets) })
  })
  collected.then(
    () => onEnd('the file came to its end before the time was over'),
    error => onEnd(messageOf(error)),
  )
  await Promise.race([started, collected])
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
