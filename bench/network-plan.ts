// Which links the options ask for. Computer 0 is the manager's, the last the collector's, the others are the peers'.
import { ms } from '../src/units.js'
import { MTU } from './limit.js'
import type { BenchOptions } from './options.js'
import type { ComputerSettings, NetworkSettings } from './relay/emulated-network.js'

/** A queue that holds less than this many packets lets no burst of two pass. */
const QUEUE_PACKETS_MIN = 10
/** From a queue that no flow likes to one that holds a flow which fills it for four round trips. */
const QUEUE_PRODUCTS = [0.25, 1, 4]

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

/**
 * Where peer-udp and others share one link: the collector's downlink, and no other link has a rate. Behind the peers stands one more
 * computer, that of all other senders; the others' receivers stand with the collector.
 *
 * @param queue octets that may wait for it
 */
export function planShared({ rate, rtt, jitter, peers }: BenchOptions, queue: number): NetworkSettings {
  const open: ComputerSettings = { up: 0, upQueue: Infinity, down: 0, downQueue: Infinity }
  const senders = Array.from({ length: peers + 1 }, () => open)
  return {
    computers: [open, ...senders, { ...open, down: rate, downQueue: queue }],
    delay: ms(rtt / 2),
    jitter: ms(jitter),
    loss: 0,
    burst: 1,
    mtu: MTU,
    probes: Array.from({ length: peers }, (_, at) => ({ from: at + 1, to: peers + 2 })),
  }
}

/** Octets of each queue that is measured with `--beside`: as asked for, or several shares of a delay-bandwidth product. */
export function queuesBeside(options: BenchOptions): readonly number[] {
  if (options.queue !== undefined) return [options.queue]
  const products = options.smoke ? [1] : QUEUE_PRODUCTS
  return [...new Set(products.map(product => atLeastABurst(product * productOf(options))))]
}

/** Octets: what is on its way through the shared link in one round trip. */
export function productOf({ rate, rtt }: Pick<BenchOptions, 'rate' | 'rtt'>): number {
  return (rate * 1e6 * rtt) / 1e3 / 8
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
  return queue ?? atLeastABurst(productOf({ rate, rtt }))
}

function atLeastABurst(queue: number): number {
  return Math.max(QUEUE_PACKETS_MIN * MTU, Math.round(queue))
}

function uplinksOf({ up, peers, rate }: BenchOptions, moment: Moment): readonly number[] {
  const all = up ?? Array<number>(peers).fill((moment.rate ?? rate) / peers)
  return all.slice(peers - (moment.peers ?? peers))
}
