// The C library, called through koffi without a compiler. Sizes and offsets of its structures are what koffi reckons for
// this machine's ABI; the numbers below are Linux's own and the same on every architecture that koffi runs on there.
//
// koffi is an optional dependency: where it is missing or can't be loaded, `loadLibc` says why.
import { assert } from '../../errors.js'
import { NativeMemory } from './native-memory.js'

export const AF_INET = 2
export const AF_INET6 = 10
export const SOCK_DGRAM = 2
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const SOL_SOCKET = 1
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const IPPROTO_IP = 0
export const IPPROTO_IPV6 = 41
/** Don't fragment, and don't let the kernel's own idea of the path's MTU stop a larger datagram: we search for it. */
export const PMTUDISC_PROBE = 3
export const IP_MTU_DISCOVER = 10
export const IPV6_MTU_DISCOVER = 23
export const IPV6_V6ONLY = 26
export const IPV6_DONTFRAG = 62
export const SOL_UDP = 17
/** Segments of one size that the kernel makes out of one message (Linux 4.18). */
export const UDP_SEGMENT = 103
/** Datagrams of one size that the kernel hands over as one message (Linux 5.0). */
export const UDP_GRO = 104
export const MSG_DONTWAIT = 0x40
export const MSG_TRUNC = 0x20
const CLOCK_MONOTONIC = 1
const TFD_NONBLOCK = SOCK_NONBLOCK
const TFD_CLOEXEC = SOCK_CLOEXEC

/** Where a structure's fields are, in octets from its start. */
type Offsets<Field extends string> = Readonly<Record<Field, number>>

export interface Layouts {
  readonly pointerBytes: number
  readonly iovec: Offsets<'base' | 'length' | 'size'>
  readonly msghdr: Offsets<'name' | 'nameLength' | 'iov' | 'iovLength' | 'control' | 'controlLength' | 'flags' | 'size'>
  /** `data`: where the data of a control message begins. */
  readonly cmsghdr: Offsets<'length' | 'level' | 'type' | 'data'>
  readonly itimerspec: Offsets<'seconds' | 'nanoseconds' | 'size'>
}

/** Watches a descriptor in Node's own event loop: no thread, nothing to wake at the end. */
export interface Watch {
  /** Replaces what is watched for. */
  start(events: WatchedEvents, onEvent: (events: { readonly writable: boolean }) => void): void
  close(): void
}

export interface WatchedEvents {
  readonly readable: boolean
  readonly writable: boolean
}

/** Results below 0 are errors: `errno` tells which until the next call. Addresses are those of `NativeMemory`. */
export interface Libc {
  readonly layouts: Layouts
  socket(family: number, type: number, protocol: number): number
  bind(fd: number, address: number, length: number): number
  getsockname(fd: number, address: number, length: number): number
  setsockopt(fd: number, level: number, option: number, value: number, length: number): number
  getsockopt(fd: number, level: number, option: number, value: number, length: number): number
  sendmsg(fd: number, message: number, flags: number): number
  recvmsg(fd: number, message: number, flags: number): number
  /** A timer on the monotonic clock that does not block. */
  timer(): number
  timerfd_settime(fd: number, flags: number, value: number, old: number): number
  read(fd: number, into: number, length: number): number
  close(fd: number): number
  errno(): number
  watch(fd: number): Watch
  addressOf(memory: ArrayBufferLike): number
  /** A buffer over shared memory, which lives as long as that is held. */
  plainView(memory: SharedArrayBuffer): ArrayBuffer
}

let loading: Promise<Libc | string> | undefined

/** @returns the library, or in words why it can't be had; the same for the life of the process */
export function loadLibc(): Promise<Libc | string> {
  loading ??= load()
  return loading
}

async function load(): Promise<Libc | string> {
  if (process.platform !== 'linux') return `it is for Linux, not ${process.platform}`
  try {
    return bindLibc((await import('koffi')).default)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ERR_MODULE_NOT_FOUND') return 'the optional package koffi is not installed'
    return `koffi can't be loaded: ${message.split('\n')[0]}`
  }
}

type Koffi = typeof import('koffi')['default']

function bindLibc(koffi: Koffi): Libc {
  // The process itself is linked with its C library, whichever that is and however its file is called.
  const library = koffi.load(null)
  const timerfd_create = library.func('timerfd_create', 'int', ['int', 'int'])
  return {
    layouts: layoutsOf(koffi),
    socket: library.func('socket', 'int', ['int', 'int', 'int']),
    bind: library.func('bind', 'int', ['int', 'uintptr_t', 'uint32_t']),
    getsockname: library.func('getsockname', 'int', ['int', 'uintptr_t', 'uintptr_t']),
    setsockopt: library.func('setsockopt', 'int', ['int', 'int', 'int', 'uintptr_t', 'uint32_t']),
    getsockopt: library.func('getsockopt', 'int', ['int', 'int', 'int', 'uintptr_t', 'uintptr_t']),
    // Their results are ssize_t, and fit an int: no message is longer than 64 KiB.
    sendmsg: library.func('sendmsg', 'int', ['int', 'uintptr_t', 'int']),
    recvmsg: library.func('recvmsg', 'int', ['int', 'uintptr_t', 'int']),
    timer: () => timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
    timerfd_settime: library.func('timerfd_settime', 'int', ['int', 'int', 'uintptr_t', 'uintptr_t']),
    read: library.func('read', 'int', ['int', 'uintptr_t', 'size_t']),
    close: library.func('close', 'int', ['int']),
    errno: () => koffi.errno(),
    watch: fd => watch(koffi, fd),
    addressOf: memory => Number(koffi.address(memory)),
    plainView: memory => koffi.view(koffi.address(new Uint8Array(memory)), memory.byteLength),
  }
}

function watch(koffi: Koffi, fd: number): Watch {
  const handle = koffi.node.poll(fd, { readable: true }, () => {})
  return {
    // koffi's types leave out the status that comes first.
    start: (events, onEvent) =>
      handle.start(events, (...[, happened]: unknown[]) =>
        onEvent({ writable: (happened as WatchedEvents | undefined)?.writable === true }),
      ),
    close: () => handle.close(),
  }
}

/** musl declares two of these lengths narrower, with padding behind them: on little-endian machines the octets are the same. */
function layoutsOf(koffi: Koffi): Layouts {
  const iovec = koffi.struct({ base: 'void *', length: 'size_t' })
  const msghdr = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    iov: 'void *',
    iovLength: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  })
  const cmsghdr = koffi.struct({ length: 'size_t', level: 'int', type: 'int' })
  const timespec = koffi.struct({ seconds: 'long', nanoseconds: 'long' })
  const itimerspec = koffi.struct({ interval: timespec, value: timespec })
  const value = koffi.offsetof(itimerspec, 'value')
  const pointerBytes = koffi.sizeof('void *')
  assert(pointerBytes === 8, 'batched sockets need a 64-bit machine')
  return {
    pointerBytes,
    iovec: { base: koffi.offsetof(iovec, 'base'), length: koffi.offsetof(iovec, 'length'), size: koffi.sizeof(iovec) },
    msghdr: {
      name: koffi.offsetof(msghdr, 'name'),
      nameLength: koffi.offsetof(msghdr, 'nameLength'),
      iov: koffi.offsetof(msghdr, 'iov'),
      iovLength: koffi.offsetof(msghdr, 'iovLength'),
      control: koffi.offsetof(msghdr, 'control'),
      controlLength: koffi.offsetof(msghdr, 'controlLength'),
      flags: koffi.offsetof(msghdr, 'flags'),
      size: koffi.sizeof(msghdr),
    },
    cmsghdr: {
      length: koffi.offsetof(cmsghdr, 'length'),
      level: koffi.offsetof(cmsghdr, 'level'),
      type: koffi.offsetof(cmsghdr, 'type'),
      // CMSG_ALIGN: to the size of a size_t.
      data: Math.ceil(koffi.sizeof(cmsghdr) / pointerBytes) * pointerBytes,
    },
    itimerspec: {
      seconds: value + koffi.offsetof(timespec, 'seconds'),
      nanoseconds: value + koffi.offsetof(timespec, 'nanoseconds'),
      size: koffi.sizeof(itimerspec),
    },
  }
}

/** A socket option that is an int. @returns undefined where the system refuses it */
export function getIntOption(libc: Libc, fd: number, level: number, option: number): number | undefined {
  const value = new NativeMemory(libc, 8)
  const length = new NativeMemory(libc, 8)
  value.setInt(0, 0)
  length.setInt(0, 4)
  return libc.getsockopt(fd, level, option, value.address, length.address) < 0 ? undefined : value.getInt(0)
}

/** @returns whether the system took it */
export function setIntOption(libc: Libc, fd: number, level: number, option: number, to: number): boolean {
  const value = new NativeMemory(libc, 8)
  value.setInt(0, to)
  return libc.setsockopt(fd, level, option, value.address, 4) === 0
}
