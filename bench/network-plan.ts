// Which links the options ask for. Computer 0 is the manager's, the last the collector's, the others are the peers'.
import { ms } from '../src/units.js'
import { MTU } from './limit.js'
import type { BenchOptions } from './options.js'
import type { ComputerSettings, NetworkSettings } from './relay/emulated-network.js'

/** A queue that holds less than this many packets lets no burst of two pass. */
const QUEUE_PACKETS_MIN = 10

/** What may change in mid-transfer; without a word, what the options say. */
export interface Moment {
  /** Mbit/s: takes the place of the option. */
  readonly rate?: number
  /** Peers that are left, the first of them having gone first. */
  readonly peers?: number
}

/** Loss comes after the uplinks; these are the bottleneck, unless the uplinks of `--up` are more than the collector's rate. */
export function planNetwork(options: BenchOptions, loss: number, moment: Moment = {}): NetworkSettings {
  const { rate = options.rate } = moment
  // A queue is a piece of hardware: it stays as it is when the rate changes.
  const downQueue = queueOf(options, options.rate)
  const queues = uplinksOf(options, {}).map(up => queueOf(options, up))
  const uplinks = uplinksOf(options, { rate })
  const central: ComputerSettings = { up: rate, upQueue: downQueue, down: rate, downQueue }
  const peers = uplinks.map((up, at): ComputerSettings => ({ up, upQueue: queues[at] ?? 0, down: rate, downQueue }))
  return {
    computers: [central, ...peers, central],
    delay: ms(options.rtt / 2),
    jitter: ms(options.jitter),
    loss,
    burst: options.burst,
    mtu: MTU,
    probes: uplinks.map((_, at) => ({ from: at + 1, to: uplinks.length + 1 })),
  }
}

/** Mbit/s that reach the collector at best. */
export function capacityOf(options: BenchOptions, moment: Moment = {}): number {
  const { rate = options.rate } = moment
  const sum = uplinksOf(options, moment).reduce((total, up) => total + up, 0)
  return Math.min(rate, sum)
}

/** The most that the links ever carry. */
export function highestCapacity(options: BenchOptions): number {
  return Math.max(...[options.rate, ...options.steps.map(step => step.rate)].map(rate => capacityOf(options, { rate })))
}

/** Octets that may wait for a link: as asked for, or what is on its way through it in one round trip when it is full. */
export function queueOf({ queue, rtt }: Pick<BenchOptions, 'queue' | 'rtt'>, rate: number): number {
  return queue ?? Math.max(QUEUE_PACKETS_MIN * MTU, Math.round((rate * 1e6 * rtt) / 1e3 / 8))
}

function uplinksOf({ up, peers, rate }: BenchOptions, moment: Moment): readonly number[] {
  const all = up ?? Array<number>(peers).fill((moment.rate ?? rate) / peers)
  return all.slice(peers - (moment.peers ?? peers))
}
