// The emulated network between real processes: it takes what they send at its ends, and gives it on when the links let it.
import { now } from '../../src/shell/clock.js'
import { SeededRandom } from '../../src/sim/random.js'
import { ms, NEVER } from '../../src/units.js'
import { type ComputerSettings, EmulatedNetwork, type NetworkSettings, REFUSED } from './emulated-network.js'
import { type Ends, isData, type Receive } from './ends.js'
import { Faces } from './faces.js'
import { Histogram } from './histogram.js'
import type { DataKind, Quantiles, RelayCounts } from './messages.js'

/** Node's timers count whole milliseconds and ring up to one late. */
const TIMER_SLACK = 2
/** Between two looks at the sockets while something is due soon: costs a fifth of a core where turning without rest costs all. */
const NAP = 0.1

export class Relay<SomeEnds extends Ends = Ends> {
  readonly ends: SomeEnds
  #network: EmulatedNetwork
  #data: DataKind = 'chunks'
  #lateness = new Histogram()
  #overrunsBefore: number | undefined = 0
  /** By slot of the network. */
  readonly #messages: Uint8Array[] = []
  readonly #nap = new Int32Array(new SharedArrayBuffer(4))
  #timer: NodeJS.Timeout | undefined
  #isPolling = false
  #isClosed = false

  /** Between sockets of loopback. @param ports of the processes; until `shape` the network is perfect */
  static onLoopback(ports: readonly number[]): Promise<Relay<Faces>> {
    return Relay.between(receive => Faces.open(ports, receive))
  }

  /** @param open makes the ends, which give to `receive` whatever comes in */
  static async between<SomeEnds extends Ends>(open: (receive: Receive) => Promise<SomeEnds>): Promise<Relay<SomeEnds>> {
    let relay: Relay<SomeEnds> | undefined
    relay = new Relay(await open((...datagram) => relay?.receive(...datagram)))
    return relay
  }

  private constructor(ends: SomeEnds) {
    this.ends = ends
    this.#network = new EmulatedNetwork(perfect(ends.count), new SeededRandom(0))
  }

  /** New links in place of those before; what was under way arrives at once, and counting starts anew. */
  async shape(settings: NetworkSettings, data: DataKind, random: SeededRandom): Promise<void> {
    this.#network.advance(NEVER, this.#deliver)
    this.#network = new EmulatedNetwork(settings, random)
    this.#data = data
    this.#lateness = new Histogram()
    this.#overrunsBefore = await this.ends.overruns()
  }

  change(computers: readonly ComputerSettings[]): void {
    this.#network.change(now(), computers)
  }

  /** Links and what is under way stay as they are. */
  async countAnew(): Promise<void> {
    this.#network.countAnew()
    this.#lateness = new Histogram()
    this.#overrunsBefore = await this.ends.overruns()
  }

  async counts(): Promise<RelayCounts> {
    const { data, flow, waits, pings } = this.#network
    const overruns = await this.ends.overruns()
    const before = this.#overrunsBefore
    return {
      data: { ...data },
      flow: flow.counts,
      wait: quantiles(waits),
      ping: quantiles(pings),
      lateness: quantiles(this.#lateness),
      overruns: overruns === undefined || before === undefined ? undefined : overruns - before,
    }
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.ends.close()
  }

  /** For the ends alone. */
  receive(message: Uint8Array, from: number, to: number, octets: number, payloadAt: number): void {
    const slot = this.#network.enter(now(), from, to, octets, isData(this.#data, message, octets, payloadAt))
    if (slot === REFUSED) return
    this.#messages[slot] = message
    if (!this.#isPolling) this.#arm()
  }

  readonly #deliver = (slot: number, from: number, to: number, due: number): void => {
    this.#lateness.add(Math.max(0, now() - due))
    this.ends.deliver(this.#messages[slot]!, from, to)
  }

  readonly #onTime = (): void => {
    this.#timer = undefined
    this.#isPolling = false
    if (this.#isClosed) return
    this.#network.advance(now(), this.#deliver)
    this.#arm()
  }

  /** A timer while there is time; then looks again and again, with naps too short to matter. */
  #arm(): void {
    const wait = this.#network.next - now()
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (wait === Infinity) return
    if (wait > TIMER_SLACK) {
      this.#timer = setTimeout(this.#onTime, Math.floor(wait) - 1)
      return
    }
    this.#isPolling = true
    setImmediate(this.#onPoll)
  }

  readonly #onPoll = (): void => {
    const wait = this.#network.next - now()
    if (wait > 0) Atomics.wait(this.#nap, 0, 0, Math.min(wait, NAP))
    this.#onTime()
  }
}

function perfect(count: number): NetworkSettings {
  const computer = { up: 0, upQueue: Infinity, down: 0, downQueue: Infinity }
  return { computers: Array(count).fill(computer), delay: ms(0), jitter: ms(0), loss: 0, burst: 1, mtu: 0, probes: [] }
}

function quantiles(histogram: Histogram): Quantiles | undefined {
  const [median, p95, p99] = [0.5, 0.95, 0.99].map(q => histogram.quantile(q))
  return median === undefined || p95 === undefined || p99 === undefined ? undefined : { median, p95, p99 }
}
