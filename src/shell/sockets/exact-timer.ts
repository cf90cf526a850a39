// A timer for waits of less than a millisecond, which Node's own timers can't keep: a descriptor that becomes readable
// when the time has come (timerfd), watched in the event loop. Waiting costs nothing.
import { assert } from '../../errors.js'
import type { Libc, Watch } from './libc.js'
import { NativeMemory } from './native-memory.js'

const EXPIRATIONS_BYTES = 8
/** A time of zero would stop the timer instead. */
const WAIT_NANOSECONDS_MIN = 1_000

/** Rings once, a few hundredths of a millisecond after its time. */
export interface ExactTimer {
  /** @param wait milliseconds; replaces the wait set before */
  set(wait: number): void
  clear(): void
  close(): void
}

/** @returns undefined where the system has none */
export function openExactTimer(libc: Libc, ring: () => void): ExactTimer | undefined {
  const fd = libc.timer()
  return fd < 0 ? undefined : new DescriptorTimer(libc, fd, ring)
}

class DescriptorTimer implements ExactTimer {
  readonly #libc: Libc
  readonly #fd: number
  readonly #watch: Watch
  readonly #time: NativeMemory
  readonly #expirations: NativeMemory
  #isSet = false
  #isClosed = false

  constructor(libc: Libc, fd: number, ring: () => void) {
    this.#libc = libc
    this.#fd = fd
    this.#time = new NativeMemory(libc, libc.layouts.itimerspec.size)
    this.#expirations = new NativeMemory(libc, EXPIRATIONS_BYTES)
    this.#watch = libc.watch(fd)
    this.#watch.start({ readable: true, writable: false }, () => {
      // Set anew since it ran out: there is nothing to read, and nothing to ring for.
      if (this.#isClosed || this.#libc.read(this.#fd, this.#expirations.address, EXPIRATIONS_BYTES) < 0) return
      if (!this.#isSet) return
      this.#isSet = false
      ring()
    })
  }

  set(wait: number): void {
    this.#isSet = true
    this.#arm(Math.max(WAIT_NANOSECONDS_MIN, Math.ceil(wait * 1e6)))
  }

  clear(): void {
    if (!this.#isSet) return
    this.#isSet = false
    this.#arm(0)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#watch.close()
    this.#libc.close(this.#fd)
  }

  #arm(nanoseconds: number): void {
    assert(!this.#isClosed, 'the timer is closed')
    const { seconds, nanoseconds: at } = this.#libc.layouts.itimerspec
    this.#time.setLong(seconds, Math.floor(nanoseconds / 1e9))
    this.#time.setLong(at, nanoseconds % 1e9)
    this.#libc.timerfd_settime(this.#fd, 0, this.#time.address, 0)
  }
}
