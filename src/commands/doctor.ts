// `peer-udp doctor`: what this machine gives to a swarm, and one line of advice for each shortfall.
import { cpus } from 'node:os'
import { type Inspection, type InterfaceMtu, inspectSockets } from '../shell/sockets/inspection.js'
import type { Proof } from '../shell/sockets/proof.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { Output } from './output.js'
import { exact } from './words.js'

/** Less holds fewer datagrams than come while a block is hashed on a fast link (spec/interface.md, "doctor"). */
const BUFFER_BYTES_GOOD = 4 * 1024 * 1024
/** What RFC 9000 asks of every path, with IP and UDP headers. */
const MTU_LEAST = 1_280

export interface DoctorCommand {
  readonly json: boolean
}

/** @returns always FINE: a shortfall is no error */
export async function runDoctor({ json }: DoctorCommand): Promise<ExitCode> {
  const output = new Output({ json })
  const found = await inspectSockets()
  output.say(...report(found))
  const advice = adviceFor(found)
  for (const line of advice) output.say(`${output.paint('yellow', 'advice')}  ${line}`)
  if (advice.length === 0) output.say('nothing is lacking')
  output.last('doctor', fieldsOf(found, advice))
  return EXIT.FINE
}

function report({ ipv4, ipv6, receiveBuffer, sendBuffer, hasExactTimer, interfaces }: Inspection): string[] {
  return [
    `node            ${process.version} on ${process.platform} ${process.arch}, ${cpus().length} cores`,
    `sockets, IPv4   ${proofWords(ipv4)}`,
    `sockets, IPv6   ${proofWords(ipv6)}`,
    `timer           ${hasExactTimer ? 'exact (timerfd)' : "Node's own, of one millisecond"}`,
    `receive buffer  ${exact(receiveBuffer)} octets as the system counts`,
    `send buffer     ${exact(sendBuffer)} octets`,
    ...interfaces.map(one => `interface       ${interfaceWords(one)}`),
  ]
}

function proofWords(proof: Proof): string {
  if (proof.kind === 'fails') return `dgram, one datagram a system call: ${proof.why}`
  const { joinsSent, joinsReceived } = proof.batching
  const sent = joinsSent ? 'up to 64 datagrams a call sent' : 'one datagram a call sent'
  return `batched: ${sent}, ${joinsReceived ? 'up to 64 received' : 'one received'}, never fragmented`
}

function interfaceWords({ name, mtu, addresses }: InterfaceMtu): string {
  return `${name}, MTU ${mtu === undefined ? 'not shown' : exact(mtu)}: ${addresses.join(', ')}`
}

function adviceFor({ ipv4, receiveBuffer, interfaces }: Inspection): string[] {
  const advice: string[] = []
  if (ipv4.kind === 'fails') advice.push(`${ipv4.why}: ${remedy(ipv4.why)}`)
  else if (ipv4.remark !== undefined) advice.push(`${ipv4.remark}: Linux 5.0 or newer can, outside of sandboxes`)
  if (receiveBuffer < BUFFER_BYTES_GOOD) advice.push(bufferAdvice(receiveBuffer))
  for (const { name, mtu } of interfaces) {
    if (mtu !== undefined && mtu < MTU_LEAST)
      advice.push(`${name} has an MTU below ${MTU_LEAST}: raise it, or datagrams get lost`)
  }
  return advice
}

function remedy(why: string): string {
  if (why.includes('not installed'))
    return 'npm install koffi, and transfers on this machine take a fraction of the CPU'
  if (process.platform !== 'linux') return 'nothing to do, transfers just take more CPU'
  return 'transfers take more CPU; another kernel, or a sandbox that lets UDP_SEGMENT and UDP_GRO through, would help'
}

function bufferAdvice(granted: number): string {
  const words = `the receive buffer of ${exact(granted)} octets is small, and fast paths will lose datagrams`
  return process.platform === 'linux' ? `${words}: as root, sysctl -w net.core.rmem_max=${BUFFER_BYTES_GOOD}` : words
}

function fieldsOf(found: Inspection, advice: readonly string[]) {
  const { ipv4, ipv6, receiveBuffer, sendBuffer, hasExactTimer, interfaces } = found
  return {
    ipv4: proofFields(ipv4),
    ipv6: proofFields(ipv6),
    exactTimer: hasExactTimer,
    receiveBuffer,
    sendBuffer,
    interfaces: interfaces.map(({ name, mtu, addresses }) => ({ name, mtu: mtu ?? null, addresses })),
    advice,
  }
}

function proofFields(proof: Proof) {
  if (proof.kind === 'fails') return { socket: 'dgram', joinsSent: false, joinsReceived: false }
  return { socket: 'batched', ...proof.batching }
}
