// Batched sockets where the system refuses: its answers are put in between, the rest is real.
import { constants } from 'node:os'
import t from 'tap'
import type { Endpoint } from '../../src/endpoint.js'
import { type BatchedSocket, openBatchedSocket } from '../../src/shell/sockets/batched.js'
import { chooseSocket } from '../../src/shell/sockets/choose.js'
import { openExactTimer } from '../../src/shell/sockets/exact-timer.js'
import { inspectSockets } from '../../src/shell/sockets/inspection.js'
import { type Libc, loadLibc } from '../../src/shell/sockets/libc.js'
import { NativeMemory } from '../../src/shell/sockets/native-memory.js'
import { prove } from '../../src/shell/sockets/proof.js'
import type { SocketOptions } from '../../src/shell/sockets/socket.js'
import { KnownSources, KnownTargets, writeSocketAddress } from '../../src/shell/sockets/socket-address.js'
import { SendBatch } from '../../src/wire/batch.js'
import { openReceiver, push } from './datagrams.js'

const { EAGAIN, ECONNREFUSED, EIO, EMSGSIZE, ENOBUFS, EPERM } = constants.errno
const JOINED = { joinsSent: true, joinsReceived: true }

const loaded = await loadLibc()
if (typeof loaded === 'string') t.pass(`no batched sockets here: ${loaded}`)
else {
  const libc = loaded
  t.test('neighbours of one size to one place are one call, the last perhaps shorter', async t => {
    const sent: number[] = []
    const { sender, receiver, received } = await pair(spying(libc, sent), 10)
    const other: Endpoint = { address: '127.0.0.1', port: 9 }
    const batch = new SendBatch(16)
    for (const size of [900, 900, 900, 300, 900, 900, 1_000]) push(batch, receiver.local, '', new Uint8Array(size))
    push(batch, other, '', new Uint8Array(1_000))
    for (const size of [1_000, 1_000, 1_000]) push(batch, receiver.local, '', new Uint8Array(size))
    t.equal(sender.send(batch), 11)
    t.strictSame(sent, [3_000, 1_800, 1_000, 1_000, 3_000])
    t.strictSame(
      (await received).map(({ data }) => data.length),
      [900, 900, 900, 300, 900, 900, 1_000, 1_000, 1_000, 1_000],
    )
    await close(sender, receiver)
  })

  t.test('an interface that takes no segments gets single datagrams from then on', async t => {
    let refusals = 0
    const refusing = answering(
      libc,
      calls => (calls === 1 ? EIO : undefined),
      () => refusals++,
    )
    const { sender, receiver, received } = await pair(refusing, 3)
    const batch = batchTo(receiver.local, 3, 700)
    t.equal(sender.send(batch), 3)
    t.equal((await received).length, 3)
    t.equal(refusals, 1)
    t.equal(sender.joins, false)
    await close(sender, receiver)
  })

  t.test('each refusal is counted by its name, and the others leave', async t => {
    for (const [error, name] of [
      [EMSGSIZE, 'too-large'],
      [ENOBUFS, 'no-buffers'],
      [EPERM, 'EPERM'],
    ] as const) {
      const { sender, receiver, received } = await pair(
        answering(libc, calls => (calls === 1 ? error : undefined)),
        1,
      )
      const batch = batchTo(receiver.local, 1, 700)
      push(batch, receiver.local, '', new Uint8Array(800))
      t.equal(sender.send(batch), 1)
      t.equal((await received)[0]!.data.length, 800)
      t.match(sender.counters(), { 'socket:send-lost': 1, [`socket:send-${name}`]: 1 })
      await close(sender, receiver)
    }
  })

  t.test('news of an earlier datagram does not cost the one that is being sent', async t => {
    const { sender, receiver, received } = await pair(
      answering(libc, calls => (calls === 1 ? ECONNREFUSED : undefined)),
      1,
    )
    t.equal(sender.send(batchTo(receiver.local, 1, 10)), 1)
    t.equal((await received).length, 1)
    await close(sender, receiver)
  })

  t.test('what the system has no room for waits, in memory of its own, and leaves when there is room', async t => {
    let isBlocked = true
    const blocked = answering(libc, calls => (isBlocked && calls > 1 ? EAGAIN : undefined))
    let rooms = 0
    const { sender, receiver, received } = await pair(blocked, 3, { onRoom: () => rooms++ })
    const memory = new Uint8Array(600).fill(7)
    const batch = new SendBatch(3)
    for (const size of [500, 550, 600]) push(batch, receiver.local, '', memory, 0, size)
    t.equal(sender.send(batch), 3)
    t.equal(sender.isFull, true)
    memory.fill(9)
    t.equal(sender.send(batchTo(receiver.local, 1, 5)), 0, 'more is lost, and the driver knows by isFull')
    isBlocked = false
    const got = await received
    t.ok(got.every(({ data }) => data.every(octet => octet === 7)))
    t.strictSame([sender.isFull, rooms], [false, 1])
    await close(sender, receiver)
  })

  t.test('a socket that stays blocked closes all the same', async t => {
    const { sender, receiver } = await pair(
      answering(libc, () => EAGAIN),
      1,
    )
    sender.send(batchTo(receiver.local, 1, 10))
    t.equal(sender.isFull, true)
    await close(sender, receiver)
    t.equal(sender.send(batchTo(receiver.local, 1, 10)), 0)
  })

  t.test('a system without joining is found at the start, and one without sockets too', async t => {
    t.match(await prove(libc, 4), { kind: 'works', batching: JOINED, remark: undefined })
    const noSegments = answering(libc, calls => (calls === 1 ? EIO : undefined))
    t.match(await prove(noSegments, 4), {
      kind: 'works',
      batching: { joinsSent: false, joinsReceived: false },
      remark: /^joining datagrams does not work here/,
    })
    t.match(await prove({ ...libc, sendmsg: () => -1, errno: () => EPERM }, 4), { kind: 'fails', why: /EPERM/ })
    t.match(await prove({ ...libc, socket: () => -1, errno: () => EPERM }, 4), {
      kind: 'fails',
      why: /can't be used: EPERM/,
    })
    t.match(await prove({ ...libc, recvmsg: () => -1, errno: () => EAGAIN }, 4), {
      kind: 'fails',
      why: /0 of 6 datagrams/,
    })
  })

  t.test('an exact timer rings once, on time, and not when it was cleared', async t => {
    const rings: number[] = []
    await new Promise<void>(resolve => {
      const start = performance.now()
      const timer = openExactTimer(libc, () => {
        rings.push(performance.now() - start)
        timer?.clear()
        timer?.close()
        timer?.close()
        resolve()
      })
      timer?.set(100)
      timer?.clear()
      timer?.clear()
      timer?.set(0.3)
    })
    t.equal(rings.length, 1)
    t.ok(rings[0]! >= 0.3 && rings[0]! < 50, `${rings[0]} ms`)
  })

  t.test(
    'sources are one object each, and IPv6 addresses that mean something on one link alone are refused',
    async t => {
      const memory = new NativeMemory(libc, 28)
      const sources = new KnownSources()
      const read = (endpoint: Endpoint) => {
        writeSocketAddress(memory, 0, endpoint, endpoint.address.includes(':') ? 6 : 4)
        return sources.read(memory, 0)
      }
      const [a, b] = [
        { address: '192.0.2.1', port: 5_000 },
        { address: '2001:db8::1', port: 65_535 },
      ]
      t.strictSame([read(a), read(b)], [a, b])
      t.equal(read(a), read(a))
      for (let port = 1; port < 5_000; port++) read({ address: '192.0.2.9', port })
      t.strictSame(read(b), b)
      const many = Array.from({ length: 40 }, (_, i) => ({
        address: i % 2 === 0 ? '192.0.2.7' : '2001:db8::7',
        port: 1 + i,
      }))
      const known = many.map(read)
      t.strictSame(known, many)
      for (const [i, source] of many.entries()) t.equal(read(source), known[i])
      t.equal(read({ address: '192.0.2.1', port: 0 }), undefined)
      writeSocketAddress(memory, 0, { address: 'fe80::1', port: 5_000 }, 6)
      memory.setInt(24, 2)
      t.equal(sources.read(memory, 0), undefined)
      t.equal(writeSocketAddress(memory, 0, a, 6), 0)
    },
  )

  t.test('an address that is known is written as it was the first time', async t => {
    const [memory, expected] = [new NativeMemory(libc, 28), new NativeMemory(libc, 28)]
    const targets = new KnownTargets(memory, 4)
    const ends = [1, 2, 3].map(i => ({ address: `192.0.2.${i}`, port: 5_000 + i }))
    for (const to of [...ends, ...ends]) {
      t.equal(targets.write(to), writeSocketAddress(expected, 0, to, 4))
      t.strictSame(memory.octets.subarray(0, 16), expected.octets.subarray(0, 16))
    }
    const nowhere = { address: '192.0.2.1', port: 0 }
    const other = { address: '2001:db8::1', port: 1 }
    t.strictSame(
      [nowhere, other, nowhere, other].map(to => targets.write(to)),
      [0, 0, 0, 0],
    )
  })

  t.test('the inspection says what there is', async t => {
    const found = await inspectSockets()
    t.match(found, { ipv4: { kind: 'works' }, hasExactTimer: true })
    t.ok(found.receiveBuffer >= 200_000)
    t.ok(found.interfaces.some(({ addresses, mtu }) => addresses.includes('127.0.0.1') && mtu !== undefined))
  })
}

t.test('dgram is had where it is asked for', async t => {
  const { open, remark } = await chooseSocket('127.0.0.1', 'dgram')
  const socket = await open({ address: '127.0.0.1', port: 0, onReceive: () => {} })
  t.strictSame([socket.kind, remark], ['dgram', undefined])
  await socket.close()
})

/** @param answer the error of the n-th sendmsg; undefined: it is sent */
function answering(libc: Libc, answer: (calls: number) => number | undefined, onRefusal?: () => void): Libc {
  let calls = 0
  let error: number | undefined
  return {
    ...libc,
    sendmsg(fd, message, flags) {
      error = answer(++calls)
      if (error === undefined) return libc.sendmsg(fd, message, flags)
      onRefusal?.()
      return -1
    },
    recvmsg(fd, message, flags) {
      error = undefined
      return libc.recvmsg(fd, message, flags)
    },
    errno: () => error ?? libc.errno(),
  }
}

/** @param sent gets the octets of each call */
function spying(libc: Libc, sent: number[]): Libc {
  return {
    ...libc,
    sendmsg(fd, message, flags) {
      const octets = libc.sendmsg(fd, message, flags)
      if (octets > 0) sent.push(octets)
      return octets
    },
  }
}

/** A sender over `libc`, and a receiver over the real one that waits for `count` datagrams. */
async function pair(libc: Libc, count: number, options: Partial<SocketOptions> = {}) {
  const address = '127.0.0.1'
  const open = async (given: SocketOptions) => openBatchedSocket(loaded as Libc, JOINED, given)
  const { receiver, received } = await openReceiver(open, address, count)
  const sender = openBatchedSocket(libc, JOINED, { address, port: 0, onReceive: () => {}, ...options })
  return { sender, receiver, received }
}

async function close(...sockets: readonly Pick<BatchedSocket, 'close'>[]): Promise<void> {
  await Promise.all(sockets.map(socket => socket.close()))
}

function batchTo(to: Endpoint, count: number, size: number): SendBatch {
  const batch = new SendBatch(count + 1)
  for (let i = 0; i < count; i++) push(batch, to, '', new Uint8Array(size))
  return batch
}
