// A process that is measured: started on one side of the link, heard by its JSON lines, its use of the computer read from /proc.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Side } from './link.js'

/** Watches the event loop of each process; see probe.ts. */
const PROBE = fileURLToPath(new URL('./probe.js', import.meta.url))
/** Ticks of a second in /proc (sysconf(_SC_CLK_TCK), 100 on all Linux systems that Node runs on). */
const TICKS = 100
const KILL_AFTER = 5_000

export interface Line {
  readonly t: string
  readonly [field: string]: unknown
}

/** CPU time so far, seconds. */
export interface CpuTime {
  readonly user: number
  readonly system: number
}

export class MeasuredProcess {
  readonly ended: Promise<unknown>
  readonly #child: ChildProcess
  readonly #seen = new Map<string, Line>()
  readonly #waiting = new Set<() => void>()
  #lastWords = ''
  #isOver = false

  constructor(
    side: Side,
    script: string,
    args: readonly string[],
    nodeFlags: readonly string[] = [],
    environment?: NodeJS.ProcessEnv,
  ) {
    const command = [...side.prefix, process.execPath, '--import', PROBE, ...nodeFlags, script, ...args]
    const env = { ...process.env, ...(environment ?? {}) }
    this.#child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env })
    createInterface({ input: this.#child.stderr! }).on('line', words => {
      if (words.trim() !== '') this.#lastWords = words
    })
    createInterface({ input: this.#child.stdout! }).on('line', text => {
      const line = JSON.parse(text) as Line
      this.#seen.set(line.t, line)
      for (const wake of this.#waiting) wake()
    })
    this.ended = once(this.#child, 'close').then(() => {
      this.#isOver = true
      for (const wake of this.#waiting) wake()
    })
  }

  /** @throws Error where the process ends without that line */
  async saw(t: string): Promise<Line> {
    for (;;) {
      const line = this.#seen.get(t)
      if (line !== undefined) return line
      if (this.#isOver) throw new Error(`a process ended before it said "${t}": ${this.#lastWords}`)
      await new Promise<void>(resolve => {
        const wake = () => {
          this.#waiting.delete(wake)
          resolve()
        }
        this.#waiting.add(wake)
      })
    }
  }

  /** undefined where the system doesn't tell. `ip netns exec` becomes the command itself, so the number is the process's own. */
  cpuTime(): CpuTime | undefined {
    const stat = this.#proc('stat')
    if (stat === undefined) return undefined
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { user: Number(fields[11]) / TICKS, system: Number(fields[12]) / TICKS }
  }

  /** Most octets of memory that it ever had. */
  peakMemory(): number | undefined {
    const found = /VmHWM:\s+(\d+) kB/.exec(this.#proc('status') ?? '')
    return found === null ? undefined : Number(found[1]) * 1024
  }

  async end(): Promise<void> {
    if (!this.#isOver) this.#child.kill('SIGINT')
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), KILL_AFTER)
    await this.ended
    clearTimeout(killer)
  }

  #proc(name: string): string | undefined {
    try {
      return readFileSync(`/proc/${this.#child.pid}/${name}`, 'utf8')
    } catch {
      return undefined
    }
  }
}
