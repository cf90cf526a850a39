// A manager, peers and a collector as processes of their own, each in its place in the relay's network.
import { watch } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RelayProcess } from '../relay/relay-process.js'
import type { BenchFile } from './bench-file.js'
import { cpuTime } from './cpu-time.js'
import { freePorts } from './free-ports.js'
import { type Line, SwarmProcess } from './swarm-process.js'

/** Milliseconds for polite goodbyes. */
const GOODBYE_PATIENCE = 3_000

/** A moment of the transfer. */
export interface ProgressPoint {
  readonly seconds: number
  /** Verified octets. */
  readonly octets: number
}

export interface Collected {
  /** From the first datagram of the collector to the renamed file, as it says itself. */
  readonly seconds: number
  /** CPU seconds from the start of the transfer to the renamed file; undefined without /proc. */
  readonly cpu: { readonly peers: number | undefined; readonly collector: number | undefined }
  readonly progress: readonly ProgressPoint[]
}

export interface CollectOptions {
  /** The file that the collector traces to. */
  readonly trace: string | undefined
  /** The collector sends its first datagram. */
  onStart(): void
  onProgress(octets: number): void
}

export class Swarm {
  readonly #file: BenchFile
  /** Where the others see the manager. */
  readonly #manager: string
  readonly #managerPort: number
  readonly #peerPorts: readonly number[]
  readonly #collectorPort: number
  readonly #processes: SwarmProcess[] = []
  readonly #peers: SwarmProcess[] = []
  /** CPU seconds of those that were ended. */
  readonly #spent = new Map<SwarmProcess, number | undefined>()
  #isKilled = false

  /** Takes the places in the relay: the manager's, one for each peer, the collector's. Nothing runs yet. */
  static async open(relay: RelayProcess, file: BenchFile, peers: number): Promise<Swarm> {
    const ports = await freePorts(peers + 2)
    const [managerFace = 0] = await relay.open(ports)
    return new Swarm(file, ports, managerFace)
  }

  private constructor(file: BenchFile, ports: readonly number[], managerFace: number) {
    this.#file = file
    this.#manager = `127.0.0.1:${managerFace}`
    this.#managerPort = ports[0] ?? 0
    this.#peerPorts = ports.slice(1, -1)
    this.#collectorPort = ports.at(-1) ?? 0
  }

  /** Starts the manager and the peers. @throws Error where one of them does not come up */
  async gather(): Promise<void> {
    const manager = this.#start(['manager', '--port', `${this.#managerPort}`])
    await manager.saw('started')
    for (const port of this.#peerPorts) {
      this.#peers.push(this.#startPeer(port, ['--no-collect', '--share', this.#file.shared]))
    }
    await Promise.all(this.#peers.map(peer => peer.saw('registered')))
  }

  /** Runs a collector until it has the file. @throws Error with what went wrong */
  async collect({ trace, onStart, onProgress }: CollectOptions): Promise<Collected> {
    const { lacking, rebuilt } = this.#file
    const progress: ProgressPoint[] = []
    let start = performance.now()
    const onLine = ({ t, verifiedBytes }: Line) => {
      if (t === 'started') {
        start = performance.now()
        onStart()
      }
      if (t !== 'progress') return
      const octets = Number(verifiedBytes)
      progress.push({ seconds: (performance.now() - start) / 1_000, octets })
      onProgress(octets)
    }
    const hasFile = this.#watchForFile()
    const args = ['--collect', '--once', '--share', lacking, '--out', rebuilt]
    if (trace !== undefined) args.push('--trace', trace)
    const collector = this.#startPeer(this.#collectorPort, args, onLine)
    try {
      await collector.saw('started')
      const before = await this.#cpuTimes(collector)
      await Promise.race([hasFile.promise, collector.saw('result')])
      const after = await this.#cpuTimes(collector)
      const result = this.#checked(await collector.saw('result'))
      await collector.ended
      return {
        ...result,
        cpu: { peers: minus(after.peers, before.peers), collector: minus(after.collector, before.collector) },
        progress: [...progress, { seconds: result.seconds, octets: this.#file.size }],
      }
    } finally {
      hasFile.close()
    }
  }

  /** Ends the first peer without a goodbye. */
  async killFirstPeer(): Promise<void> {
    const [peer] = this.#peers
    if (peer === undefined) return
    this.#spent.set(peer, await cpuTime(peer.pid))
    peer.signal('SIGKILL')
  }

  /** Lets all leave politely, then ends those that have not. */
  async end(): Promise<void> {
    const [manager] = this.#processes
    manager?.signal('SIGINT')
    const all = Promise.all(this.#processes.map(({ ended }) => ended))
    await Promise.race([all, sleep(GOODBYE_PATIENCE, undefined, { ref: false })])
    this.kill()
    await all
  }

  /** Ends all at once; whatever waits for them fails. */
  kill(): void {
    this.#isKilled = true
    for (const process of this.#processes) process.signal('SIGKILL')
  }

  #startPeer(port: number, args: readonly string[], onLine?: (line: Line) => void): SwarmProcess {
    return this.#start(['peer', `${port}`, '--manager', this.#manager, ...args], onLine)
  }

  #start(args: readonly string[], onLine?: (line: Line) => void): SwarmProcess {
    const process = new SwarmProcess(args, onLine)
    this.#processes.push(process)
    if (this.#isKilled) process.signal('SIGKILL')
    return process
  }

  /** The collector reads its file back after the renaming, to hash it: that work is no part of the transfer. */
  #watchForFile(): { promise: Promise<void>; close(): void } {
    const watcher = watch(this.#file.rebuiltFolder)
    const promise = new Promise<void>(resolve => {
      watcher.on('change', (_, name) => {
        if (name === this.#file.name) resolve()
      })
    })
    return { promise, close: () => watcher.close() }
  }

  async #cpuTimes(collector: SwarmProcess) {
    const spent = (one: SwarmProcess) => (this.#spent.has(one) ? this.#spent.get(one) : cpuTime(one.pid))
    const [own, ...peers] = await Promise.all([collector, ...this.#peers].map(spent))
    return { collector: own, peers: peers.reduce((sum, one) => plus(sum, one), 0) }
  }

  #checked(result: Line): Pick<Collected, 'seconds'> {
    const { ok, sha256, seconds, error } = result
    if (ok !== true) throw new Error(String((error as { detail?: string } | null)?.detail ?? 'the collector failed'))
    if (sha256 !== this.#file.sha256) throw new Error('the rebuilt file is not the shared one')
    return { seconds: Number(seconds) }
  }
}

function plus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b
}

function minus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b
}
