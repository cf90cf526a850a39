// Loaded into each measured process before its own code: at the end it says how late the event loop was.
import { monitorEventLoopDelay } from 'node:perf_hooks'

const NANOSECONDS = 1e6
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
process.on('exit', () => {
  delay.disable()
  // The resolution itself is in what is measured.
  const late = (percentile: number) => Math.max(0, delay.percentile(percentile) / NANOSECONDS - 1)
  process.stdout.write(`${JSON.stringify({ t: 'delay', p50: late(50), p99: late(99), max: late(100) })}\n`)
})
