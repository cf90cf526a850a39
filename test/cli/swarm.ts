// A manager and peers as processes, in a folder of their own.
import type { Test } from 'tap'
import { type Ended, freePorts, Running, type StartOptions } from './process.js'

/** A manager in a folder of its own, with `shared_file.txt` in it, and peers that are started there. */
export class Swarm {
  readonly folder: string
  readonly file: Buffer
  readonly manager: Running
  private readonly managerPort: number
  private readonly json: readonly string[]
  private readonly ports = new Map<Running, number>()

  static async open(
    t: Test,
    { file, json = true, lifetime }: { file: Buffer; json?: boolean; lifetime?: number },
  ): Promise<Swarm> {
    const folder = t.testdir({ 'shared_file.txt': file, empty: {} })
    const [port = 0] = await freePorts(1)
    const swarm = new Swarm(folder, file, port, json ? ['--json'] : [], lifetime)
    t.teardown(async () => {
      const all = [swarm.manager, ...swarm.ports.keys()]
      for (const process of all) process.kill('SIGKILL')
      await Promise.all(all.map(process => process.ended))
    })
    await swarm.manager.said(/manager on/)
    return swarm
  }

  private constructor(folder: string, file: Buffer, port: number, json: readonly string[], lifetime?: number) {
    this.folder = folder
    this.file = file
    this.managerPort = port
    this.json = json
    this.manager = new Running(['manager', '--port', `${port}`, ...json], lifetime === undefined ? {} : { lifetime })
  }

  /** Starts a peer in the swarm's folder; fulfilled when it is registered. @param args what follows its port */
  async peer(args: readonly string[], options?: StartOptions): Promise<Running> {
    const running = await this.start(args, options)
    await running.said(/registered with/)
    return running
  }

  /** The same, and it is not waited for. */
  async start(args: readonly string[], options?: StartOptions): Promise<Running> {
    const [port = 0] = await freePorts(1)
    const manager = `127.0.0.1:${this.managerPort}`
    const running = new Running(['peer', `${port}`, ...args, '--manager', manager, ...this.json], {
      cwd: this.folder,
      ...options,
    })
    this.ports.set(running, port)
    return running
  }

  get managerAt(): string {
    return `127.0.0.1:${this.managerPort}`
  }

  /** Starts another verb in the swarm's folder, with the swarm's manager. */
  verb(args: readonly string[], options?: StartOptions): Running {
    const running = new Running([...args, '--manager', this.managerAt], { cwd: this.folder, ...options })
    this.ports.set(running, 0)
    return running
  }

  /** The same, to its end. */
  async run(args: readonly string[], options?: StartOptions): Promise<Ended> {
    const running = this.verb(args, options)
    const code = await running.ended
    return { code, stdout: running.stdout, stderr: running.stderr, lines: running.lines }
  }

  /** A collector whose own folder has no copy of the file. */
  collectorWithout(args: readonly string[], options?: StartOptions): Promise<Running> {
    return this.peer(['--collect', '--share', 'empty/shared_file.txt', ...args], options)
  }

  addressOf(peer: Running): string {
    return `127.0.0.1:${this.ports.get(peer)}`
  }
}
