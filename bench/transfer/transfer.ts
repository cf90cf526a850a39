// One file on its way from some processes to another: what the bench asks of whatever does it.
import { watch } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchFile } from './bench-file.js'
import { cpuTime } from './cpu-time.js'
import { JsonProcess, type Line } from './json-process.js'

export interface Transfer {
  /** Starts all but the receiver. @throws Error where one of them does not come up */
  gather(): Promise<void>
  /** Starts the receiver, and waits until it has the file. @throws Error with what went wrong */
  collect(options: CollectOptions): Promise<Collected>
  /** Ends the first sender without a goodbye. */
  killFirstPeer(): Promise<void>
  /** Ends all at once; whatever waits for them fails. */
  kill(): void
  /** Lets all leave politely, then ends those that have not. */
  end(): Promise<void>
}

export interface CollectOptions {
  /** The file that the receiver traces to, if it can. */
  readonly trace: string | undefined
  /** The receiver sends its first datagram. */
  onStart(): void
  onProgress(point: ProgressPoint): void
}

export interface Collected {
  /** From the first datagram of the receiver to the renamed file, as it says itself. */
  readonly seconds: number
  /** CPU seconds from the start of the transfer to the renamed file; undefined without /proc. */
  readonly cpu: { readonly peers: number | undefined; readonly collector: number | undefined }
  readonly progress: readonly ProgressPoint[]
}

/** A moment of the transfer. */
export interface ProgressPoint {
  readonly seconds: number
  /** Octets that are there. */
  readonly octets: number
}

/** Milliseconds for polite goodbyes. */
const GOODBYE_PATIENCE = 3_000

/** The processes of one transfer. */
export class Processes {
  readonly #all: JsonProcess[] = []
  /** CPU seconds of those that were ended. */
  readonly #spent = new Map<JsonProcess, number | undefined>()
  #isKilled = false

  start(command: readonly string[], onLine?: (line: Line) => void): JsonProcess {
    const process = new JsonProcess(command, onLine)
    this.#all.push(process)
    if (this.#isKilled) process.signal('SIGKILL')
    return process
  }

  async killOne(process: JsonProcess): Promise<void> {
    this.#spent.set(process, await cpuTime(process.pid))
    process.signal('SIGKILL')
  }

  kill(): void {
    this.#isKilled = true
    for (const process of this.#all) process.signal('SIGKILL')
  }

  /** @param polite who is asked to leave; the others follow, or are ended after a while */
  async end(polite: JsonProcess | undefined): Promise<void> {
    polite?.signal('SIGINT')
    const all = Promise.all(this.#all.map(({ ended }) => ended))
    await Promise.race([all, sleep(GOODBYE_PATIENCE, undefined, { ref: false })])
    this.kill()
    await all
  }

  /**
   * Starts a receiver that says `started`, `progress` and `result` as spec/interface.md has it, and waits for its file.
   *
   * @param senders whose CPU time is counted beside that of the receiver
   * @throws Error with what went wrong
   */
  async collect(
    command: readonly string[],
    senders: readonly JsonProcess[],
    file: BenchFile,
    { onStart, onProgress }: CollectOptions,
  ): Promise<Collected> {
    const progress: ProgressPoint[] = []
    let start = performance.now()
    const onLine = ({ t, verifiedBytes }: Line) => {
      if (t === 'started') {
        start = performance.now()
        onStart()
      }
      if (t !== 'progress') return
      const point = { seconds: (performance.now() - start) / 1_000, octets: Number(verifiedBytes) }
      progress.push(point)
      onProgress(point)
    }
    const hasFile = watchFor(file)
    const collector = this.start(command, onLine)
    const cpuTimes = () => Promise.all([collector, ...senders].map(one => this.#cpuTime(one)))
    try {
      await collector.saw('started')
      const before = await cpuTimes()
      await Promise.race([hasFile.promise, collector.saw('result')])
      const after = await cpuTimes()
      const seconds = secondsOf(await collector.saw('result'))
      await collector.ended
      if ((await file.sha256OfRebuilt()) !== file.sha256) throw new Error('the rebuilt file is not the shared one')
      const [own, ...others] = after.map((spent, at) => minus(spent, before[at]))
      return {
        seconds,
        cpu: { collector: own, peers: others.reduce(plus, 0) },
        progress: [...progress, { seconds, octets: file.size }],
      }
    } finally {
      hasFile.close()
    }
  }

  #cpuTime(process: JsonProcess): Promise<number | undefined> | number | undefined {
    return this.#spent.has(process) ? this.#spent.get(process) : cpuTime(process.pid)
  }
}

/** A receiver may read its file back after the renaming, to hash it: that work is no part of the transfer. */
function watchFor(file: BenchFile): { promise: Promise<void>; close(): void } {
  const watcher = watch(file.rebuiltFolder)
  const promise = new Promise<void>(resolve => {
    watcher.on('change', (_, name) => {
      if (name === file.name) resolve()
    })
  })
  return { promise, close: () => watcher.close() }
}

function secondsOf({ ok, seconds, error }: Line): number {
  if (ok === true) return Number(seconds)
  throw new Error(String((error as { detail?: string } | null)?.detail ?? 'the receiver failed'))
}

function plus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b
}

function minus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b
}
