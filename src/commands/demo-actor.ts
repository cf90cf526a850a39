// One process of the demo: started, listened to, ended.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../cli.js', import.meta.url))

/** A JSON line of the command; spec/interface.md says which fields each type has. */
export interface Line {
  readonly t: string
  readonly [field: string]: unknown
}

export interface ActorOptions {
  readonly args: readonly string[]
  /** Gets each line that the process says to people. */
  say(line: string): void
  /** Gets each JSON line. */
  onLine?(line: Line): void
}

export class Actor {
  /** The exit code; 1 for a process that was killed. */
  readonly ended: Promise<number>
  private readonly child: ChildProcess
  private readonly seen = new Map<string, Line>()
  private wake: () => void = () => {}

  constructor({ args, say, onLine }: ActorOptions) {
    this.child = spawn(process.execPath, [CLI, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
    const { stdout, stderr } = this.child
    if (stdout === null || stderr === null) throw new Error('the process has no pipes')
    createInterface({ input: stderr }).on('line', say)
    createInterface({ input: stdout }).on('line', text => {
      const line = JSON.parse(text) as Line
      this.seen.set(line.t, line)
      onLine?.(line)
      this.wake()
    })
    this.ended = once(this.child, 'close').then(([code]) => {
      this.wake()
      return typeof code === 'number' ? code : 1
    })
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** The newest JSON line of the type `t`, as soon as there is one. @throws Error where the process ends without it */
  async saw(t: string): Promise<Line> {
    for (;;) {
      const line = this.seen.get(t)
      if (line !== undefined) return line
      if (!this.running) throw new Error(`a process ended before it said "${t}"`)
      await new Promise<void>(resolve => {
        this.wake = resolve
      })
    }
  }

  signal(name: 'SIGINT' | 'SIGKILL'): void {
    if (this.running) this.child.kill(name)
  }
}
