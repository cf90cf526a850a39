// The bench's end of the relay process.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ComputerSettings, NetworkSettings } from './emulated-network.js'
import type { DataKind, Luck, RelayCounts, RelayReply, RelayRequest } from './messages.js'

/** Milliseconds; an answer takes one or two. */
const PATIENCE = 10_000
const MAIN = fileURLToPath(new URL('./main.js', import.meta.url))

export class RelayProcess {
  readonly #child: ChildProcess
  /** The last question and its answer. */
  #busy: Promise<unknown> = Promise.resolve()

  constructor() {
    // Not the JSON of the default: it has no Infinity.
    this.#child = fork(MAIN, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  }

  /** @param ports of the processes, on loopback @returns the ports under which they see each other, in the same order */
  async open(ports: readonly number[]): Promise<readonly number[]> {
    return (await this.#ask({ kind: 'open', ports }, 'opened')).ports
  }

  /** @param names of devices to make, for each place one */
  async openDevices(names: readonly string[]): Promise<void> {
    await this.#ask({ kind: 'open-devices', names }, 'devices-opened')
  }

  async shape(settings: NetworkSettings, data: DataKind, luck: Luck): Promise<void> {
    await this.#ask({ kind: 'shape', settings, data, luck }, 'shaped')
  }

  async change(computers: readonly ComputerSettings[]): Promise<void> {
    await this.#ask({ kind: 'change', computers }, 'changed')
  }

  async countAnew(): Promise<void> {
    await this.#ask({ kind: 'count-anew' }, 'counting-anew')
  }

  async counts(): Promise<RelayCounts> {
    return (await this.#ask({ kind: 'count' }, 'counted')).counts
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }

  /** One question at a time: the next message is its answer. */
  #ask<Kind extends RelayReply['kind']>(
    request: RelayRequest,
    kind: Kind,
  ): Promise<Extract<RelayReply, { kind: Kind }>> {
    const answer = this.#busy.then(() => this.#askNow(request, kind))
    this.#busy = answer.catch(() => {})
    return answer
  }

  async #askNow<Kind extends RelayReply['kind']>(
    request: RelayRequest,
    kind: Kind,
  ): Promise<Extract<RelayReply, { kind: Kind }>> {
    const giveUp = new AbortController()
    const onExit = () => giveUp.abort('ended')
    const timer = setTimeout(() => giveUp.abort('does not answer'), PATIENCE)
    this.#child.once('exit', onExit)
    try {
      this.#child.send(request)
      const [reply] = (await once(this.#child, 'message', { signal: giveUp.signal })) as [RelayReply]
      if (reply.kind === 'failed') throw new Error(reply.why)
      if (reply.kind !== kind) throw new Error(`the relay answered "${reply.kind}" instead of "${kind}"`)
      return reply as Extract<RelayReply, { kind: Kind }>
    } catch (error) {
      throw giveUp.signal.aborted ? new Error(`the relay process ${giveUp.signal.reason}`) : error
    } finally {
      clearTimeout(timer)
      this.#child.off('exit', onExit)
    }
  }
}
