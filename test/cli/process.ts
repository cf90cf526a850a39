// The command as a user starts it: a process of its own, from dist, which is built first where it is older than src.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const CLI = join(ROOT, 'dist/cli.js')
const LOCK = join(ROOT, 'dist/.building')
/** No step of a test takes longer; a process that hangs is killed and named. */
const PATIENCE = 20_000
/** Below what the system gives to sockets that name no port, which is 32768 and more; each process takes from a range of its own. */
const PORTS_FROM = 10_000
const PORTS_EACH = 100
const PORT_RANGES = 220
let portsTried = 0

export interface Line {
  readonly t: string
  // biome-ignore lint/suspicious/noExplicitAny: each test knows the shape of the line it asks for
  readonly [field: string]: any
}

/** Builds dist where a source is newer; test files that run side by side build once. */
export async function built(): Promise<void> {
  mkdirSync(join(ROOT, 'dist'), { recursive: true })
  for (;;) {
    try {
      mkdirSync(LOCK)
      break
    } catch {
      await sleep(100)
    }
  }
  try {
    if (changedAt(CLI) < newest(join(ROOT, 'src'))) {
      execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
        cwd: ROOT,
        stdio: ['ignore', 'inherit', 'inherit'],
      })
    }
  } finally {
    rmSync(LOCK, { recursive: true })
  }
}

export interface StartOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** What it reads from stdin; nothing by default. */
  readonly input?: Uint8Array
  /** Through a shell that sets a limit first, as `ulimit -f 100`. */
  readonly shell?: string
  /** Milliseconds after which it is killed, if it still runs. */
  readonly lifetime?: number
}

export class Running {
  readonly ended: Promise<number | NodeJS.Signals>
  readonly lines: Line[] = []
  stderr = ''
  stdout = ''
  private readonly child: ChildProcess
  private readonly waiting = new Set<() => void>()
  private over = false

  constructor(args: readonly string[], { cwd, env, shell, input, lifetime = 3 * PATIENCE }: StartOptions = {}) {
    const command = [process.execPath, CLI, ...args, ...socketArgs(args)]
    const [file = '', ...rest] =
      shell === undefined ? command : ['bash', '-c', `${shell} && exec "$@"`, 'bash', ...command]
    this.child = spawn(file, rest, {
      cwd,
      env: { PATH: process.env.PATH, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    this.child.stdin?.end(input)
    this.child.stderr?.on('data', (data: Buffer) => {
      this.stderr += data
      this.changed()
    })
    if (this.child.stdout !== null) {
      createInterface({ input: this.child.stdout }).on('line', text => {
        this.stdout += `${text}\n`
        if (text.startsWith('{')) this.lines.push(JSON.parse(text))
        this.changed()
      })
    }
    const killer = setTimeout(() => this.child.kill('SIGKILL'), lifetime)
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      clearTimeout(killer)
      this.over = true
      this.changed()
      return code ?? signal
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Waits for a JSON line. @throws Error where the process ends, or patience does, without it */
  saw(t: string, matches: (line: Line) => boolean = () => true): Promise<Line> {
    return this.until(t, () => this.lines.find(line => line.t === t && matches(line)))
  }

  /** Waits for words on stderr. */
  async said(words: RegExp): Promise<void> {
    await this.until(String(words), () => (words.test(this.stderr) ? true : undefined))
  }

  private async until<T>(what: string, find: () => T | undefined): Promise<T> {
    const deadline = performance.now() + PATIENCE
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      const late = performance.now() >= deadline
      if (this.over || late) {
        throw new Error(
          `the process ${late ? 'did not come to' : 'ended without'} ${what}:\n${this.stderr}\n${this.stdout}`,
        )
      }
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, deadline - performance.now())
        this.waiting.add(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  private changed(): void {
    for (const resolve of this.waiting) resolve()
    this.waiting.clear()
  }
}

/** The kind of socket that all processes of a test file use, where it names one. */
function socketArgs([verb = '', ...rest]: readonly string[]): readonly string[] {
  const kind = process.env.TEST_SOCKET
  if (kind === undefined || rest.includes('--socket') || (verb !== 'manager' && verb !== 'peer')) return []
  return ['--socket', kind]
}

export interface Ended {
  readonly code: number | NodeJS.Signals
  readonly stdout: string
  readonly stderr: string
  readonly lines: readonly Line[]
}

/** Runs the command to its end. */
export async function run(args: readonly string[], options?: StartOptions): Promise<Ended> {
  const running = new Running(args, options)
  const code = await running.ended
  return { code, stdout: running.stdout, stderr: running.stderr, lines: running.lines }
}

/** UDP ports of loopback that are free, and that neither the system nor a test beside this one gives to someone else meanwhile. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = PORTS_FROM + (process.pid % PORT_RANGES) * PORTS_EACH + (portsTried++ % PORTS_EACH)
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

async function isFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  try {
    socket.bind(port, '127.0.0.1')
    await once(socket, 'listening')
    return true
  } catch {
    return false
  } finally {
    socket.close()
  }
}

function newest(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return Math.max(...files.map(entry => changedAt(join(entry.parentPath, entry.name))))
}

/** Milliseconds; -Infinity for a file that isn't there. */
function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY
}
