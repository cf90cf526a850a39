import type { Endpoint } from '../endpoint.js'
import type { HostEvent, StopReason } from '../host/contract.js'
import { now } from '../shell/clock.js'
import { Driver, type DriverOptions } from '../shell/driver.js'
import { chooseSocket } from '../shell/sockets/choose.js'
import type { SocketKind } from '../shell/sockets/socket.js'
import type { TraceFile } from '../shell/trace-file.js'
import type { Instant } from '../units.js'
import { EventStream } from './events.js'

export interface NodeOptions {
  readonly onEvent?: (event: HostEvent) => void
  /** Aborting is the same as `stop`. */
  readonly signal?: AbortSignal
  /** By default 'batched' where it works (Linux, with the optional package koffi), else 'dgram'. */
  readonly socket?: SocketKind
  /**
   * Nothing else runs in this process. While datagrams come one by one and fast, its thread then sleeps up to a
   * millisecond at a time and takes several at once, which saves CPU time. By default false.
   */
  readonly isAlone?: boolean
}

/** A manager or peer that runs in this process. Disposing of it is the same as `stop`. */
export interface Node extends AsyncDisposable {
  readonly local: Endpoint
  /** Octets that the system granted the socket. */
  readonly receiveBuffer: number
  readonly socket: SocketKind
  /** One line about what this machine's sockets lack; undefined where all is well. */
  readonly remark: string | undefined
  /** Fulfilled when the node has left and closed everything; never rejected. */
  readonly done: Promise<StopReason>
  /** What happens from now on, for `for await`; it ends with the node. Who reads slowly may miss `progress` and `trace`. */
  events(): AsyncIterableIterator<HostEvent>
  /** The clock of the instants in events. */
  now(): Instant
  /** Leaves politely. */
  stop(): Promise<StopReason>
  counters(): Record<string, number>
}

/** @throws PortError where the port can't be had */
export async function startNode(
  { onEvent, signal, socket: wanted, isAlone }: NodeOptions,
  parts: Pick<DriverOptions, 'address' | 'port' | 'makeHost' | 'disk'>,
  trace?: TraceFile,
): Promise<{ readonly node: Node; readonly driver: Driver }> {
  const events = new EventStream<HostEvent>()
  const onEvents = (event: HostEvent) => {
    trace?.onEvent(event)
    events.push(event)
    onEvent?.(event)
  }
  const { open, remark } = await chooseSocket(parts.address, wanted)
  const driver = await Driver.open({ ...parts, openSocket: open, onEvent: onEvents, isAlone })
  const done = driver.done.finally(() => {
    trace?.close()
    events.end()
  })
  const stop = () => {
    void driver.stop()
    return done
  }
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop, { once: true })
  void done.then(() => signal?.removeEventListener('abort', stop))
  const node: Node = {
    local: driver.local,
    receiveBuffer: driver.receiveBuffer,
    socket: driver.socketKind,
    remark,
    done,
    events: () => events.read(),
    now,
    stop,
    counters: () => driver.counters(),
    [Symbol.asyncDispose]: async () => void (await stop()),
  }
  return { node, driver }
}
