// What every kind of socket does, over each that this machine has.
import t from 'tap'
import type { Endpoint } from '../../src/endpoint.js'
import { PortError, UsageError } from '../../src/errors.js'
import { chooseSocket } from '../../src/shell/sockets/choose.js'
import { longestDatagram } from '../../src/shell/sockets/interface-mtu.js'
import type { OpenSocket, SocketKind } from '../../src/shell/sockets/socket.js'
import { SendBatch } from '../../src/wire/batch.js'
import { openReceiver, push } from './datagrams.js'

const NOWHERE: Endpoint = { address: '127.0.0.1', port: 9 }
const KINDS: readonly SocketKind[] = ['dgram', 'batched']

t.test(
  'datagrams are as long as the interface carries, but where fragments can not be forbidden only on loopback',
  async t => {
    const interfaces = {
      lo: [
        { address: '127.0.0.1', internal: true },
        { address: '::1', internal: true },
      ],
      eth0: [{ address: '10.0.0.1', internal: false }],
      jumbo0: [
        { address: '10.0.1.1', internal: false },
        { address: 'fd00::1', internal: false },
      ],
      tunnel0: [{ address: '10.0.2.1', internal: false }],
      unknown0: [{ address: '10.0.3.1', internal: false }],
    }
    const mtus: Readonly<Record<string, number>> = { lo: 65_536, eth0: 1_500, jumbo0: 9_000, tunnel0: 1_400 }
    const longest = (address: string, kind: SocketKind) =>
      longestDatagram(address, kind, interfaces, name => mtus[name])
    for (const [address, batched, dgram] of [
      ['127.0.0.1', 65_507, 65_507],
      ['127.0.0.2', 65_507, 65_507],
      ['::1', 65_488, 65_488],
      ['10.0.0.1', 1_472, 1_472],
      ['10.0.1.1', 8_972, 1_472],
      ['fd00::1', 8_952, 1_452],
      ['10.0.2.1', 1_372, 1_372],
      ['10.0.3.1', 1_472, 1_472],
      ['10.0.4.1', 1_472, 1_472],
      ['0.0.0.0', 8_972, 1_372],
    ] as const) {
      t.equal(longest(address, 'batched'), batched, address)
      t.equal(longest(address, 'dgram'), dgram, address)
    }
  },
)

for (const kind of KINDS) {
  for (const address of ['127.0.0.1', '::1']) {
    t.test(`${kind}: heads and payloads arrive whole at ${address}, in batches`, async (t): Promise<unknown> => {
      const open = await opener(kind, address)
      if (open === undefined) return t.pass('not on this machine')
      const { receiver, received } = await openReceiver(open, address, 3)
      const sender = await open({ address, port: 0, onReceive: () => {} })
      t.equal(sender.kind, kind)
      const batch = new SendBatch(4)
      push(batch, receiver.local, 'head', Buffer.from('..payload..'), 2, 7)
      push(batch, receiver.local, 'alone')
      push(batch, receiver.local, '', new Uint8Array(60_000))
      t.equal(sender.send(batch), 3)
      const got = await received
      t.strictSame(
        got.map(({ data }) => data.length),
        [11, 5, 60_000],
      )
      t.equal(got[0]!.data.toString(), 'headpayload')
      t.strictSame(got[0]!.from, sender.local)
      await Promise.all([sender.close(), receiver.close()])
    })

    t.test(
      `${kind}: hundreds of datagrams of few sizes arrive whole and in order at ${address}`,
      async (t): Promise<unknown> => {
        const open = await opener(kind, address)
        if (open === undefined) return t.pass('not on this machine')
        const sizes = Array.from({ length: 200 }, (_, i) => (i % 46 === 45 ? 556 : 1_444))
        const { receiver, received } = await openReceiver(open, address, sizes.length)
        const sender = await open({ address, port: 0, onReceive: () => {} })
        const batch = new SendBatch(sizes.length)
        for (const [i, size] of sizes.entries()) push(batch, receiver.local, `${i}`, new Uint8Array(size).fill(i))
        t.equal(sender.send(batch), sizes.length)
        for (const [i, { data }] of (await received).entries()) {
          t.ok(data.equals(Buffer.concat([Buffer.from(`${i}`), Buffer.alloc(sizes[i]!, i)])), `datagram ${i}`)
        }
        await Promise.all([sender.close(), receiver.close()])
      },
    )
  }

  t.test(`${kind}: the buffers granted are told, and closing twice is no error`, async (t): Promise<unknown> => {
    const open = await opener(kind, '127.0.0.1')
    if (open === undefined) return t.pass('not on this machine')
    const socket = await open({ address: '127.0.0.1', port: 0, onReceive: () => {} })
    t.ok(socket.receiveBuffer >= 200_000)
    t.ok(socket.sendBuffer >= 65_507)
    t.equal(socket.maxDatagram, 65_507)
    t.not(socket.local.port, 0)
    t.equal(socket.isFull, false)
    await Promise.all([socket.close(), socket.close()])
    const batch = new SendBatch(1)
    push(batch, NOWHERE, 'late')
    t.equal(socket.send(batch), 0)
  })

  t.test(`${kind}: what cannot be sent is lost and does not throw`, async (t): Promise<unknown> => {
    const open = await opener(kind, '127.0.0.1')
    if (open === undefined) return t.pass('not on this machine')
    const socket = await open({ address: '127.0.0.1', port: 0, onReceive: () => {} })
    const batch = new SendBatch(2)
    push(batch, { address: '127.0.0.1', port: 0 }, 'no port')
    push(batch, { address: '::1', port: 9 }, 'other family')
    socket.send(batch)
    t.ok(socket.counters()['socket:send-lost']! >= 1)
    await socket.close()
  })

  t.test(`${kind}: a port that cannot be had is a PortError that says so`, async (t): Promise<unknown> => {
    const open = await opener(kind, '127.0.0.1')
    if (open === undefined) return t.pass('not on this machine')
    const at = (address: string, port = 0) => open({ address, port, onReceive: () => {} })
    const first = await at('127.0.0.1')
    const { port } = first.local
    await t.rejects(at('127.0.0.1', port), { constructor: PortError, message: `port ${port} is in use; pick another` })
    await first.close()
    await t.rejects(at('192.0.2.1'), { constructor: PortError, message: '192.0.2.1 is not an address of this host' })
  })

  t.test(
    `${kind}: a source that cannot be answered is refused, and nothing comes after closing`,
    async (t): Promise<unknown> => {
      const open = await opener(kind, '127.0.0.1')
      if (open === undefined) return t.pass('not on this machine')
      let count = 0
      const receiver = await open({ address: '127.0.0.1', port: 0, onReceive: batch => (count += batch.count) })
      const sender = await open({ address: '127.0.0.1', port: 0, onReceive: () => {} })
      const batch = new SendBatch(1)
      push(batch, receiver.local, 'x')
      sender.send(batch)
      await receiver.close()
      await sender.close()
      t.equal(count, 0)
    },
  )
}

async function opener(kind: SocketKind, address: string): Promise<OpenSocket | undefined> {
  try {
    return (await chooseSocket(address, kind)).open
  } catch (error) {
    if (error instanceof UsageError) return undefined
    throw error
  }
}
