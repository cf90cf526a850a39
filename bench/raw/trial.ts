// One measurement: what both ends used from the start of the transfer to the file being there.
import { existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import type { CpuTime, Line, MeasuredProcess } from './measured-process.js'

/** Between two looks whether a file is there: to be told of that means to be told of each write, at the cost of who writes. */
const LOOK_MS = 10

/** What one end used, all its processes together. */
export interface End {
  /** CPU seconds; undefined without /proc. */
  readonly user: number | undefined
  readonly system: number | undefined
  /** Most memory of any process, octets. */
  readonly memory: number | undefined
  /** How late the event loop was at its 99th percentile, the worst process, ms. */
  readonly delay: number | undefined
  /** Octets of memory that JavaScript allocated, all processes together; undefined where nobody asked. */
  readonly allocated: number | undefined
}

export interface RawTrial {
  /** Until the last collector had its file. */
  readonly seconds: number
  readonly source: End
  readonly sink: End
  /** System calls that sent at the source and received at the sink. */
  readonly calls: { readonly sent: number; readonly received: number } | undefined
}

export interface MeasuredTrial extends Omit<RawTrial, 'calls'> {
  readonly sourceCounters: (Line | undefined)[]
  readonly sinkCounters: (Line | undefined)[]
  /** SHA-256 that each sink found, where it looks. */
  readonly digests: readonly unknown[]
}

/**
 * @param before the sources' CPU times when nothing had begun
 * @param outs the files that the sinks make
 * @param end asks all processes to end
 */
export async function measureEnds(
  sources: readonly MeasuredProcess[],
  before: readonly (CpuTime | undefined)[],
  sinks: readonly MeasuredProcess[],
  outs: readonly string[],
  end: () => unknown,
): Promise<MeasuredTrial> {
  const started = await Promise.all(
    sinks.map(async sink => {
      await sink.saw('started')
      return sink.cpuTime()
    }),
  )
  const results = await Promise.all(
    sinks.map(async (sink, i) => {
      // The file is there before it is read back: what that costs is no part of the transfer.
      const result = sink.saw('result')
      await isThere(outs[i]!, result)
      return { cpu: sink.cpuTime(), memory: sink.peakMemory(), line: await result }
    }),
  )
  const failed = results.find(({ line }) => line.ok === false)
  if (failed !== undefined) throw new Error(JSON.stringify(failed.line.error))
  const sourceCpu = sources.map(source => source.cpuTime())
  const sourceMemory = sources.map(source => source.peakMemory())
  end()
  const delays = (processes: readonly MeasuredProcess[]) =>
    Promise.all(
      processes.map(async process => {
        await process.ended
        return Number((await process.saw('delay')).p99)
      }),
    )
  const allocated = async (processes: readonly MeasuredProcess[]) => {
    const lines = await Promise.all(processes.map(process => process.saw('allocations').catch(() => undefined)))
    const octets = lines.reduce((sum, line) => sum + Number(line?.octets ?? Number.NaN), 0)
    return Number.isNaN(octets) ? undefined : octets
  }
  return {
    seconds: Math.max(...results.map(({ line }) => Number(line.seconds))),
    source: {
      ...used(before, sourceCpu),
      memory: most(sourceMemory),
      delay: Math.max(...(await delays(sources))),
      allocated: await allocated(sources),
    },
    sink: {
      ...used(
        started,
        results.map(({ cpu }) => cpu),
      ),
      memory: most(results.map(({ memory }) => memory)),
      delay: Math.max(...(await delays(sinks))),
      allocated: await allocated(sinks),
    },
    sourceCounters: await Promise.all(sources.map(source => source.saw('counters').catch(() => undefined))),
    sinkCounters: await Promise.all(sinks.map(sink => sink.saw('counters').catch(() => undefined))),
    digests: results.map(({ line }) => line.sha256),
  }
}

/** Ends when the file is there, or can't come any more. */
async function isThere(path: string, result: Promise<unknown>): Promise<void> {
  let isOver = false
  const end = () => {
    isOver = true
  }
  void result.then(end, end)
  while (!isOver && !existsSync(path)) await setTimeout(LOOK_MS)
}

function used(from: readonly (CpuTime | undefined)[], to: readonly (CpuTime | undefined)[]) {
  let user = 0
  let system = 0
  for (const [i, after] of to.entries()) {
    const before = from[i]
    if (before === undefined || after === undefined) return { user: undefined, system: undefined }
    user += after.user - before.user
    system += after.system - before.system
  }
  return { user, system }
}

function most(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter(value => value !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}
