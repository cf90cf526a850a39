import { endianness } from 'node:os'

const LITTLE = endianness() === 'LE'
const HALF = 2 ** 32

/** Memory that the C library is told of by its address: it stays where it is for as long as this object is held. */
export class NativeMemory {
  readonly address: number
  readonly octets: Uint8Array
  readonly #view: DataView

  /** @param libc whoever knows addresses */
  constructor(libc: { addressOf(memory: ArrayBufferLike): number }, size: number) {
    const memory = new ArrayBuffer(size)
    this.octets = new Uint8Array(memory)
    this.#view = new DataView(memory)
    this.address = libc.addressOf(memory)
  }

  getInt(at: number): number {
    return this.#view.getInt32(at, LITTLE)
  }

  setInt(at: number, value: number): void {
    this.#view.setInt32(at, value, LITTLE)
  }

  getShort(at: number): number {
    return this.#view.getUint16(at, LITTLE)
  }

  setShort(at: number, value: number): void {
    this.#view.setUint16(at, value, LITTLE)
  }

  /** A size_t, a long or a pointer of 64 bits. @param value 0 to 2^53 - 1 */
  setLong(at: number, value: number): void {
    const high = Math.floor(value / HALF)
    this.#view.setUint32(LITTLE ? at : at + 4, value, LITTLE)
    this.#view.setUint32(LITTLE ? at + 4 : at, high, LITTLE)
  }

  getLong(at: number): number {
    const high = this.#view.getUint32(LITTLE ? at + 4 : at, LITTLE)
    return high * HALF + this.#view.getUint32(LITTLE ? at : at + 4, LITTLE)
  }
}
