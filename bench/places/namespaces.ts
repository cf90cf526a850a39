// Each place a network namespace with one interface, a device of the relay: processes there have addresses, routes and a kernel TCP of
// their own, and nothing else to reach than each other. Needs root, Linux and iproute2, and koffi for the devices.
import { execFile } from 'node:child_process'
import { access, readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { UsageError } from '../../src/errors.js'
import { MTU } from '../limit.js'
import { hostOf, interfaceOf, networkOf } from '../relay/addresses.js'
import type { RelayProcess } from '../relay/relay-process.js'
import type { Place, Places } from './places.js'

const run = promisify(execFile)

/** The port of each process: places are computers here, so all may have the same. */
const PORT = 5_000
/** Names are `pu-bench-PID-PLACE`, so that what a killed bench has left is known, and can go. */
const NAME = /^pu-bench-(\d+)-\d+$/
/** Packets that may wait for the relay to read them, where it is late. */
const DEVICE_QUEUE = 10_000
/** Octets: least, first and most of TCP's buffers. No round trip of the bench needs more, and none is to be slowed by less. */
const TCP_BUFFERS = '4096 262144 67108864'

export class Namespaces implements Places {
  readonly #names: readonly string[]

  /** @throws UsageError in one line where this computer has not what it takes */
  static async open(relay: RelayProcess, count: number): Promise<Namespaces> {
    await checkComputer()
    await removeLeftovers()
    const names = Array.from({ length: count }, (_, place) => `pu-bench-${process.pid}-${place}`)
    const namespaces = new Namespaces(names)
    try {
      await relay.openDevices(names.map(deviceOf))
      for (const [place, name] of names.entries()) await setUp(name, place)
      return namespaces
    } catch (error) {
      await namespaces.close()
      throw new UsageError(`--namespaces: ${firstLine(error)}`)
    }
  }

  private constructor(names: readonly string[]) {
    this.#names = names
  }

  /** The same places each time: the processes that were there have ended. */
  async open(count: number): Promise<readonly Place[]> {
    return this.#names.slice(0, count).map((name, place) => {
      const address = { host: hostOf(place), port: PORT }
      return { own: address, seen: address, prefix: within(name) }
    })
  }

  /**
   * By the route, and not by `net.ipv4.tcp_congestion_control`: a namespace may not set that to what the host doesn't allow.
   *
   * @throws UsageError where this kernel has no such congestion control
   */
  async useCongestionControl(name: string): Promise<void> {
    for (const namespace of this.#names) {
      const route = [networkOf(), 'dev', deviceOf(namespace), 'congctl', name]
      await run('ip', ['-n', namespace, 'route', 'replace', ...route]).catch(() => {
        throw new UsageError(`--namespaces: this kernel has no TCP ${name} (modprobe tcp_${name})`)
      })
    }
  }

  async close(): Promise<void> {
    for (const name of this.#names) await remove(name)
  }
}

async function checkComputer(): Promise<void> {
  const refuse = (why: string): never => {
    throw new UsageError(`--namespaces needs ${why}; without it the bench uses loopback, and kernel TCP has no rows`)
  }
  if (process.platform !== 'linux') refuse(`Linux, and this is ${process.platform}`)
  if (process.getuid?.() !== 0) refuse('root')
  await run('ip', ['-V']).catch(() => refuse('the command ip (iproute2)'))
  const koffi = 'koffi'
  await import(koffi).catch(() => refuse('the optional package koffi (npm ci installs it)'))
  await access('/dev/net/tun').catch(() => refuse('/dev/net/tun'))
}

async function setUp(name: string, place: number): Promise<void> {
  const device = deviceOf(name)
  await run('ip', ['netns', 'add', name])
  await run('ip', ['link', 'set', device, 'netns', name])
  await run('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
  await run('ip', ['-n', name, 'addr', 'add', interfaceOf(place), 'dev', device])
  await run('ip', ['-n', name, 'link', 'set', device, 'mtu', `${MTU}`, 'txqueuelen', `${DEVICE_QUEUE}`, 'up'])
  await set(name, 'net.ipv4.tcp_rmem', TCP_BUFFERS)
  await set(name, 'net.ipv4.tcp_wmem', TCP_BUFFERS)
  // A transfer must not know what the one before has found out.
  await set(name, 'net.ipv4.tcp_no_metrics_save', '1')
}

/** Writes to /proc/sys within the namespace: not every computer has the command sysctl. */
async function set(namespace: string, name: string, value: string): Promise<void> {
  const path = `/proc/sys/${name.replaceAll('.', '/')}`
  const [file = '', ...args] = [...within(namespace), 'sh', '-c', `echo "$1" > ${path}`, 'sh', value]
  await run(file, args)
}

function within(namespace: string): string[] {
  return ['ip', 'netns', 'exec', namespace]
}

/** Names of interfaces have 15 letters at most. */
function deviceOf(name: string): string {
  return name.replace('pu-bench-', 'pu')
}

/** What a bench left behind that was killed, with the processes that stand there. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir('/run/netns').catch(() => [])) {
    const [, pid] = NAME.exec(name) ?? []
    if (pid === undefined || isAlive(Number(pid))) continue
    const { stdout } = await run('ip', ['netns', 'pids', name])
    for (const left of stdout.split('\n').filter(Boolean)) endProcess(Number(left))
    await remove(name)
  }
}

async function remove(name: string): Promise<void> {
  await run('ip', ['netns', 'del', name]).catch(() => {})
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string }
  return (stderr?.trim() || message).split('\n')[0] ?? ''
}
