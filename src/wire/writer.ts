// Big-endian integers and octets, written one after the other. Each value is checked against its width: a value that
// would be cut to fit is a fault of ours.
import { assert } from '../errors.js'

const U64_MAX = 0xffff_ffff_ffff_ffffn

export class Writer {
  /** Where the next octet goes. */
  at: number
  readonly #start: number
  readonly #into: Uint8Array
  readonly #view: DataView

  /** Writes to `size` octets of `into` from `start` on, and to no others. */
  constructor(into: Uint8Array, start: number, size: number) {
    this.at = start
    this.#start = start
    this.#into = into
    this.#view = new DataView(into.buffer, into.byteOffset, start + size)
  }

  get written(): number {
    return this.at - this.#start
  }

  u8(value: number): void {
    this.#view.setUint8(this.at, whole(value, 0xff))
    this.at += 1
  }

  u16(value: number): void {
    this.#view.setUint16(this.at, whole(value, 0xffff))
    this.at += 2
  }

  u32(value: number): void {
    this.#view.setUint32(this.at, whole(value, 0xffff_ffff))
    this.at += 4
  }

  u64(value: bigint): void {
    assert(value >= 0n && value <= U64_MAX, `${value} does not fit 64 bits`)
    this.#view.setBigUint64(this.at, value)
    this.at += 8
  }

  octets(octets: Uint8Array): void {
    this.#into.set(octets, this.at)
    this.at += octets.length
  }

  zeros(count: number): void {
    this.#into.fill(0, this.at, this.at + count)
    this.at += count
  }
}

function whole(value: number, max: number): number {
  assert(Number.isInteger(value) && value >= 0 && value <= max, `${value} is not a whole number from 0 to ${max}`)
  return value
}
