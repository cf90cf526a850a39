import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { leafHash } from '../../src/content/tree.js'
import { PortError } from '../../src/errors.js'
import type { Effect, Host, HostEvent } from '../../src/host/contract.js'
import { Alarm } from '../../src/shell/alarm.js'
import { now } from '../../src/shell/clock.js'
import { Driver, type DriverOptions } from '../../src/shell/driver.js'
import { systemDigests as digests, systemRandom } from '../../src/shell/entropy.js'
import { SendRate } from '../../src/shell/send-rate.js'
import { openShared } from '../../src/shell/shared-file.js'
import { openDgramSocket } from '../../src/shell/sockets/dgram.js'
import { Target } from '../../src/shell/target.js'
import { after, blockIndex, type Instant, instant, NEVER } from '../../src/units.js'
import { BLOCK_BYTES } from '../../src/wire/layout.js'
import { ScriptedHost } from './scripted-host.js'

t.test('the first turn comes after opening; a stop ends everything', async t => {
  const host = new ScriptedHost()
  const driver = await open(host)
  t.strictSame(host.log, [])
  host.on('tick', () => driver.stop())
  host.on('stop', effects => effects.push({ kind: 'stopped', why: 'asked' }))
  t.equal(await driver.done, 'asked')
  t.strictSame(host.log, ['tick', 'stop'])
  t.equal(await driver.stop(), 'asked')
  t.match(driver.counters(), { scripted: 1, 'socket:send-lost': 0 })
})

t.test('datagrams go from one host to another, and the last ones leave before the socket closes', async t => {
  const sender = new ScriptedHost()
  const receiver = new ScriptedHost()
  const to = await open(receiver)
  const from = await open(sender)
  sender.on('tick', effects => {
    // More than one batch holds: fill is called until nothing is left.
    for (let i = 0; i < 150; i++) sender.outbox.push([to.local, `datagram ${i}`])
    effects.push({ kind: 'stopped', why: 'ttl-ended' })
  })
  receiver.onDatagrams = effects => {
    if (receiver.inbox.length === 150) effects.push({ kind: 'stopped', why: 'collected' })
  }
  t.equal(await from.done, 'ttl-ended')
  t.equal(await to.done, 'collected')
  t.equal(receiver.inbox[149], 'datagram 149')
})

t.test('effects are performed in order, and what they bring comes in later turns', async t => {
  const host = new ScriptedHost()
  const seen: string[] = []
  const data = Uint8Array.of(1, 2, 3)
  const target = await Target.at(join(t.testdir(), 'out'))
  const driver = await open(host, { disk: { digests, target }, onEvent: event => seen.push(nameOf(event)) })
  host.on('tick', effects => {
    const leaf = leafHash(digests, Uint8Array.of(1, 2, 4))
    effects.push(report('first'), { kind: 'store-block', block: blockIndex(7), data, leaf }, report('second'))
  })
  host.on('block-stored', (effects, input) => {
    seen.push('stored')
    t.strictSame(input, { kind: 'block-stored', block: 7, outcome: 'bad' })
    effects.push({ kind: 'stopped', why: 'asked' })
  })
  await driver.done
  t.strictSame(seen, ['first', 'second', 'stored'])
})

t.test('what is due is sent before anyone hears of the turn', async t => {
  const host = new ScriptedHost()
  const waiting: number[] = []
  const driver = await open(host, { onEvent: () => waiting.push(host.outbox.length) })
  host.on('tick', effects => {
    host.outbox.push([driver.local, 'something'])
    effects.push(report('now'), { kind: 'stopped', why: 'asked' })
  })
  await driver.done
  t.strictSame(waiting, [0])
})

t.test('a listener may stop the node in the middle of a turn', async t => {
  const host = new ScriptedHost()
  const driver = await open(host, { onEvent: () => void driver.stop() })
  host.on('tick', effects => effects.push(report('now'), report('again')))
  host.on('stop', effects => effects.push({ kind: 'stopped', why: 'asked' }))
  await driver.done
  t.strictSame(host.log, ['tick', 'stop'])
  t.equal(host.nested, 0)
})

t.test('blocks are read, written and finished, each answered by an input', async t => {
  const folder = t.testdir({ shared: 'some octets' })
  const out = join(folder, 'out')
  const host = new ScriptedHost()
  const driver = await open(host, {
    disk: { digests, files: [await openShared(join(folder, 'shared'), digests)], target: await Target.at(out) },
  })
  const block = blockIndex(0)
  host.on('tick', effects => effects.push({ kind: 'prepare-target', size: 11, keep: false }))
  host.on('target-ready', effects =>
    effects.push({ kind: 'read-block', file: 0, block, check: 'times', into: new Uint8Array(BLOCK_BYTES) }),
  )
  host.on('block-read', (effects, input) => {
    if (input.kind !== 'block-read') return
    effects.push({ kind: 'store-block', block, data: input.data!, leaf: leafHash(digests, input.data!) })
  })
  host.on('block-stored', effects => effects.push({ kind: 'finish-target' }))
  host.on('target-finished', (effects, input) => {
    t.strictSame(input, { kind: 'target-finished', error: undefined })
    effects.push({ kind: 'stopped', why: 'collected' })
  })
  await driver.done
  t.equal(readFileSync(out, 'utf8'), 'some octets')
})

t.test('what a disk refuses comes back as words; what was begun ends before the files close', async t => {
  const folder = t.testdir({ shared: 'some octets', 'out.part': {} })
  const file = await openShared(join(folder, 'shared'), digests)
  const host = new ScriptedHost()
  const target = await Target.at(join(folder, 'out'))
  const driver = await open(host, { disk: { digests, files: [file], target } })
  host.on('tick', effects => effects.push({ kind: 'prepare-target', size: 11, keep: false }))
  host.on('target-ready', (effects, input) => {
    t.match(input, { error: /^can't write .*out\.part: it is a folder$/ })
    const read: Effect = {
      kind: 'read-block',
      file: 0,
      block: blockIndex(0),
      check: 'hash',
      into: new Uint8Array(BLOCK_BYTES),
    }
    effects.push(read, { kind: 'stopped', why: 'asked' })
  })
  await driver.done
  t.strictSame(host.log, ['tick', 'target-ready'], 'nothing reaches a host that has stopped')
  t.strictSame(await file.readBlocks(blockIndex(0), [new Uint8Array(BLOCK_BYTES)], 'hash'), ['unreadable: file closed'])
})

t.test('a host is ticked when its deadline has come, and not before for long', async t => {
  const host = new ScriptedHost()
  const driver = await open(host)
  const start = now()
  let ticks = 0
  host.on('tick', (effects, _, at) => {
    if (host.due === NEVER) host.due = after(at, 20)
    ticks++
    if (at >= host.due) effects.push({ kind: 'stopped', why: 'asked' })
  })
  await driver.done
  t.ok(now() - start >= 20)
  t.ok(ticks <= 4, `${ticks} ticks`)
})

t.test('a port in use is told by who opens the driver', async t => {
  const host = new ScriptedHost()
  const first = await open(host)
  const again = { openSocket: openDgramSocket, address: '127.0.0.1', port: first.local.port, disk: { digests } }
  await t.rejects(Driver.open({ ...again, makeHost: () => host }), { constructor: PortError, name: 'PortError' })
  host.on('stop', effects => effects.push({ kind: 'stopped', why: 'asked' }))
  await first.stop()
})

t.test('an alarm rings once, for the instant set last, and not before it when exact', async t => {
  const rings: Instant[] = []
  await new Promise<void>(resolve => {
    const alarm = new Alarm(() => {
      rings.push(now())
      resolve()
    })
    alarm.set(after(now(), 1_000_000), false)
    alarm.set(NEVER, false)
    const soon = after(now(), 0.5)
    alarm.set(soon, true)
    alarm.set(soon, true)
    rings.push(soon)
  })
  t.equal(rings.length, 2)
  t.ok(rings[1]! >= rings[0]!)
})

t.test('a send rate is fast above 200 Mbit/s, and fades', async t => {
  const rate = new SendRate()
  for (let i = 0; i < 20; i++) rate.add(20_000, instant(i))
  t.notOk(rate.isFast)
  for (let i = 20; i < 40; i++) rate.add(40_000, instant(i))
  t.ok(rate.isFast)
  rate.add(0, instant(50))
  t.notOk(rate.isFast)
})

t.test('random numbers are whole, below 2^32, and do not come again with the next pool', async t => {
  const random = systemRandom()
  const numbers = Array.from({ length: 3_000 }, () => random.u32())
  t.ok(numbers.every(n => Number.isInteger(n) && n >= 0 && n < 2 ** 32))
  t.ok(new Set(numbers).size > 2_900)
})

t.test('the keyed hash is HMAC-SHA256', async t => {
  // RFC 4231, test case 2, in two parts.
  const mac = digests.hmac(Buffer.from('Jefe'), Buffer.from('what do ya want '), Buffer.from('for nothing?'))
  t.equal(Buffer.from(mac).toString('hex'), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
})

function open(host: Host, options: Partial<DriverOptions> = {}): Promise<Driver> {
  const defaults = { openSocket: openDgramSocket, address: '127.0.0.1', port: 0, disk: { digests } }
  return Driver.open({ ...defaults, makeHost: () => host, ...options })
}

function report(name: string): Effect {
  return { kind: 'report', event: { kind: 'trace', name, fields: {} } }
}

function nameOf(event: HostEvent): string {
  return event.kind === 'trace' ? event.name : event.kind
}
