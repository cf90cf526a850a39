// What this machine gives to sockets, tried out: for `peer-udp doctor`.
import { networkInterfaces } from 'node:os'
import { openBatchedSocket } from './batched.js'
import { openDgramSocket } from './dgram.js'
import { mtuOf } from './interface-mtu.js'
import { type Proof, proveBatched } from './proof.js'
import type { Socket } from './socket.js'

export interface InterfaceMtu {
  readonly name: string
  readonly addresses: readonly string[]
  /** Octets of an IP packet; undefined where the system doesn't show it. */
  readonly mtu: number | undefined
}

export interface Inspection {
  readonly ipv4: Proof
  readonly ipv6: Proof
  /** What the socket that would be used was granted, in octets. */
  readonly receiveBuffer: number
  readonly sendBuffer: number
  readonly hasExactTimer: boolean
  readonly interfaces: readonly InterfaceMtu[]
}

export async function inspectSockets(): Promise<Inspection> {
  const ipv4 = await proveBatched(4)
  const socket = await openOne(ipv4)
  const timer = socket.openTimer(() => {})
  timer?.close()
  const { receiveBuffer, sendBuffer } = socket
  await socket.close()
  return {
    ipv4,
    ipv6: await proveBatched(6),
    receiveBuffer,
    sendBuffer,
    hasExactTimer: timer !== undefined,
    interfaces: interfaces(),
  }
}

async function openOne(proof: Proof): Promise<Socket> {
  const options = { address: '127.0.0.1', port: 0, onReceive: () => {} }
  return proof.kind === 'works' ? openBatchedSocket(proof.libc, proof.batching, options) : openDgramSocket(options)
}

function interfaces(): InterfaceMtu[] {
  return Object.entries(networkInterfaces()).map(([name, addresses = []]) => ({
    name,
    addresses: addresses.map(({ address }) => address),
    mtu: mtuOf(name),
  }))
}
