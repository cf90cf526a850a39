// The emulated network between real sockets, and no protocol knows that it is there.
//
// Each process has its own port, and a face: a socket of the relay under which the others know it. What A sends to B's
// face came from A's port, so the relay knows both ends; it leaves through A's face to B's own port. The manager sees, and lists,
// faces only, and a datagram's source is always the face that the list names: no datagram has to be rewritten.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { now } from '../../src/shell/clock.js'
import { SeededRandom } from '../../src/sim/random.js'
import { ms, NEVER } from '../../src/units.js'
import { TAG, TAG_AT } from '../../src/wire/layout.js'
import { type ComputerSettings, EmulatedNetwork, type NetworkSettings, REFUSED } from './emulated-network.js'
import { Histogram } from './histogram.js'
import type { Quantiles, RelayCounts } from './messages.js'
import { overruns } from './overruns.js'

const LOOPBACK = '127.0.0.1'
/** A core taken away for 50 ms must not cost datagrams that the links would have carried. */
const BUFFER_BYTES = 4 * 1024 * 1024
/** Node's timers count whole milliseconds and ring up to one late. */
const TIMER_SLACK = 2
/** Between two looks at the sockets while something is due soon: costs a fifth of a core where turning without rest costs all. */
const NAP = 0.1

export class Relay {
  readonly #faces: readonly Socket[]
  readonly #ports: readonly number[]
  readonly #computerAt = new Map<number, number>()
  #network: EmulatedNetwork
  #lateness = new Histogram()
  /** By slot of the network. */
  readonly #messages: Buffer[] = []
  readonly #nap = new Int32Array(new SharedArrayBuffer(4))
  #timer: NodeJS.Timeout | undefined
  #isPolling = false
  #isClosed = false

  /** @param ports of the processes; until `shape` the network is perfect */
  static async open(ports: readonly number[]): Promise<Relay> {
    const faces = ports.map(() => createSocket({ type: 'udp4', lookup: numeric }))
    // Listened for first: without a look-up, a socket is bound before `bind` returns.
    const bound = faces.map(face => once(face, 'listening'))
    for (const face of faces) face.bind(0, LOOPBACK)
    await Promise.all(bound)
    return new Relay(faces, ports)
  }

  private constructor(faces: readonly Socket[], ports: readonly number[]) {
    this.#faces = faces
    this.#ports = ports
    for (const [computer, port] of ports.entries()) this.#computerAt.set(port, computer)
    for (const [to, face] of faces.entries()) {
      askForBuffer(face)
      face.on('message', (message, source) => this.#receive(message, source, to))
      // The port of a process that has ended refuses: a datagram lost.
      face.on('error', () => {})
    }
    this.#network = new EmulatedNetwork(perfect(ports.length), new SeededRandom(0))
  }

  get ports(): readonly number[] {
    return this.#faces.map(face => face.address().port)
  }

  shape(settings: NetworkSettings, random: SeededRandom): void {
    this.#network.advance(NEVER, this.#deliver)
    this.#network = new EmulatedNetwork(settings, random)
    this.#lateness = new Histogram()
  }

  change(computers: readonly ComputerSettings[]): void {
    this.#network.change(now(), computers)
  }

  async counts(): Promise<RelayCounts> {
    const { data, flow, waits, pings } = this.#network
    return {
      data: { ...data },
      flow: flow.counts,
      wait: quantiles(waits),
      ping: quantiles(pings),
      lateness: quantiles(this.#lateness),
      overruns: await overruns(this.ports),
    }
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const face of this.#faces) face.close()
  }

  #receive(message: Buffer, source: RemoteInfo, to: number): void {
    const from = this.#computerAt.get(source.port)
    if (from === undefined) return
    const slot = this.#network.enter(now(), from, to, message.length, message[TAG_AT] === TAG.CHUNK)
    if (slot === REFUSED) return
    this.#messages[slot] = message
    if (!this.#isPolling) this.#arm()
  }

  readonly #deliver = (slot: number, from: number, to: number, due: number): void => {
    this.#lateness.add(Math.max(0, now() - due))
    this.#faces[from]!.send(this.#messages[slot]!, this.#ports[to]!, LOOPBACK)
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

/** Some systems refuse what is above their limit instead of granting it. */
function askForBuffer(socket: Socket): void {
  for (let size = BUFFER_BYTES; size > 0; size = Math.floor(size / 2)) {
    try {
      socket.setRecvBufferSize(size)
      socket.setSendBufferSize(size)
      return
    } catch {}
  }
}

/** Addresses are numeric: without this, each `send` would wait a turn for a look-up of nothing. */
function numeric(address: string, _: unknown, done: (error: null, address: string, family: number) => void): void {
  done(null, address, 4)
}
