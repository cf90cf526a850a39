// Writes what stations sent as a capture file: `tshark -r run.pcap -X lua_script:spec/peer-udp.lua`.
// Format: draft-ietf-opsawg-pcap, nanosecond variant, LINKTYPE_RAW (101), whole datagrams, IPv4 without options.
import type { Endpoint } from '../endpoint.js'
import { assert } from '../errors.js'
import type { Instant } from '../units.js'
import type { Watcher } from './trace.js'

const MAGIC_NANOSECONDS = 0xa1b23c4d
const LINKTYPE_RAW = 101
const SNAPSHOT_BYTES = 65_535
const FILE_HEADER_BYTES = 24
const RECORD_HEADER_BYTES = 16
const IP_BYTES = 20
const UDP_BYTES = 8
const PROTOCOL_UDP = 17
const FIRST_CAPACITY = 65_536

/** Keeps the capture in memory: the caller writes `octets()` where it likes. */
export class PcapCapture implements Watcher {
  #memory = Buffer.alloc(FIRST_CAPACITY)
  #length = 0

  constructor() {
    this.#memory.writeUInt32LE(MAGIC_NANOSECONDS, 0)
    this.#memory.writeUInt16LE(2, 4)
    this.#memory.writeUInt16LE(4, 6)
    this.#memory.writeUInt32LE(SNAPSHOT_BYTES, 16)
    this.#memory.writeUInt32LE(LINKTYPE_RAW, 20)
    this.#length = FILE_HEADER_BYTES
  }

  octets(): Uint8Array {
    return this.#memory.subarray(0, this.#length)
  }

  sent(at: Instant, from: Endpoint, to: Endpoint, data: Uint8Array): void {
    const size = IP_BYTES + UDP_BYTES + data.length
    const record = this.#room(RECORD_HEADER_BYTES + size)
    const seconds = Math.floor(at / 1_000)
    record.writeUInt32LE(seconds, 0)
    record.writeUInt32LE(Math.floor((at - seconds * 1_000) * 1e6), 4)
    record.writeUInt32LE(size, 8)
    record.writeUInt32LE(size, 12)
    writePacket(record.subarray(RECORD_HEADER_BYTES), from, to, data)
  }

  #room(size: number): Buffer {
    if (this.#length + size > this.#memory.length) {
      const larger = Buffer.alloc(Math.max(this.#memory.length * 2, this.#length + size))
      larger.set(this.octets())
      this.#memory = larger
    }
    this.#length += size
    return this.#memory.subarray(this.#length - size, this.#length)
  }
}

function writePacket(packet: Buffer, from: Endpoint, to: Endpoint, data: Uint8Array): void {
  packet[0] = 0x45
  packet.writeUInt16BE(packet.length, 2)
  packet[8] = 64
  packet[9] = PROTOCOL_UDP
  writeAddress(packet, 12, from.address)
  writeAddress(packet, 16, to.address)
  packet.writeUInt16BE(fold(sum(packet.subarray(0, IP_BYTES))), 10)
  const udp = packet.subarray(IP_BYTES)
  udp.writeUInt16BE(from.port, 0)
  udp.writeUInt16BE(to.port, 2)
  udp.writeUInt16BE(udp.length, 4)
  udp.set(data, UDP_BYTES)
  // The pseudo header (RFC 768): both addresses, the protocol and the length. A sum of 0 is sent as all ones.
  const pseudo = sum(packet.subarray(12, IP_BYTES)) + PROTOCOL_UDP + udp.length
  udp.writeUInt16BE(fold(sum(udp) + pseudo) || 0xffff, 6)
}

function writeAddress(packet: Buffer, at: number, address: string): void {
  const parts = address.split('.').map(Number)
  assert(parts.length === 4, `a capture holds IPv4 only, not ${address}`)
  packet.set(parts, at)
}

/** The Internet checksum (RFC 1071), before it is folded. */
function sum(octets: Uint8Array): number {
  let total = 0
  for (let i = 0; i + 1 < octets.length; i += 2) total += (octets[i]! << 8) | octets[i + 1]!
  return octets.length % 2 === 0 ? total : total + (octets[octets.length - 1]! << 8)
}

function fold(total: number): number {
  let folded = total
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16)
  return ~folded & 0xffff
}
