import type dgram from 'node:dgram'
import t from 'tap'
import type { Endpoint } from '../../src/endpoint.js'
import { PortError } from '../../src/errors.js'
import { type DgramModule, openDgramSocket } from '../../src/shell/sockets/dgram.js'
import { Inbox } from '../../src/shell/sockets/inbox.js'
import type { Socket } from '../../src/shell/sockets/socket.js'
import { SendBatch } from '../../src/wire/batch.js'
import { push } from './datagrams.js'
import { FakeSocket } from './fake-dgram.js'

const NOWHERE: Endpoint = { address: '127.0.0.1', port: 9 }

t.test('whatever else a port can not be had for is told too', async t => {
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

function open(address: string, port = 0, fake?: FakeSocket): Promise<Socket> {
  const module = fake && ({ createSocket: () => fake as unknown as dgram.Socket } as unknown as DgramModule)
  return openDgramSocket({ address, port, onReceive: () => {} }, module)
}

function turnEnd(): Promise<void> {
  return new Promise(resolve => setImmediate(() => setImmediate(resolve)))
}
