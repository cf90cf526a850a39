// The relay's ends in network namespaces: a TUN device for each, from which whole IP packets are read, and to which they are
// written. A device that was made here works on when it is moved into a namespace. A packet goes where its address says.
import { closeSync, constants, openSync } from 'node:fs'
import koffi from 'koffi'
import { IP_UDP_BYTES } from '../../src/sim/link.js'
import { placeOf } from './addresses.js'
import type { Ends, Receive } from './ends.js'

/** <linux/if_tun.h> and <linux/if.h> */
const TUNSETIFF = 0x400454ca
const IFF_TUN = 0x0001
const IFF_NO_PI = 0x1000
const IFREQ_BYTES = 40
const IFREQ_FLAGS_AT = 16

const PACKET_MAX = 65_535
/** Memory from which packets are cut one after another, so that not each of them asks for its own. */
const MEMORY_BYTES = 1 << 20
/** Packets from one device before the others, and timers, have their turn. */
const BATCH = 64

interface Device {
  readonly fd: number
  readonly watch: { close(): void }
}

export class Devices implements Ends {
  readonly #devices: readonly Device[]
  readonly #system: System
  readonly #receive: Receive
  #memory = Buffer.allocUnsafeSlow(MEMORY_BYTES)
  #used = 0

  /** @param names of the devices, one for each place @throws Error where the system refuses */
  static async open(names: readonly string[], receive: Receive): Promise<Devices> {
    return new Devices(names, receive)
  }

  private constructor(names: readonly string[], receive: Receive) {
    this.#system = bindSystem()
    this.#receive = receive
    this.#devices = names.map((name, place) => {
      const fd = openDevice(this.#system, name)
      const watch = koffi.node.poll(fd, { readable: true }, () => this.#onReadable(fd, place))
      return { fd, watch }
    })
  }

  get count(): number {
    return this.#devices.length
  }

  deliver(message: Uint8Array, _from: number, to: number): void {
    // A namespace that is going away takes nothing more: a packet lost.
    this.#system.write(this.#devices[to]!.fd, message, message.length)
  }

  /** What finds a device's queue full is counted in its namespace, which knows nothing of the bench. */
  async overruns(): Promise<undefined> {
    return undefined
  }

  close(): void {
    for (const { fd, watch } of this.#devices) {
      watch.close()
      closeSync(fd)
    }
  }

  #onReadable(fd: number, from: number): void {
    for (let i = 0; i < BATCH; i++) {
      if (this.#used + PACKET_MAX > MEMORY_BYTES) {
        this.#memory = Buffer.allocUnsafeSlow(MEMORY_BYTES)
        this.#used = 0
      }
      const room = this.#memory.subarray(this.#used, this.#used + PACKET_MAX)
      const length = this.#system.read(fd, room, PACKET_MAX)
      if (length <= 0) return
      this.#used += length
      const packet = room.subarray(0, length)
      const to = placeOf(packet)
      if (to < 0 || to >= this.#devices.length) continue
      this.#receive(packet, from, to, length - IP_UDP_BYTES, IP_UDP_BYTES)
    }
  }
}

/** The C library, as far as it is needed here. Results below 0 are errors. */
interface System {
  ioctl(fd: number, request: number, argument: Uint8Array): number
  read(fd: number, into: Uint8Array, size: number): number
  write(fd: number, from: Uint8Array, size: number): number
}

function bindSystem(): System {
  const library = koffi.load(null)
  return {
    ioctl: library.func('ioctl', 'int', ['int', 'unsigned long', 'void *']),
    // Their results are ssize_t, and fit an int: no packet is longer than 64 KiB.
    read: library.func('read', 'int', ['int', 'void *', 'size_t']),
    write: library.func('write', 'int', ['int', 'void *', 'size_t']),
  }
}

function openDevice(system: System, name: string): number {
  const fd = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK)
  const request = Buffer.alloc(IFREQ_BYTES)
  request.write(name, 'latin1')
  const flags = IFF_TUN | IFF_NO_PI
  // In the order of the machine: it is a field of a structure of C.
  new Uint16Array(request.buffer, request.byteOffset + IFREQ_FLAGS_AT, 1)[0] = flags
  if (system.ioctl(fd, TUNSETIFF, request) < 0) {
    closeSync(fd)
    throw new Error(`the device ${name} can't be made (error ${koffi.errno()})`)
  }
  return fd
}
