// Measurements -> the figures that people read. README.md beside this file says what each means.
import { limitOf, secondsAtLimit } from './limit.js'
import { capacityOf } from './network-plan.js'
import type { BenchOptions } from './options.js'
import { settlingTimes } from './settling.js'
import { SYSTEMS, type SystemName, systemsOf } from './systems.js'
import type { DoneTrial, Trial } from './trial.js'

/** Where a system says nothing of what was asked, a figure is undefined. */
export interface Figures {
  readonly seconds: number
  /** Mbit/s of file. */
  readonly goodput: number
  /** What the links carry at best, in Mbit/s of file: the mean where that changed in mid-transfer. */
  readonly limit: number
  /** Time at the limit / time taken. */
  readonly efficiency: number
  /** Octets of file that were sent beyond the necessary 1/(1-loss), as a share of those. */
  readonly beyond: number | undefined
  /** CPU seconds for each 10^9 octets of file. */
  readonly cpuPeers: number | undefined
  readonly cpuCollector: number | undefined
  /** The same as a share of one core. */
  readonly corePeers: number | undefined
  readonly coreCollector: number | undefined
  /** What a probe beside the transfer waited in the queues of the links, to and fro, in milliseconds. */
  readonly queueMedian: number | undefined
  readonly queueP95: number | undefined
  /** How much later than due the relay itself sent, in milliseconds. */
  readonly relayLateness: number | undefined
  /** Datagrams that the relay itself lost. */
  readonly relayLost: number | undefined
  /** Seconds from each change of the links to the use of their new rate; undefined where that was not found. */
  readonly settling: readonly (number | undefined)[]
}

export interface Row {
  readonly system: SystemName
  /** Share, 0 to 1. */
  readonly loss: number
  /** Of the median, or of links that nothing happens to. */
  readonly limit: number
  readonly trials: readonly Trial[]
  /** Median of each figure over the trials that came to their end; undefined where none did. */
  readonly median: Figures | undefined
  /** Goodput of peer-udp at this loss / of this system; undefined for peer-udp itself, and where one of the two is not known. */
  readonly ratio: number | undefined
}

/** For each loss a row for each system. */
export function rowsOf(trials: readonly Trial[], options: BenchOptions): Row[] {
  return options.losses.flatMap(loss => {
    const rows = systemsOf(options).map(system => rowOf(system, loss, trials, options))
    const own = rows.find(({ system }) => system === 'peer-udp')?.median?.goodput
    return rows.map(row => ({ ...row, ratio: row.system === 'peer-udp' ? undefined : over(own, row.median?.goodput) }))
  })
}

function rowOf(system: SystemName, loss: number, all: readonly Trial[], options: BenchOptions): Row {
  const trials = all.filter(trial => trial.loss === loss && trial.system === system)
  const median = medianOf(trials.flatMap(trial => (trial.kind === 'done' ? [figuresOf(trial)] : [])))
  return { system, loss, limit: median?.limit ?? limitOf(capacityOf(options), loss), trials, median, ratio: undefined }
}

export function figuresOf(trial: DoneTrial): Figures {
  const { seconds, octets: size, cpu, counts, capacity, loss } = trial
  const best = secondsAtLimit(size, capacity, loss)
  const megabits = (size * 8) / 1e6
  return {
    seconds,
    goodput: megabits / seconds,
    limit: megabits / best,
    efficiency: best / seconds,
    beyond: beyondNecessary(trial),
    cpuPeers: over(cpu.peers, size / 1e9),
    cpuCollector: over(cpu.collector, size / 1e9),
    corePeers: over(cpu.peers, seconds),
    coreCollector: over(cpu.collector, seconds),
    queueMedian: counts.ping?.median,
    queueP95: counts.ping?.p95,
    relayLateness: counts.lateness?.p99,
    relayLost: counts.overruns,
    settling: settlingTimes(
      counts.flow,
      capacity.slice(1).map(({ rate }) => rate),
      loss,
    ),
  }
}

/**
 * With the loss as it came, not as it was asked for, so that luck is no figure: each octet of the file has to be sent 1/(1-loss)
 * times; those that a full queue dropped, or that came twice, were sent beyond that.
 */
function beyondNecessary({ system, octets: size, counts }: DoneTrial): number | undefined {
  if (size === 0) return undefined
  const { entered, carried, lost, octets } = counts.data
  const arriving = 1 - (carried === 0 ? 0 : lost / carried)
  return ((octets - entered * SYSTEMS[system].overhead) * arriving) / size - 1
}

function medianOf(all: readonly Figures[]): Figures | undefined {
  if (all.length === 0) return undefined
  type Single = Exclude<keyof Figures, 'settling'>
  const of = <Name extends Single>(name: Name) => median(all.map(figures => figures[name])) as Figures[Name]
  return {
    seconds: of('seconds'),
    goodput: of('goodput'),
    limit: of('limit'),
    efficiency: of('efficiency'),
    beyond: of('beyond'),
    cpuPeers: of('cpuPeers'),
    cpuCollector: of('cpuCollector'),
    corePeers: of('corePeers'),
    coreCollector: of('coreCollector'),
    queueMedian: of('queueMedian'),
    queueP95: of('queueP95'),
    relayLateness: of('relayLateness'),
    relayLost: of('relayLost'),
    settling: (all[0]?.settling ?? []).map((_, at) => median(all.map(({ settling }) => settling[at]))),
  }
}

/** Of an even number, the mean of the middle two. @returns undefined where one is undefined */
export function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = values.filter(value => value !== undefined).sort((a, b) => a - b)
  if (sorted.length < values.length || sorted.length === 0) return undefined
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function over(value: number | undefined, what: number | undefined): number | undefined {
  return value === undefined || what === undefined || what === 0 ? undefined : value / what
}
