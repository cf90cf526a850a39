// Where the processes run: all on loopback, or senders and receivers in two network namespaces that a veth pair joins.
import { execFileSync } from 'node:child_process'
import type { LinkKind } from './options.js'

export interface Side {
  /** What stands before a command to run it there. */
  readonly prefix: readonly string[]
  readonly address: string
}

export interface Link {
  readonly title: string
  readonly source: Side
  readonly sink: Side
  close(): void
}

/** Whether this process may make network namespaces. */
export function canMakeVeth(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    ip('-V')
    return true
  } catch {
    return false
  }
}

export const LINKS_OPEN: Readonly<Record<LinkKind, () => Link>> = { veth, lo: loopback }

function loopback(): Link {
  const side = { prefix: [], address: '127.0.0.1' }
  return { title: 'loopback, MTU 65536', source: side, sink: side, close: () => {} }
}

/** Segmentation and receive offloads are as the system sets them: on. */
function veth(): Link {
  const names = [`pu${process.pid}a`, `pu${process.pid}b`] as const
  const close = () => {
    for (const name of names) ip('netns', 'del', name)
  }
  for (const name of names) ip('netns', 'add', name)
  try {
    ip('link', 'add', 'veth0', 'netns', names[0], 'type', 'veth', 'peer', 'name', 'veth0', 'netns', names[1])
    for (const [i, name] of names.entries()) {
      ip('-n', name, 'addr', 'add', `10.99.0.${i + 1}/24`, 'dev', 'veth0')
      ip('-n', name, 'link', 'set', 'veth0', 'mtu', '1500', 'up')
      ip('-n', name, 'link', 'set', 'lo', 'up')
    }
  } catch (error) {
    close()
    throw error
  }
  const side = (i: 0 | 1): Side => ({ prefix: ['ip', 'netns', 'exec', names[i]], address: `10.99.0.${i + 1}` })
  return { title: 'veth pair, MTU 1500', source: side(0), sink: side(1), close }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
