// One process under measurement, and what it says in JSON lines on stdout.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A JSON line; of the command itself, spec/interface.md says which fields each type has. */
export interface Line {
  readonly t: string
  readonly [field: string]: unknown
}

export class JsonProcess {
  /** Fulfilled with the last words on stderr when the process has ended and all that it said was heard. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  readonly #seen = new Map<string, Line>()
  readonly #waiting = new Set<() => void>()
  #lastWords = ''
  #isOver = false

  /** @param command the program, and what it is given */
  constructor([program = '', ...args]: readonly string[], onLine: (line: Line) => void = () => {}) {
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const { stdout, stderr } = this.#child
    if (stdout === null || stderr === null) throw new Error('the process has no pipes')
    createInterface({ input: stderr }).on('line', words => {
      if (words.trim() !== '') this.#lastWords = words
    })
    createInterface({ input: stdout }).on('line', text => {
      const line = JSON.parse(text) as Line
      this.#seen.set(line.t, line)
      onLine(line)
      this.#wake()
    })
    this.ended = once(this.#child, 'close').then(() => {
      this.#isOver = true
      this.#wake()
      return this.#lastWords
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** The newest JSON line of this type, as soon as there is one. @throws Error where the process ends without it */
  async saw(t: string): Promise<Line> {
    for (;;) {
      const line = this.#seen.get(t)
      if (line !== undefined) return line
      if (this.#isOver) throw new Error(`a process ended before it said "${t}": ${this.#lastWords}`)
      await new Promise<void>(resolve => this.#waiting.add(resolve))
    }
  }

  signal(name: 'SIGINT' | 'SIGKILL' | 'SIGSTOP'): void {
    if (!this.#isOver) this.#child.kill(name)
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}
