// Where the CPU time of profiled processes went, by what the code is for.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** What a function is counted as; the first that fits. Node's own functions are counted by their names. */
const KINDS: readonly (readonly [kind: string, fits: (name: string, url: string) => boolean])[] = [
  ['idle', name => name === '(idle)'],
  ['garbage', name => name === '(garbage collector)'],
  ['system call: send', (name, url) => url.includes('segment-sender') || (name === 'send' && url === '')],
  ['system call: receive', (name, url) => url.includes('train-receiver') || name === 'recvStart'],
  ['hash', (name, url) => url.startsWith('node:internal/crypto') || name === 'update'],
  ['disk', (name, url) => /fs\/|shell\/(disk|shared-file|target)/.test(url) || /^(read|write)(Buffers?)?$/.test(name)],
  ['copy to its place', (_, url) => url.includes('assembly')],
  ['headers', (_, url) => url.includes('/wire/')],
  ['protocol', (_, url) => /\/(transfer|host|membership|content)\//.test(url)],
  ['event loop, other', () => true],
]

/** @returns one line for each kind of work: its share of the busy time of all profiles in the folder */
export function profileLines(folder: string): string[] {
  const times = new Map<string, number>()
  for (const name of readdirSync(folder)) {
    if (name.endsWith('.cpuprofile')) add(times, JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profile)
  }
  times.delete('idle')
  const total = [...times.values()].reduce((sum, time) => sum + time, 0)
  return [...times]
    .sort((a, b) => b[1] - a[1])
    .map(([kind, time]) => `  ${((100 * time) / total).toFixed(1).padStart(5)} %  ${kind}`)
}

function add(times: Map<string, number>, { nodes, samples, timeDeltas }: Profile): void {
  const kinds = new Map(nodes.map(({ id, callFrame }) => [id, kindOf(callFrame.functionName, callFrame.url)]))
  for (const [i, id] of samples.entries()) {
    const kind = kinds.get(id)!
    times.set(kind, (times.get(kind) ?? 0) + timeDeltas[i]!)
  }
}

function kindOf(name: string, url: string): string {
  return KINDS.find(([, fits]) => fits(name, url))![0]
}
