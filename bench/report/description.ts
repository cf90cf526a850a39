// What was measured, where, and how to do it again.
import { availableParallelism, cpus, loadavg, platform, release } from 'node:os'
import type { BenchOptions } from '../options.js'
import { percent } from './table.js'

export interface RunDescription {
  /** One line of settings. */
  readonly settings: string
  /** One line about the computer. */
  readonly computer: string
  readonly command: string
  readonly date: string
  /** Datagrams a second that the relay carries. */
  readonly ceiling: number
}

export function describeRun(options: BenchOptions, ceiling: number): RunDescription {
  const [cpu] = cpus()
  const [load = 0] = loadavg()
  return {
    settings: settingsOf(options),
    computer: [
      `${availableParallelism()} cores (${cpu?.model.trim() || 'unknown'})`,
      `${platform()} ${release()}`,
      `Node ${process.version}`,
      `load ${load.toFixed(1)} before the run`,
    ].join(', '),
    command: commandOf(options),
    date: new Date().toISOString().slice(0, 10),
    ceiling,
  }
}

function settingsOf(options: BenchOptions): string {
  const { size, rate, rtt, burst, queue, jitter, peers, runs } = options
  const uplinks = peers === 1 ? '1 peer' : `${peers} peers of ${round(rate / peers)} Mbit/s each`
  return [
    `${round(size / 1e6)} MB`,
    `${round(rate)} Mbit/s`,
    `RTT ${round(rtt)} ms`,
    `queue ${round(queue / 1e3)} kB`,
    ...(burst > 1 ? [`bursts of ${round(burst)}`] : []),
    ...(jitter > 0 ? [`jitter ${round(jitter)} ms`] : []),
    uplinks,
    runs === 1 ? '1 run' : `median of ${runs} runs`,
  ].join(', ')
}

/** Every setting by name: a default that changes some day changes no old report. */
function commandOf(options: BenchOptions): string {
  const { size, rate, rtt, losses, burst, queue, jitter, peers, runs, seed } = options
  const flags = { size: size / 1e6, rate, rtt, burst, queue: queue / 1e3, jitter, peers, runs, seed }
  const numbers = Object.entries(flags).map(([name, value]) => `--${name} ${round(value)}`)
  const loss = losses.map(share => percent(share).replace(' %', '')).join(',')
  return `npm run bench -- --loss ${loss} ${numbers.join(' ')}${options.trace ? ' --trace' : ''}`
}

function round(value: number): number {
  return Number(value.toFixed(3))
}
