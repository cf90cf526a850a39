import fc from 'fast-check'
import t from 'tap'
import type { Manager } from '../../src/membership/manager.js'
import { type Instant, instant, sequence } from '../../src/units.js'
import { encodedSize } from '../../src/wire/encode.js'
import { ERROR_CODE, HEADER_BYTES, REASON } from '../../src/wire/layout.js'
import type { Cookie, Message, Offer } from '../../src/wire/message.js'
import type { Outgoing } from '../../src/wire/outgoing.js'
import { Desk, HOME } from './desk.js'
import { offerOf, Pipe, type Station, sessionsOn } from './pipe.js'

t.test('HELLO is answered by a cookie of the same size, and nothing is kept', async t => {
  const desk = new Desk()
  const hello = { kind: 'hello', session: 7n, padding: 25 } as const
  const [answer] = desk.hear(hello, 0)
  t.equal(answer?.kind, 'cookie')
  t.equal(answer?.sequence, desk.last)
  t.equal(encodedSize(answer!), encodedSize({ ...hello, sequence: sequence(1) }))
  t.equal(desk.manager.deadline(), Infinity)
  t.ok(desk.manager.isQuiet)
})

t.test('a HELLO that has room is shown the whole list, or nothing of it', async t => {
  const desk = new Desk({ coalesceBase: 0, coalescePerMember: 0 })
  const ask = (padding: number, now: number): Cookie => {
    const [answer] = desk.hear({ kind: 'hello', session: 7n, padding }, now)
    t.ok(encodedSize(answer!) <= HEADER_BYTES + padding)
    return answer as Cookie
  }
  t.match(ask(1_186, 0), { version: 0, entries: [] }, 'there is no list yet')
  for (let n = 1; n <= 46; n++) {
    desk.join(BigInt(100 + n), n, { ...HOME, port: 4_000 + n }, n === 1 ? 20 : 0)
    // An entry takes 25 octets.
    t.equal(ask(25 + 25 * n, n).entries.length, n, `${n} fit`)
    t.equal(ask(24 + 25 * n, n).version, 0, `${n} do not fit`)
  }
  t.match(ask(1_186, 50), { version: 46, entries: [{ kind: 'present', session: 101n, port: 4_001, ttlLeft: 19_955 }] })
  desk.join(200n, 60, { ...HOME, port: 5_000 })
  t.match(ask(1_186, 61), { version: 0, entries: [] }, '47 are more than any HELLO has room for')
  desk.hear({ kind: 'goodbye', session: 200n, ack: false, reason: REASON.GOODBYE }, 70, { ...HOME, port: 5_000 })
  desk.tick(71)
  t.match(ask(1_186, 2_071), { version: 48, entries: [{ ttlLeft: 17_930 }] }, 'the time left is not older than 100 ms')
})

t.test('REGISTER is answered at once by REGISTERED and a snapshot with the new member in it', async t => {
  const desk = new Desk()
  const cookie = desk.cookieFor(7n, 0)
  const [registered, list, ...more] = desk.hear({ kind: 'register', session: 7n, cookie, ttl: 20, offers: [] }, 1)
  t.strictSame(more, [])
  t.match(registered, { kind: 'registered', session: 7n, epoch: 99n, peer: 1, ttlLeft: 20_000, heartbeat: 1_000 })
  t.match(list, { kind: 'list', version: 1, base: 0, page: 0, pages: 1 })
  t.match(list?.kind === 'list' && list.entries, [{ kind: 'present', peer: 1, session: 7n, ...HOME, ttlLeft: 20_000 }])
  t.match(desk.events, [{ kind: 'list', version: 1, joined: [{ peer: 1 }], left: [] }])
})

t.test('a cookie holds for its endpoint and session only, and for two minutes at most', async t => {
  const register = (cookie: Uint8Array, session = 7n) =>
    ({ kind: 'register', session, cookie, ttl: 0, offers: [] }) as const
  const refused = [{ kind: 'error', code: ERROR_CODE.BAD_COOKIE }]
  const desk = new Desk()
  const cookie = desk.cookieFor(7n, 59_999)
  t.match(desk.hear(register(cookie, 8n), 60_000), refused, 'another session')
  t.match(desk.hear(register(cookie), 60_000, { ...HOME, port: 4001 }), refused, 'another port')
  t.match(desk.hear(register(cookie), 60_000, { ...HOME, address: '127.0.0.2' }), refused, 'another address')
  const changed = cookie.slice()
  changed[19]! ^= 1
  t.match(desk.hear(register(changed), 60_000), refused, 'another octet')
  t.match(desk.hear(register(cookie), 120_000), refused, 'two buckets later')
  t.match(desk.hear(register(cookie), 119_999), [{ kind: 'registered' }, { kind: 'list' }], 'one bucket later')
})

t.test('no unproven datagram is answered with more octets than it has', async () => {
  const session = fc.bigInt({ min: 1n, max: 2n })
  const cookie = fc.uint8Array({ minLength: 20, maxLength: 20 })
  const question = fc.oneof(
    fc.record({ kind: fc.constant('hello' as const), session, padding: fc.integer({ min: 25, max: 1_186 }) }),
    fc.record({ kind: fc.constant('register' as const), session, cookie, ttl: fc.nat(100), offers: fc.constant([]) }),
    fc.record({
      kind: fc.constant('heartbeat' as const),
      session,
      ack: fc.boolean(),
      version: fc.nat(9),
      ttlLeft: fc.constant(0),
    }),
    fc.record({
      kind: fc.constant('goodbye' as const),
      session,
      ack: fc.boolean(),
      reason: fc.constant(REASON.GOODBYE),
    }),
    fc.record({
      kind: fc.constant('list-ack' as const),
      session,
      epoch: fc.constant(99n),
      version: fc.nat(9),
      base: fc.constant(0),
      page: fc.nat(3),
    }),
  )
  fc.assert(
    fc.property(fc.array(question), questions => {
      const desk = new Desk()
      desk.join(5n, 0, { ...HOME, port: 4444 })
      for (const message of questions) {
        const octets = encodedSize({ ...message, sequence: sequence(1) } as Message)
        const answers = desk.hear(message, 10)
        if (answers.reduce((sum, answer) => sum + encodedSize(answer), 0) > octets) return false
      }
      return true
    }),
    { numRuns: 200 },
  )
})

t.test('a REGISTER that comes again is answered again and changes nothing: not the list, not the TTL', async t => {
  const desk = new Desk()
  const cookie = desk.cookieFor(7n, 0)
  const register = { kind: 'register', session: 7n, cookie, ttl: 20, offers: [offerOf('a')] } as const
  desk.hear(register, 0)
  const answers = desk.hear(register, 5_00)
  t.match(answers[0], { kind: 'registered', peer: 1, ttlLeft: 19_500, version: 1 })
  t.equal(desk.events.length, 1)
})

t.test('new offers of the same session change the list; an older REGISTER that comes late does not', async t => {
  const desk = new Desk()
  const cookie = desk.cookieFor(7n, 0)
  const register = (offers: readonly Offer[]) => ({ kind: 'register', session: 7n, cookie, ttl: 0, offers }) as const
  desk.hear(register([]), 0)
  const late = desk.number()
  desk.hear(register([offerOf('b')]), 100)
  t.match(desk.events[1], { version: 2, joined: [], left: [], peers: [{ peer: 1, offers: [{ name: 'b' }] }] })
  desk.hear({ ...register([offerOf('a')]), sequence: late }, 200)
  t.equal(desk.events.length, 2)
})

t.test('another session from the same endpoint replaces its old self, which hears of it when it speaks', async t => {
  const desk = new Desk()
  desk.join(7n, 0)
  const old = desk.cookieFor(7n, 0)
  desk.join(8n, 100)
  t.match(desk.events[1], {
    joined: [{ peer: 2, session: 8n }],
    left: [{ peer: { peer: 1 }, reason: REASON.REPLACED }],
  })
  t.match(desk.beat(7n, 200), [{ kind: 'goodbye', session: 7n, ack: false, reason: REASON.REPLACED }])
  t.match(desk.hear({ kind: 'register', session: 7n, cookie: old, ttl: 0, offers: [] }, 300), [
    { kind: 'goodbye', session: 7n, reason: REASON.REPLACED },
  ])
  t.strictSame(sessionsOn(desk.manager.list), [8n])
})

t.test('a heartbeat is answered with the version and the TTL left; an unknown one with an error', async t => {
  const desk = new Desk()
  desk.join(7n, 0, HOME, 20)
  t.match(desk.beat(7n, 1_000, 1), [{ kind: 'heartbeat', ack: true, version: 1, ttlLeft: 19_000 }])
  t.match(desk.beat(9n, 1_000), [{ kind: 'error', session: 9n, code: ERROR_CODE.UNKNOWN_SESSION }])
  t.strictSame(desk.hear({ kind: 'heartbeat', session: 9n, ack: true, version: 1, ttlLeft: 0 }, 1_000), [])
})

t.test('who is silent for three and a half intervals is removed', async t => {
  const desk = new Desk()
  desk.join(7n, 0)
  desk.beat(7n, 1_000, 1)
  desk.tick(4_499)
  t.equal(desk.manager.list.size, 1)
  t.equal(desk.manager.deadline(), 4_500)
  t.strictSame(desk.tick(4_500), [])
  t.match(desk.events[1], { joined: [], left: [{ peer: { session: 7n }, reason: REASON.SILENT }] })
  t.match(desk.beat(7n, 4_600), [{ kind: 'error', code: ERROR_CODE.UNKNOWN_SESSION }], 'it may come back')
})

t.test('a TTL ends by the clock of the manager, and the peer is told until it confirms', async t => {
  const desk = new Desk()
  desk.join(7n, 0, HOME, 3)
  for (const at of [900, 1_800, 2_700]) desk.beat(7n, at, 1)
  t.strictSame(desk.tick(2_999), [])
  const goodbye = { kind: 'goodbye', session: 7n, ack: false, reason: REASON.TTL_ENDED }
  t.match(desk.tick(3_000), [goodbye])
  t.match(desk.events[1], { left: [{ peer: { session: 7n }, reason: REASON.TTL_ENDED }] })
  t.match(desk.tick(3_100), [goodbye])
  t.match(desk.beat(7n, 3_150), [goodbye], 'its heartbeat does not bring it back')
  t.notOk(desk.manager.isQuiet)
  desk.hear({ kind: 'goodbye', session: 7n, ack: true, reason: REASON.TTL_ENDED }, 3_200)
  t.ok(desk.manager.isQuiet)
  t.strictSame(desk.tick(9_000), [])
})

t.test('GOODBYE removes at once and is confirmed however often it comes; a late REGISTER does not undo it', async t => {
  const desk = new Desk()
  const cookie = desk.cookieFor(7n, 0)
  const register = { kind: 'register', session: 7n, cookie, ttl: 0, offers: [] } as const
  desk.hear(register, 0)
  const goodbye = { kind: 'goodbye', session: 7n, ack: false, reason: REASON.GOODBYE } as const
  for (const at of [100, 200]) t.match(desk.hear(goodbye, at), [{ kind: 'goodbye', session: 7n, ack: true }])
  t.match(desk.events[1], { left: [{ reason: REASON.GOODBYE }] })
  t.match(desk.hear(register, 300), [{ kind: 'goodbye', ack: false }])
  t.equal(desk.events.length, 2)
})

t.test('a list that is full, and an address that registers too often, get an error', async t => {
  const desk = new Desk({ peersMax: 3, registrationsBurst: 2, registrationsPerSecond: 1 })
  const at = (port: number) => ({ ...HOME, port })
  desk.join(1n, 0, at(4001))
  desk.join(2n, 0, at(4002))
  const code = (code: number) => [{ kind: 'error', code }]
  t.match(desk.join(3n, 500, at(4003)), code(ERROR_CODE.TOO_MANY_REGISTRATIONS))
  t.match(desk.join(4n, 500, { ...at(4003), address: '127.0.0.2' }), [{ kind: 'registered' }, { kind: 'list' }])
  t.match(desk.join(5n, 9_00, { ...at(4004), address: '127.0.0.3' }), code(ERROR_CODE.LIST_FULL))
  t.match(desk.join(6n, 1_000, at(4001)), [{ kind: 'registered' }, { kind: 'list' }], 'a restarted peer has its place')
})

t.test('a list whose snapshot would take too many pages is full', async t => {
  const desk = new Desk({ registrationsBurst: 5_000 })
  const offers = Array.from({ length: 4 }, (_, i) => offerOf('x'.repeat(240), i))
  let refused = 0
  for (let i = 1; i <= 2_100; i++) {
    const from = { ...HOME, port: i }
    const cookie = desk.cookieFor(BigInt(i), 0, from)
    const [answer] = desk.hear({ kind: 'register', session: BigInt(i), cookie, ttl: 0, offers }, 0, from)
    if (answer?.kind === 'error' && answer.code === ERROR_CODE.LIST_FULL) refused++
  }
  t.ok(refused > 0 && refused < 100, `${refused} refused`)
})

t.test('counting an address is given up for the one that was silent longest', async t => {
  const desk = new Desk({ registrationsBurst: 1, registrationsPerSecond: 0.001, addressesMax: 2 })
  const at = (last: number, port = 4000) => ({ address: `127.0.0.${last}`, port })
  desk.join(1n, 0, at(1))
  desk.join(2n, 1, at(2))
  desk.join(3n, 2, at(3))
  t.match(desk.join(4n, 3, at(3, 4001)), [{ kind: 'error' }])
  t.match(desk.join(5n, 4, at(1, 4001)), [{ kind: 'registered' }, { kind: 'list' }])
})

t.test('2000 peers at one address register within three seconds', async t => {
  const desk = new Desk()
  let registered = 0
  for (let i = 0; i < 2_000; i++) {
    // As members do: told to wait, they come again a second or two later.
    const at = i < 1_000 ? 0 : 2_000
    const [answer] = desk.join(BigInt(i + 1), at, { ...HOME, port: 4_000 + i })
    if (answer?.kind === 'registered') registered++
  }
  t.equal(registered, 2_000)
})

t.test('an endpoint that no list can show gets no cookie', async t => {
  const desk = new Desk()
  t.strictSame(desk.hear({ kind: 'hello', session: 7n, padding: 25 }, 0, { address: 'fe80::1%eth0', port: 4000 }), [])
  t.strictSame(desk.hear({ kind: 'hello', session: 7n, padding: 25 }, 0, { ...HOME, port: 0 }), [])
})

t.test('the first change after a quiet time goes out at once, the following ones together', async t => {
  const desk = new Desk()
  for (let i = 1; i <= 9; i++) desk.join(BigInt(i), 1_000, { ...HOME, port: 4000 + i })
  t.strictSame([...desk.manager.list.keys()], [1])
  // Window: 5 ms and half a millisecond for each of nine members.
  t.equal(desk.manager.deadline(), 1_009.5)
  const pages = desk.tick(1_009.5).filter(message => message.kind === 'list' && message.base === 1)
  t.equal(desk.manager.list.size, 9)
  t.equal(desk.events.length, 2)
  t.equal(pages.length, 0, 'nobody acknowledged version 1 yet')
  for (let i = 1; i <= 9; i++) {
    const ack = { kind: 'list-ack', session: BigInt(i), epoch: 99n, version: 1, base: 0, page: 0 } as const
    const answers = desk.hear(ack, 1_010, { ...HOME, port: 4000 + i })
    t.match(answers, [{ kind: 'list', base: 1, version: 2, pages: 1 }])
  }
})

t.test('a page that is not acknowledged comes again, later each time', async t => {
  const desk = new Desk({ silentIntervals: 100 })
  desk.join(7n, 0)
  const times: Instant[] = []
  while (times.length < 4) {
    const now = desk.manager.deadline()
    if (desk.tick(now).length > 0) times.push(now)
  }
  t.strictSame(times, [250, 750, 1_750, 3_750])
})

t.test(
  'a heartbeat with an old version brings the delta from there, or a snapshot if the log is too short',
  async t => {
    const desk = new Desk({ logChangesMax: 2 })
    const other = (i: number) => ({ ...HOME, port: 5_000 + i })
    desk.join(7n, 0)
    desk.hear({ kind: 'list-ack', session: 7n, epoch: 99n, version: 1, base: 0, page: 0 }, 1)
    for (let i = 1; i <= 3; i++) {
      desk.join(BigInt(10 + i), i * 100, other(i))
      desk.hear({ kind: 'goodbye', session: 7n, ack: true, reason: REASON.GOODBYE }, i * 100)
    }
    t.equal(desk.manager.version, 4)
    const lists = (messages: readonly Message[]) => messages.filter(message => message.kind === 'list')
    t.match(lists(desk.beat(7n, 500, 3)), [{ base: 3, version: 4, entries: [{ session: 13n }] }])
    const entries = [{ session: 7n }, { session: 11n }, { session: 12n }, { session: 13n }]
    t.match(lists(desk.beat(7n, 600, 1)), [{ base: 0, version: 4, entries }])
  },
)

t.test('the heartbeat interval grows with the members, and old members are told', async t => {
  const desk = new Desk({ heartbeatPerMember: 500 })
  desk.join(1n, 0)
  for (let i = 2; i <= 4; i++) desk.join(BigInt(i), 0, { ...HOME, port: 4000 + i })
  t.match(desk.beat(1n, 900, 1).slice(0, 2), [{ kind: 'registered', heartbeat: 2_000 }, { kind: 'heartbeat' }])
  t.match(desk.beat(1n, 1_900, 1)[0], { kind: 'heartbeat' }, 'once')
})

t.test('stop says goodbye to all, again to who does not confirm, and ends within a second', async t => {
  const desk = new Desk()
  desk.join(1n, 0)
  desk.join(2n, 0, { ...HOME, port: 4002 })
  const out: Outgoing[] = []
  desk.manager.stop(instant(10), out)
  desk.manager.stop(instant(10), out)
  t.match(out, [{ message: { kind: 'goodbye', reason: REASON.MANAGER_CLOSING } }, { message: { kind: 'goodbye' } }])
  desk.hear({ kind: 'goodbye', session: 1n, ack: true, reason: REASON.MANAGER_CLOSING }, 20)
  t.strictSame(desk.hear({ kind: 'hello', session: 3n, padding: 25 }, 30), [], 'no one joins any more')
  t.match(desk.tick(110), [{ kind: 'goodbye', session: 2n }])
  t.notOk(desk.manager.isStopped)
  desk.tick(310)
  desk.tick(710)
  t.ok(desk.manager.isStopped)
  t.equal(desk.manager.deadline(), Infinity)
  t.strictSame(desk.hear({ kind: 'hello', session: 3n, padding: 25 }, 2_000), [])
})

t.test('stop with no members, or confirmed by all, ends at once', async t => {
  const empty = new Desk()
  empty.manager.stop(instant(0), [])
  t.ok(empty.manager.isStopped)
  const desk = new Desk()
  desk.join(1n, 0)
  desk.manager.stop(instant(10), [])
  desk.hear({ kind: 'goodbye', session: 1n, ack: true, reason: REASON.MANAGER_CLOSING }, 20)
  desk.tick(20)
  t.ok(desk.manager.isStopped)
})

t.test('a snapshot of 1000 peers arrives under 20 % loss each way', async t => {
  const pipe = new Pipe({
    loss: 0.2,
    jitter: 5,
    doubled: 0.05,
    seed: seedFromEnv(3),
    settings: { heartbeatMin: 60_000 },
  })
  const desk = new Desk({}, pipe.manager)
  for (let i = 0; i < 1_000; i++) {
    const cookie = desk.cookieFor(BigInt(10_000 + i), 0, { ...HOME, port: 10_000 + i })
    const register = { kind: 'register', session: BigInt(10_000 + i), cookie, ttl: 0 } as const
    desk.hear({ ...register, offers: [offerOf('shared_file.txt')] }, 0, { ...HOME, port: 10_000 + i })
  }
  pipe.run(1_000)
  t.equal(pipe.manager.list.size, 1_000)
  const reader = pipe.addMember(4_000)
  t.ok(pipe.runUntil(() => reader.member.list.size === 1_001, 8_000))
  t.ok(pipe.burst <= 256, 'no tick sends more than the budget')
})

t.test('200 peers that join at once cost each of them the list about once', async t => {
  const pipe = new Pipe({ seed: seedFromEnv(4) })
  for (let i = 0; i < 200; i++) pipe.addMember(4_000 + i, { offers: [offerOf('shared_file.txt')] })
  t.ok(pipe.runUntil(() => everyoneSees(pipe, 200), 2_000))
  // 200 entries of 81 octets, 14 on a page: 15 pages; and the one page of the first member to begin with.
  t.ok(pipe.sent.list! <= 200 * 17, `${pipe.sent.list} LIST datagrams`)
  t.ok(pipe.manager.version <= 3, `${pipe.manager.version} versions`)
  for (const kind of ['hello', 'cookie', 'register', 'registered']) t.equal(pipe.sent[kind], 200, kind)
  t.ok(pipe.burst <= 256)
})

/** Seconds: a TTL that is over before the end in any case. */
const SHORT = 2

type Act =
  | { readonly do: 'join'; readonly port: number; readonly ttl: number }
  | { readonly do: 'leave' | 'kill' | 'offer'; readonly port: number }
  | { readonly do: 'restart' }
  | { readonly do: 'wait'; readonly for: number }

t.test('after any joins, leaves, deaths, TTLs and losses, manager and members agree with the model', async () => {
  fc.assert(
    fc.property(acts(), fc.constantFrom(0, 0.05, 0.2), fc.nat(), (acts, loss, seed) => {
      const pipe = new Pipe({ loss, doubled: 0.1, jitter: 40, seed })
      const model = new Map<number, boolean>()
      for (const act of acts) perform(act, pipe, model)
      // The network heals; whoever is silent is found out, whoever lives is on the list.
      pipe.loss = 0
      pipe.run(12_000)
      const stations = [...pipe.stations.values()]
      const listed = stations.filter(station => model.get(station.endpoint.port) && (loss === 0 || !isCutOff(station)))
      assertSame(portsOf(pipe.manager.list), listed.map(({ endpoint }) => endpoint.port).sort())
      for (const { member, endpoint } of listed) {
        assertSame(describe(member.list), describe(pipe.manager.list))
        assertSame([member.find(endpoint)?.peer, member.version], [member.peer, pipe.manager.version])
      }
      for (const { endpoint, member } of stations)
        if (!model.get(endpoint.port)) assertSame(member.stopped === undefined, false)
    }),
    { numRuns: Number(process.env.PEER_UDP_RUNS ?? 60), seed: seedFromEnv(11) },
  )
})

function acts(): fc.Arbitrary<Act[]> {
  const port = fc.integer({ min: 4_000, max: 4_006 })
  const ttl = fc.constantFrom(0, 0, SHORT, 600)
  const join = fc.record({ do: fc.constant('join' as const), port, ttl })
  const other = fc.record({ do: fc.constantFrom('leave' as const, 'kill' as const, 'offer' as const), port })
  const restart = fc.constant({ do: 'restart' as const })
  const wait = fc.record({ do: fc.constant('wait' as const), for: fc.integer({ min: 0, max: 3_000 }) })
  const act = fc.oneof(
    { weight: 4, arbitrary: join },
    { weight: 3, arbitrary: other },
    { weight: 1, arbitrary: restart },
    { weight: 4, arbitrary: wait },
  )
  return fc.array(act, { minLength: 5, maxLength: 40, size: 'max' })
}

/** @param model which ports are on the list once the network is well: from a join until a leave, a kill or a short TTL */
function perform(act: Act, pipe: Pipe, model: Map<number, boolean>): void {
  if (act.do === 'wait') pipe.run(act.for)
  else if (act.do === 'restart') {
    pipe.killManager()
    pipe.run(200)
    pipe.restartManager()
  } else if (act.do === 'join') {
    const before = pipe.stations.get(`127.0.0.1:${act.port}`)
    if (before !== undefined) pipe.kill(before)
    pipe.addMember(act.port, { ttl: act.ttl })
    model.set(act.port, act.ttl !== SHORT)
  } else {
    const station = pipe.stations.get(`127.0.0.1:${act.port}`)
    if (station === undefined) return
    if (act.do === 'offer') {
      pipe.offer(station, [offerOf('a', station.member.version + 1)])
      return
    }
    if (act.do === 'leave') pipe.leave(station)
    else pipe.kill(station)
    model.set(act.port, false)
  }
}

/** Losses can be so many that a peer gives the manager up. */
function isCutOff({ member }: Station): boolean {
  return member.stopped === 'no-manager' || member.stopped === 'manager-silent'
}

function portsOf(list: Manager['list']): number[] {
  return [...list.values()].map(row => row.endpoint.port).sort()
}

function describe(list: Manager['list']): string[] {
  return [...list.values()]
    .map(({ peer, session, endpoint, offers }) => `${peer} ${session} ${endpoint.port} ${offers.map(o => o.size)}`)
    .sort()
}

function assertSame(found: unknown, wanted: unknown): void {
  const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)]
  if (is !== should) throw new Error(`found ${is}, wanted ${should}`)
}

function everyoneSees(pipe: Pipe, count: number): boolean {
  return [...pipe.stations.values()].every(({ member }) => member.list.size === count)
}

function seedFromEnv(seed: number): number {
  return Number(process.env.PEER_UDP_SEED ?? seed)
}

t.test('whatever number a REGISTER bears, there are numbers left for the answers', async t => {
  const desk = new Desk()
  const last = 0xffff_ffff
  const cookie = desk.cookieFor(7n, 0)
  const register = (offers: readonly Offer[]) =>
    desk.hear({ kind: 'register', session: 7n, cookie, ttl: 0, offers, sequence: last }, 0)
  const answers = [...register([]), ...register([offerOf('a')]), ...desk.tick(1_000), ...desk.beat(7n, 1_000)]
  t.ok(answers.length >= 3)
  for (const { sequence } of answers) t.ok(sequence <= last, `${sequence}`)
})
