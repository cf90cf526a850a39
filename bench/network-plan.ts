// Which links the options ask for. Computer 0 is the manager's, the last the collector's, the others are the peers'.
import { ms } from '../src/units.js'
import { MTU } from './limit.js'
import type { BenchOptions } from './options.js'
import type { ComputerSettings, NetworkSettings } from './relay/emulated-network.js'

/** Every peer has its share of the collector's rate, so that the uplinks are the bottleneck, and loss comes after it. */
export function planNetwork(options: BenchOptions, loss: number): NetworkSettings {
  const { rate, queue, peers } = options
  const link = (up: number): ComputerSettings => ({ up, upQueue: queue, down: rate, downQueue: queue })
  return {
    computers: [link(rate), ...Array<ComputerSettings>(peers).fill(link(rate / peers)), link(rate)],
    delay: ms(options.rtt / 2),
    jitter: ms(options.jitter),
    loss,
    burst: options.burst,
    mtu: MTU,
    probes: Array.from({ length: peers }, (_, at) => ({ from: at + 1, to: peers + 1 })),
  }
}
