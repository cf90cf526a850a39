// Measurements -> the figures that people read. README.md beside this file says what each means.
import { limitOf } from './limit.js'
import type { BenchOptions } from './options.js'
import type { DoneTrial, Trial } from './trial.js'

/** Where a system says nothing of what was asked, a figure is undefined. */
export interface Figures {
  readonly seconds: number
  /** Mbit/s of file. */
  readonly goodput: number
  /** Time at the limit / time taken. */
  readonly efficiency: number
  /** Data datagrams sent beyond the necessary 1/(1-loss), as a share of those. */
  readonly beyond: number
  /** CPU seconds for each 10^9 octets of file. */
  readonly cpuPeers: number | undefined
  readonly cpuCollector: number | undefined
  /** What a probe beside the transfer waited in the queues of the links, to and fro, in milliseconds. */
  readonly queueMedian: number | undefined
  readonly queueP95: number | undefined
  /** How much later than due the relay itself sent, in milliseconds. */
  readonly relayLateness: number | undefined
  /** Datagrams that the relay itself lost. */
  readonly relayLost: number | undefined
}

export interface Row {
  /** Share, 0 to 1. */
  readonly loss: number
  /** Mbit/s. */
  readonly limit: number
  readonly trials: readonly Trial[]
  /** Median of each figure over the trials that came to their end; undefined where none did. */
  readonly median: Figures | undefined
}

/** A row for each loss, in the order of the options. */
export function rowsOf(trials: readonly Trial[], options: BenchOptions): Row[] {
  return options.losses.map(loss => {
    const own = trials.filter(trial => trial.loss === loss)
    const done = own.filter(trial => trial.kind === 'done')
    return {
      loss,
      limit: limitOf(options.rate, loss),
      trials: own,
      median: medianOf(done.map(trial => figuresOf(trial, options))),
    }
  })
}

export function figuresOf(trial: DoneTrial, { size, rate }: Pick<BenchOptions, 'size' | 'rate'>): Figures {
  const { seconds, cpu, counts } = trial
  const goodput = (size * 8) / seconds / 1e6
  const gigabytes = size / 1e9
  return {
    seconds,
    goodput,
    efficiency: goodput / limitOf(rate, trial.loss),
    beyond: beyondNecessary(trial),
    cpuPeers: cpu.peers === undefined ? undefined : cpu.peers / gigabytes,
    cpuCollector: cpu.collector === undefined ? undefined : cpu.collector / gigabytes,
    queueMedian: counts.ping?.median,
    queueP95: counts.ping?.p95,
    relayLateness: counts.lateness?.p99,
    relayLost: counts.overruns,
  }
}

/**
 * With the loss as it came, not as it was asked for, so that luck is no figure: each chunk of the file needs 1/(1-loss)
 * datagrams; those that a full queue dropped, or that came twice, were sent beyond that.
 */
function beyondNecessary({ chunks, counts: { data } }: Pick<DoneTrial, 'chunks' | 'counts'>): number {
  const arriving = 1 - (data.carried === 0 ? 0 : data.lost / data.carried)
  return (data.entered * arriving) / chunks - 1
}

function medianOf(all: readonly Figures[]): Figures | undefined {
  if (all.length === 0) return undefined
  const of = <Name extends keyof Figures>(name: Name) => median(all.map(figures => figures[name])) as Figures[Name]
  return {
    seconds: of('seconds'),
    goodput: of('goodput'),
    efficiency: of('efficiency'),
    beyond: of('beyond'),
    cpuPeers: of('cpuPeers'),
    cpuCollector: of('cpuCollector'),
    queueMedian: of('queueMedian'),
    queueP95: of('queueP95'),
    relayLateness: of('relayLateness'),
    relayLost: of('relayLost'),
  }
}

/** Of an even number, the mean of the middle two. @returns undefined where one is undefined */
export function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = values.filter(value => value !== undefined).sort((a, b) => a - b)
  if (sorted.length < values.length || sorted.length === 0) return undefined
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
