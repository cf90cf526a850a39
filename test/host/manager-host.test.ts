import t from 'tap'
import type { Effect, HostEvent } from '../../src/host/contract.js'
import { ControlQueue } from '../../src/host/control-queue.js'
import { ManagerHost } from '../../src/host/manager-host.js'
import type { MembershipEvent } from '../../src/membership/event.js'
import { DIGESTS } from '../../src/sim/digests.js'
import { SeededRandom } from '../../src/sim/random.js'
import { instant, sequence } from '../../src/units.js'
import { ReceiveBatch, SendBatch } from '../../src/wire/batch.js'
import { decode } from '../../src/wire/decode.js'
import { encode } from '../../src/wire/encode.js'
import { REASON } from '../../src/wire/layout.js'
import type { Malformed, Message } from '../../src/wire/message.js'

const HOME = { address: '127.0.0.1', port: 4000 }

t.test('a peer registers with a manager host by datagrams, and the change is reported', async t => {
  const { host, effects, turn } = start()
  const [cookie] = turn(0, { kind: 'hello', session: 7n, padding: 25, sequence: sequence(1) })
  if (cookie?.kind !== 'cookie') throw new Error('no cookie')
  const register = { kind: 'register', session: 7n, sequence: sequence(2), ttl: 0, offers: [] } as const
  const answers = turn(1, { ...register, cookie: cookie.cookie })
  t.match(answers, [
    { kind: 'registered', peer: 1 },
    { kind: 'list', version: 1, entries: [{ port: 4000 }] },
  ])
  t.match(effects, [{ kind: 'report', event: { kind: 'list', joined: [{ peer: 1 }] } }])
  t.equal(host.deadline(), 251, 'the snapshot is not acknowledged')
  t.match(host.counters(), { 'received.hello': 1, 'received.register': 1, 'sent.cookie': 1, 'sent.list': 1 })
})

t.test('malformed datagrams are counted by reason and dropped', async t => {
  const { host } = start()
  const batch = new ReceiveBatch(4)
  batch.push(new Uint8Array(3), HOME)
  batch.push(new Uint8Array(40), HOME)
  host.receive(batch, instant(0), [])
  t.match(host.counters(), { 'malformed.short-header': 1, 'malformed.version': 1 })
  const sent = new SendBatch(4)
  host.fill(sent)
  t.equal(sent.count, 0)
})

t.test('stop says goodbye to the members and reports the end once', async t => {
  const { host, effects, turn } = start()
  const [cookie] = turn(0, { kind: 'hello', session: 7n, padding: 25, sequence: sequence(1) })
  if (cookie?.kind !== 'cookie') throw new Error('no cookie')
  const register = { kind: 'register', session: 7n, sequence: sequence(2), ttl: 0, offers: [] } as const
  turn(1, { ...register, cookie: cookie.cookie })
  effects.length = 0
  host.step({ kind: 'stop' }, instant(10), effects)
  t.match(sentBy(host), [{ kind: 'goodbye', reason: REASON.MANAGER_CLOSING }])
  t.strictSame(effects, [])
  turn(20, { kind: 'goodbye', session: 7n, sequence: sequence(3), ack: true, reason: REASON.MANAGER_CLOSING })
  t.strictSame(effects, [{ kind: 'stopped', why: 'asked' }])
  host.step({ kind: 'tick' }, instant(30), effects)
  host.step({ kind: 'block-stored', block: 0 as never, outcome: 'stored' }, instant(30), effects)
  t.equal(effects.length, 1)
  t.equal(host.deadline(), Infinity)
})

t.test('the queue keeps the order, refuses what is too much, and counts it', async t => {
  const queue = new ControlQueue(5)
  const message = (n: number) => ({ kind: 'hello', session: 1n, padding: 25, sequence: sequence(n) }) as const
  const out = Array.from({ length: 7 }, (_, i) => ({ to: HOME, message: message(i + 1) }))
  queue.take(out)
  t.equal(out.length, 0)
  t.equal(queue.length, 5)
  const batch = new SendBatch(2)
  const order: number[] = []
  for (let i = 0; i < 4; i++) {
    queue.fill(batch)
    for (const sent of messagesIn(batch)) order.push(sent.kind === 'malformed' ? 0 : sent.sequence)
    batch.clear()
    if (i === 1) queue.take([{ to: HOME, message: message(9) }])
  }
  t.strictSame(order, [1, 2, 3, 4, 5, 9])
  t.strictSame(queue.counters.all(), { 'dropped.queue-full': 2, 'sent.hello': 6 })
})

t.test('an event of membership is an event of a host, as it is', async t => {
  const event: MembershipEvent = { kind: 'refused', code: 3 }
  const same: HostEvent = event satisfies HostEvent
  t.equal(same, event)
})

function start() {
  const host = new ManagerHost({ random: new SeededRandom(1, 'host'), digests: DIGESTS })
  const effects: Effect[] = []
  const turn = (now: number, message: Message): (Message | Malformed)[] => {
    const memory = new Uint8Array(1_200)
    const batch = new ReceiveBatch(1)
    batch.push(memory.subarray(0, encode(message, memory)), HOME)
    host.receive(batch, instant(now), effects)
    return sentBy(host)
  }
  return { host, effects, turn }
}

function sentBy(host: ManagerHost): (Message | Malformed)[] {
  const batch = new SendBatch(16)
  host.fill(batch)
  return messagesIn(batch)
}

function messagesIn(batch: SendBatch): (Message | Malformed)[] {
  return Array.from({ length: batch.count }, (_, i) => decode(batch.heads[i]!.subarray(0, batch.headLengths[i])))
}
