// What was measured, where, and how to do it again.
import { availableParallelism, cpus, loadavg, platform, release } from 'node:os'
import { type Beside, opponentsText } from '../beside/opponents.js'
import { queueOf, queuesBeside } from '../network-plan.js'
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
  return options.beside === undefined ? settingsOfTransfers(options) : settingsBeside(options, options.beside)
}

function settingsBeside(options: BenchOptions, { opponents, seconds }: Beside): string {
  const { rate, rtt, jitter, peers, socket, runs } = options
  const queues = queuesBeside(options).map(queue => round(queue / 1e3))
  return [
    `beside ${opponents.map(opponentsText).join(', ')}`,
    `${round(seconds)} s each`,
    `one link of ${round(rate)} Mbit/s`,
    `RTT ${round(rtt)} ms`,
    `queue ${queues.join(', ')} kB`,
    ...(jitter > 0 ? [`jitter ${round(jitter)} ms`] : []),
    peers === 1 ? '1 peer' : `${peers} peers`,
    ...(socket === undefined ? [] : [`${socket} sockets`]),
    runsOf(runs),
  ].join(', ')
}

function settingsOfTransfers(options: BenchOptions): string {
  const { size, rate, rtt, burst, jitter, runs, steps, kill, socket, namespaces } = options
  return [
    `${round(size / 1e6)} MB`,
    `${round(rate)} Mbit/s`,
    ...steps.map(step => `${round(step.rate)} after ${round(step.seconds)} s`),
    `RTT ${round(rtt)} ms`,
    queuesOf(options),
    ...(burst > 1 ? [`bursts of ${round(burst)}`] : []),
    ...(jitter > 0 ? [`jitter ${round(jitter)} ms`] : []),
    peersOf(options),
    ...(kill === undefined ? [] : [`one killed at ${percent(kill)}`]),
    ...(socket === undefined ? [] : [`${socket} sockets`]),
    ...(namespaces ? ['network namespaces'] : []),
    runsOf(runs),
  ].join(', ')
}

function runsOf(runs: number): string {
  return runs === 1 ? '1 run' : `median of ${runs} runs`
}

function queuesOf(options: BenchOptions): string {
  const { queue, rate, up, peers } = options
  if (queue === undefined && up !== undefined) return 'queues of a delay-bandwidth product'
  return `queue ${round(queueOf(options, rate / peers) / 1e3)} kB`
}

function peersOf({ peers, rate, up }: BenchOptions): string {
  if (up !== undefined) return `peers of ${up.join(', ')} Mbit/s`
  return peers === 1 ? '1 peer' : `${peers} peers of ${round(rate / peers)} Mbit/s each`
}

/** Every setting by name: a default that changes some day changes no old report. */
function commandOf(options: BenchOptions): string {
  const { size, rate, up, steps, rtt, losses, burst, queue, jitter, peers, kill, runs, seed } = options
  const { socket, against, namespaces, beside, trace } = options
  const flags = {
    beside: beside?.opponents.map(opponentsText).join(','),
    seconds: beside && round(beside.seconds),
    loss: beside ? undefined : losses.map(share => round(share * 100)).join(','),
    size: beside ? undefined : round(size / 1e6),
    rate: round(rate),
    up: up?.join(','),
    steps: steps.length === 0 ? undefined : steps.map(step => `${step.seconds}:${step.rate}`).join(','),
    rtt: round(rtt),
    burst: beside ? undefined : round(burst),
    queue: queue === undefined ? undefined : round(queue / 1e3),
    jitter: round(jitter),
    peers,
    kill: kill === undefined ? undefined : round(kill * 100),
    runs,
    seed,
    socket,
    against: against.length === 0 ? undefined : against.join(','),
  }
  const words = Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value}`]))
  if (namespaces) words.push('--namespaces')
  if (trace) words.push('--trace')
  return `npm run bench -- ${words.join(' ')}`
}

function round(value: number): number {
  return Number(value.toFixed(3))
}
