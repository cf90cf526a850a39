import type dgram from 'node:dgram'
import { EventEmitter } from 'node:events'
import t from 'tap'
import type { Endpoint } from '../../src/endpoint.js'
import { PortError } from '../../src/errors.js'
import { type DgramModule, openDgramSocket } from '../../src/shell/sockets/dgram.js'
import { Inbox } from '../../src/shell/sockets/inbox.js'
import type { Socket } from '../../src/shell/sockets/socket.js'
import { type ReceiveBatch, SendBatch } from '../../src/wire/batch.js'

const NOWHERE: Endpoint = { address: '127.0.0.1', port: 9 }

for (const address of ['127.0.0.1', '::1']) {
  t.test(`heads and payloads arrive whole at ${address}, in batches`, async t => {
    const { receiver, received } = await openReceiver(address, 3)
    const sender = await open(address)
    const batch = new SendBatch(4)
    push(batch, receiver.local, 'head', Buffer.from('..payload..'), 2, 7)
    push(batch, receiver.local, 'alone')
    push(batch, receiver.local, '', new Uint8Array(65_000))
    t.equal(sender.send(batch), 3)
    const got = await received
    t.strictSame(
      got.map(({ data }) => data.length),
      [11, 5, 65_000],
    )
    t.equal(got[0]!.data.toString(), 'headpayload')
    t.strictSame(got[0]!.from, sender.local)
    await Promise.all([sender.close(), receiver.close()])
  })
}

t.test('the buffers granted are told, and closing twice is no error', async t => {
  const socket = await open('127.0.0.1')
  t.ok(socket.receiveBuffer >= 200_000)
  t.ok(socket.sendBuffer >= 65_507)
  t.equal(socket.maxDatagram, 65_507)
  t.not(socket.local.port, 0)
  await Promise.all([socket.close(), socket.close()])
  const batch = new SendBatch(1)
  push(batch, NOWHERE, 'late')
  t.equal(socket.send(batch), 0)
})

t.test('what cannot be sent is lost and does not throw', async t => {
  const socket = await open('127.0.0.1')
  const batch = new SendBatch(2)
  push(batch, { address: '127.0.0.1', port: 0 }, 'no port')
  push(batch, { address: '::1', port: 9 }, 'other family')
  socket.send(batch)
  t.equal(socket.counters()['socket:send-lost'], 1)
  await socket.close()
})

t.test('a port that cannot be had is a PortError that says so', async t => {
  const first = await open('127.0.0.1')
  const { port } = first.local
  await t.rejects(open('127.0.0.1', port), {
    constructor: PortError,
    message: `port ${port} is in use; pick another`,
  })
  await first.close()
  await t.rejects(open('192.0.2.1'), { constructor: PortError, message: '192.0.2.1 is not an address of this host' })
  for (const [code, message] of [
    ['EACCES', /^port 80 may not be used: ports below 1024/],
    ['EWHATEVER', /^port 80 at 127.0.0.1 can't be used: EWHATEVER$/],
  ] as const) {
    const fake = new FakeSocket()
    fake.bindError = code
    await t.rejects(open('127.0.0.1', 80, fake), { constructor: PortError, message })
    t.ok(fake.isClosed)
  }
})

t.test('what the kernel has not taken yet keeps its memory until it has', async t => {
  const fake = new FakeSocket()
  const socket = await open('127.0.0.1', 0, fake)
  const batch = new SendBatch(3)
  for (const text of ['one', 'two', 'three']) push(batch, NOWHERE, text)
  fake.isBlocked = true
  t.equal(socket.send(batch), 3)
  t.strictSame(fake.texts(), ['one', 'two', 'three'])
  fake.drain()
  t.equal(socket.send(batch), 3)
  t.strictSame(fake.texts(), ['one', 'two', 'three'])
  await socket.close()
})

t.test('beyond a limit of datagrams or memory that wait, more are lost; once they left, none are', async t => {
  for (const payload of [new Uint8Array(0), new Uint8Array(60_000)]) {
    const fake = new FakeSocket()
    const socket = await open('127.0.0.1', 0, fake)
    const batch = new SendBatch(2_000)
    for (let i = 0; i < 2_000; i++) push(batch, NOWHERE, 'x', payload)
    fake.isBlocked = true
    const taken = socket.send(batch)
    t.equal(taken, payload.length === 0 ? 1_024 : Math.floor((4 * 1024 * 1024) / 60_001))
    t.equal(socket.counters()['socket:send-lost'], 2_000 - taken)
    fake.drain()
    fake.isBlocked = false
    t.equal(socket.send(batch), 2_000)
    fake.isBlocked = true
    socket.send(batch)
    await socket.close()
    t.ok(fake.isClosed, 'closing waits for the queue within a bound')
  }
})

t.test('where the system refuses 4 MB of buffer, less is asked for; an error of the socket is counted', async t => {
  const fake = new FakeSocket()
  fake.bufferMax = 1_000_000
  const socket = await open('127.0.0.1', 0, fake)
  t.equal(socket.receiveBuffer, 512 * 1024)
  fake.emit('error', new Error('ICMP'))
  t.equal(socket.counters()['socket:errors'], 1)
  await socket.close()
})

t.test('datagrams of one turn come as one batch, a full batch at once', async t => {
  const batches: string[][] = []
  const inbox = new Inbox(batch => batches.push(batch.data.slice(0, batch.count).map(String)))
  for (let i = 0; i < 300; i++) inbox.take(Buffer.from(`${i}`), NOWHERE)
  t.equal(batches.length, 1)
  await turnEnd()
  t.strictSame(
    batches.map(batch => batch.length),
    [256, 44],
  )
  t.equal(batches[1]![43], '299')
})

t.test('a source that cannot be answered is refused, and nothing comes after closing', async t => {
  let count = 0
  const inbox = new Inbox(batch => {
    count += batch.count
  })
  inbox.take(Buffer.from('x'), { address: '127.0.0.1', port: 0 })
  inbox.take(Buffer.from('x'), { address: 'fe80::1%eth0', port: 5000 })
  t.equal(inbox.refused, 2)
  inbox.take(Buffer.from('x'), NOWHERE)
  inbox.close()
  inbox.take(Buffer.from('x'), NOWHERE)
  await turnEnd()
  t.equal(count, 0)
})

/** A node:dgram of which a test says what the kernel does. It keeps the very memory that it was given. */
class FakeSocket extends EventEmitter {
  bindError: string | undefined
  bufferMax = Number.POSITIVE_INFINITY
  isBlocked = false
  isClosed = false
  #queued = 0
  #sent: Uint8Array[] = []
  #buffer = 0

  bind(): void {
    if (this.bindError === undefined) this.emit('listening')
    else this.emit('error', Object.assign(new Error(this.bindError), { code: this.bindError }))
  }
  address(): Endpoint {
    return NOWHERE
  }
  send(memory: Uint8Array, offset: number, length: number): void {
    this.#sent.push(memory.subarray(offset, offset + length))
    if (this.isBlocked) this.#queued++
  }
  getSendQueueCount(): number {
    return this.#queued
  }
  setRecvBufferSize(size: number): void {
    if (size > this.bufferMax) throw new Error('ENOBUFS')
    this.#buffer = size
  }
  setSendBufferSize(size: number): void {
    this.setRecvBufferSize(size)
  }
  getRecvBufferSize(): number {
    return this.#buffer
  }
  getSendBufferSize(): number {
    return this.#buffer
  }
  close(): void {
    this.isClosed = true
    this.emit('close')
  }
  drain(): void {
    this.#queued = 0
    this.#sent = []
  }
  texts(): string[] {
    return this.#sent.map(octets => Buffer.from(octets).toString())
  }
}

function open(address: string, port = 0, fake?: FakeSocket): Promise<Socket> {
  const module = fake && ({ createSocket: () => fake as unknown as dgram.Socket } as unknown as DgramModule)
  return openDgramSocket({ address, port, onReceive: () => {} }, module)
}

interface Received {
  readonly data: Buffer
  readonly from: Endpoint
}

async function openReceiver(address: string, count: number) {
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
  return { receiver: await openDgramSocket({ address, port: 0, onReceive }), received }
}

function push(batch: SendBatch, to: Endpoint, head: string, payload?: Uint8Array, offset = 0, length?: number): void {
  batch.head.set(Buffer.from(head))
  batch.push(to, head.length, payload, offset, length ?? payload?.length)
}

function turnEnd(): Promise<void> {
  return new Promise(resolve => setImmediate(() => setImmediate(resolve)))
}
