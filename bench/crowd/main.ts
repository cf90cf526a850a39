// `npm run bench -- crowd`: one real manager, and a crowd of real sockets on loopback, which join within 5 s and then come and go.
// The members are the real machine of membership, all in this process; only the witness keeps its copy of the list.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { randomSession } from '../../src/ambient.js'
import { EXIT, type ExitCode } from '../../src/commands/exit-codes.js'
import type { Output } from '../../src/commands/output.js'
import { UsageError } from '../../src/errors.js'
import { createPeer, type HostEvent } from '../../src/index.js'
import { now } from '../../src/shell/clock.js'
import { systemRandom } from '../../src/shell/entropy.js'
import { Follower } from '../../src/sim/follower.js'
import { Reach } from '../../src/sim/reach.js'
import { freePorts } from '../places/free-ports.js'
import { MeasuredProcess } from '../raw/measured-process.js'

const CLI = fileURLToPath(new URL('../../../../dist/cli.js', import.meta.url))
const FLASH_MS = 5_000
const TICK_MS = 10
/** Nothing of this takes so long. */
const PATIENCE_MS = 60_000

interface CrowdArguments {
  readonly members: number
  /** Joins a second, and as many leaves. */
  readonly changes: number
  readonly seconds: number
  readonly socket: string | undefined
}

interface Peer {
  readonly follower: Follower
  readonly socket: Socket
  /** When it said HELLO or GOODBYE. */
  changedAt: number
  version: number
  isThere: boolean
}

class Crowd {
  readonly reach = new Reach()
  registered = 0
  refused = 0
  readonly lostWhy = new Map<string, number>()
  readonly there = new Set<Peer>()
  readonly #port: number
  readonly #random = systemRandom()
  /** By port, those that left too. */
  readonly #byPort = new Map<number, Peer>()
  readonly #all = new Set<Peer>()
  readonly #timer = setInterval(() => this.#tick(), TICK_MS)

  /** @param port of the manager */
  constructor(port: number) {
    this.#port = port
  }

  async join(): Promise<void> {
    const socket = createSocket('udp4')
    const manager = { address: '127.0.0.1', port: this.#port }
    const options = { manager, session: randomSession(this.#random), ttl: 0, offers: [], random: this.#random }
    const follower = new Follower(options, datagram => socket.send(datagram, this.#port, '127.0.0.1'))
    const peer: Peer = { follower, socket, changedAt: now(), version: 0, isThere: true }
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    this.#byPort.set(socket.address().port, peer)
    this.#all.add(peer)
    this.there.add(peer)
    socket.on('message', datagram => this.#drive(peer, () => follower.receive(datagram, now())))
    this.#drive(peer, () => follower.tick(now()))
  }

  /** The one that is there longest says goodbye. */
  leave(): void {
    for (const peer of this.there) {
      if (peer.version === 0) continue
      peer.isThere = false
      peer.changedAt = now()
      this.there.delete(peer)
      this.reach.onLeft(peer.version, now())
      peer.follower.leave(now())
      return
    }
  }

  /** The witness has a new version. */
  onList({ version, joined, left }: Extract<HostEvent, { kind: 'list' }>): void {
    const changed = [...joined, ...left.map(({ peer }) => peer)].flatMap(({ endpoint }) => {
      return this.#byPort.get(endpoint.port)?.changedAt ?? []
    })
    if (changed.length === 0) return
    const learners = [...this.there].filter(peer => peer.version > 0)
    const holders = learners.filter(peer => peer.version >= version).length
    this.reach.begin(version, Math.min(...changed), learners.length, holders, now())
  }

  /** Whether everyone holds the same version. */
  get isSettled(): boolean {
    return new Set([...this.there].map(peer => peer.version)).size === 1
  }

  /** For people. */
  get state(): string {
    const versions = new Map<number, number>()
    for (const { version } of this.there) versions.set(version, (versions.get(version) ?? 0) + 1)
    const held = [...versions].map(([version, count]) => `${count} hold ${version}`).join(', ')
    return `${this.registered} registered, ${this.refused} lost (${[...this.lostWhy].join()}), ${this.reach.pending} versions on their way; ${held}`
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    for (const { socket } of this.#all) socket.close()
  }

  #tick(): void {
    const at = now()
    for (const peer of this.#all) {
      const { member } = peer.follower
      if (member.deadline() <= at) this.#drive(peer, () => peer.follower.tick(at))
      if (member.stopped === undefined) continue
      peer.socket.close()
      this.#all.delete(peer)
    }
  }

  #drive(peer: Peer, act: () => void): void {
    const { member } = peer.follower
    const wasMember = member.peer !== undefined
    act()
    if (!wasMember && member.peer !== undefined) this.registered++
    if (member.version > peer.version && peer.isThere) this.reach.onHeld(peer.version, member.version, now())
    peer.version = member.version
    if (peer.isThere && member.stopped !== undefined) {
      this.refused++
      this.there.delete(peer)
      this.lostWhy.set(member.stopped, (this.lostWhy.get(member.stopped) ?? 0) + 1)
    }
  }
}

/** @throws UsageError */
export async function runCrowd(argv: readonly string[], output: Output): Promise<ExitCode> {
  const { members, changes, seconds, socket } = readCrowd(argv)
  const [port = 0] = await freePorts(1)
  const kind = socket === undefined ? [] : ['--socket', socket]
  const manager = new MeasuredProcess({ prefix: [], address: '127.0.0.1' }, CLI, [
    'manager',
    '--port',
    `${port}`,
    '--json',
    ...kind,
  ])
  await manager.saw('started')
  const crowd = new Crowd(port)
  const witness = await createPeer({
    manager: `127.0.0.1:${port}`,
    onEvent: event => event.kind === 'list' && crowd.onList(event),
  })
  try {
    const began = now()
    await paced(members, FLASH_MS / members, () => crowd.join())
    const joined = now()
    await until(() => crowd.registered >= members, crowd)
    const registered = now() - began
    await until(() => crowd.isSettled && crowd.reach.pending === 0, crowd)
    print(
      `${crowd.registered} joined in ${seconds3(joined - began)}, the last was registered after ${seconds3(registered)}, all had the same list after ${seconds3(now() - began)}`,
    )
    crowd.reach.times.length = 0
    const [cpu, from] = [manager.cpuTime(), now()]
    await paced(changes * seconds, 1_000 / changes, async () => {
      crowd.leave()
      await crowd.join()
    })
    const [used, to] = [manager.cpuTime(), now()]
    await until(() => crowd.reach.pending === 0, crowd)
    const times = [...crowd.reach.times].sort((a, b) => a - b)
    const core = cpu && used && (1_000 * (used.user + used.system - cpu.user - cpu.system)) / (to - from)
    print(
      `then ${changes} joins and leaves a second for ${seconds3(to - from)}: a change reached 99 % after ` +
        `${seconds3(times[times.length >> 1] ?? 0)} (half of ${times.length} versions), ${seconds3(times.at(-1) ?? 0)} (all)`,
      `the manager: ${core === undefined ? 'unknown' : `${Math.round(100 * core)} %`} of a core, ` +
        `${((manager.peakMemory() ?? 0) / 1e6).toFixed()} MB at most; ${crowd.refused} members were lost`,
    )
    return crowd.refused === 0 ? EXIT.FINE : EXIT.INTERNAL
  } finally {
    output.live('')
    await witness.stop()
    await crowd.close()
    await manager.end()
  }
}

/** Does something `count` times, so many milliseconds apart. */
async function paced(count: number, every: number, act: () => Promise<void>): Promise<void> {
  const began = now()
  for (let i = 0; i < count; i++) {
    await act()
    const early = began + (i + 1) * every - now()
    if (early > 1) await new Promise(resolve => setTimeout(resolve, early))
  }
}

async function until(isSo: () => boolean, crowd: Crowd): Promise<void> {
  const began = now()
  while (!isSo()) {
    if (now() - began > PATIENCE_MS) throw new Error(`the crowd does not come together: ${crowd.state}`)
    await new Promise(resolve => setTimeout(resolve, TICK_MS))
  }
}

function seconds3(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(2)} s`
}

function print(...lines: readonly string[]): void {
  process.stdout.write(lines.map(line => `${line}\n`).join(''))
}

function readCrowd(argv: readonly string[]): CrowdArguments {
  const string = { type: 'string' } as const
  const read = () => {
    try {
      const options = { members: string, changes: string, seconds: string, socket: string }
      return parseArgs({ args: [...argv], options }).values
    } catch (error) {
      throw new UsageError(
        `${(error as Error).message.split('. ')[0]} (crowd [--members N] [--changes N] [--seconds N])`,
      )
    }
  }
  const values = read()
  const whole = (text: string | undefined, usual: number) => {
    const value = text === undefined ? usual : Number(text)
    if (Number.isInteger(value) && value > 0) return value
    throw new UsageError(`not a whole number above 0: ${text}`)
  }
  return {
    members: whole(values.members, 2_000),
    changes: whole(values.changes, 50),
    seconds: whole(values.seconds, 20),
    socket: values.socket,
  }
}
