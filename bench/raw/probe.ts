// Loaded into each measured process before its own code: at the end it says how late the event loop was and, where
// that is asked for, how much memory JavaScript allocated.
import { type HeapProfiler, Session } from 'node:inspector'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Set to anything, allocations are sampled; that costs some time. */
export const ALLOCATIONS_ENV = 'PEER_UDP_BENCH_ALLOCATIONS'
const NANOSECONDS = 1e6
const SAMPLE_OCTETS = 32_768

const session = process.env[ALLOCATIONS_ENV] === undefined ? undefined : new Session()
session?.connect()
session?.post('HeapProfiler.startSampling', {
  samplingInterval: SAMPLE_OCTETS,
  includeObjectsCollectedByMajorGC: true,
  includeObjectsCollectedByMinorGC: true,
} as HeapProfiler.StartSamplingParameterType)
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()

process.on('exit', () => {
  delay.disable()
  // The resolution itself is in what is measured.
  const late = (percentile: number) => Math.max(0, delay.percentile(percentile) / NANOSECONDS - 1)
  say('delay', { p50: late(50), p99: late(99), max: late(100) })
  // It answers at once: the session is this thread's own.
  session?.post('HeapProfiler.stopSampling', (_, { profile }) => say('allocations', { octets: octetsOf(profile.head) }))
})

/** Of what the data path allocates: loading and compiling modules is left out. */
function octetsOf({ selfSize, children, callFrame }: HeapProfiler.SamplingHeapProfileNode): number {
  const own = callFrame.url.startsWith('file:') ? selfSize : 0
  return children.reduce((sum, child) => sum + octetsOf(child), own)
}

function say(t: string, fields: object): void {
  process.stdout.write(`${JSON.stringify({ t, ...fields })}\n`)
}
