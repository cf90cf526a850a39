// Datagrams for sockets under test, and what comes of them.
import type { Endpoint } from '../../src/endpoint.js'
import type { OpenSocket } from '../../src/shell/sockets/socket.js'
import type { ReceiveBatch, SendBatch } from '../../src/wire/batch.js'

export interface Received {
  readonly data: Buffer
  readonly from: Endpoint
}

export function push(
  batch: SendBatch,
  to: Endpoint,
  head: string,
  payload?: Uint8Array,
  offset = 0,
  length?: number,
): void {
  batch.head.set(Buffer.from(head))
  batch.push(to, head.length, payload, offset, length ?? payload?.length)
}

/** A socket, and all that it gets as soon as that is `count` datagrams. */
export async function openReceiver(open: OpenSocket, address: string, count: number) {
  const got: Received[] = []
  let onDone: (got: Received[]) => void
  const received = new Promise<Received[]>(resolve => {
    onDone = resolve
  })
  const onReceive = (batch: ReceiveBatch) => {
    for (let i = 0; i < batch.count; i++) {
      const { address, port } = batch.from[i]!
      got.push({ data: Buffer.from(batch.data[i]!), from: { address, port } })
    }
    if (got.length === count) onDone(got)
  }
  return { receiver: await open({ address, port: 0, onReceive }), received }
}
