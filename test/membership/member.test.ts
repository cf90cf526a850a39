import t from 'tap'
import type { MemberEvent } from '../../src/membership/event.js'
import { Member, type MemberOptions } from '../../src/membership/member.js'
import { SeededRandom } from '../../src/sim/random.js'
import { type Instant, instant, peerId, sequence } from '../../src/units.js'
import { ERROR_CODE, PEERS_MAX, REASON, TAG } from '../../src/wire/layout.js'
import type { List, ListEntry, Message, Unsequenced } from '../../src/wire/message.js'
import type { Outgoing } from '../../src/wire/outgoing.js'
import { MANAGER_AT, offerOf, Pipe } from './pipe.js'

const SESSION = 7n
const EPOCH = 99n
const COOKIE = new Uint8Array(20).fill(5)

class Seat {
  readonly member: Member
  readonly events: MemberEvent[] = []
  #said = sequence(0)

  constructor(options: Partial<MemberOptions> = {}) {
    const random = new SeededRandom(1, 'seat')
    this.member = new Member({ manager: MANAGER_AT, session: SESSION, ttl: 0, offers: [], random, ...options })
  }

  tick(now: number): Message[] {
    const out: Outgoing[] = []
    this.member.tick(instant(now), out, this.events)
    return out.map(outgoing => outgoing.message)
  }

  /** Says `message` as the manager, with the next number unless it has one. */
  hear(message: Unsequenced & { sequence?: number }, now: number, from = MANAGER_AT): Message[] {
    const out: Outgoing[] = []
    this.#said = sequence(this.#said + 1)
    const numbered = { sequence: this.#said, ...message } as Message
    this.member.receive(numbered, from, instant(now), out, this.events)
    return out.map(outgoing => outgoing.message)
  }

  registered(now: number, fields: { ttlLeft?: number; epoch?: bigint; peer?: number } = {}): Message[] {
    const { ttlLeft = 0, epoch = EPOCH, peer = 1 } = fields
    const registered = { kind: 'registered', session: SESSION, epoch, ttlLeft, heartbeat: 1_000, version: 1 } as const
    return this.hear({ ...registered, peer: peerId(peer) }, now)
  }

  /** HELLO to REGISTERED, without a delay. */
  join(now: number, fields: { ttlLeft?: number } = {}): this {
    this.tick(now)
    this.hear({ kind: 'cookie', session: SESSION, cookie: COOKIE, version: 0, entries: [] }, now)
    this.registered(now, fields)
    return this
  }

  list(now: number, list: Partial<List>): Message[] {
    const page = { kind: 'list', session: SESSION, epoch: EPOCH, version: 1, base: 0, page: 0, pages: 1, entries: [] }
    return this.hear({ ...page, ...list } as Unsequenced<List>, now)
  }

  ack(now: number, version = 1, ttlLeft = 0): Message[] {
    return this.hear({ kind: 'heartbeat', session: SESSION, ack: true, version, ttlLeft }, now)
  }

  /** Ticks at each deadline up to `end`. @returns what was said, and when */
  sayings(end: number): { readonly at: Instant; readonly kind: string }[] {
    const said: { at: Instant; kind: string }[] = []
    for (let at = this.member.deadline(); at <= end; at = this.member.deadline())
      for (const { kind } of this.tick(at)) said.push({ at, kind })
    return said
  }

  get ids(): number[] {
    return [...this.member.list.keys()]
  }
}

t.test('a member says HELLO, returns the cookie, and is registered', async t => {
  const seat = new Seat({ ttl: 20, offers: [offerOf('a')] })
  t.match(seat.tick(0), [{ kind: 'hello', session: SESSION, padding: 25, sequence: 1 }])
  t.equal(seat.member.roundTrip, undefined)
  const register = { kind: 'register', cookie: COOKIE, ttl: 20, offers: [{ name: 'a' }], sequence: 2 }
  t.match(seat.hear({ kind: 'cookie', session: SESSION, cookie: COOKIE, version: 0, entries: [], sequence: 1 }, 30), [
    register,
  ])
  t.equal(seat.member.roundTrip, 30)
  seat.registered(60, { ttlLeft: 20_000 })
  t.strictSame(seat.events, [{ kind: 'registered', peer: 1, manager: MANAGER_AT, again: false }])
  t.strictSame([seat.member.state, seat.member.peer, seat.member.expires], ['member', 1, 20_060])
})

t.test('who asks for a preview makes room for it, and is told of it before it is a member', async t => {
  const seat = new Seat({ preview: true })
  t.match(seat.tick(0), [{ kind: 'hello', padding: 1_186 }])
  const cookie = { kind: 'cookie', session: SESSION, cookie: COOKIE, version: 4, entries: [present(3)] } as const
  t.match(seat.hear(cookie, 20), [{ kind: 'register' }])
  t.match(seat.events, [{ kind: 'preview', peers: new Map([[3, { peer: 3, session: 103n }]]) }])
  t.strictSame([seat.ids, seat.member.version], [[], 0], 'it is not a list that the member holds')
  seat.hear(cookie, 21)
  t.equal(seat.events.length, 1, 'a second COOKIE comes too late')
  seat.registered(40)
  // Forgotten by the manager: there is a list by now.
  t.match(
    seat.hear(
      { kind: 'error', session: SESSION, sequence: 9, code: ERROR_CODE.UNKNOWN_SESSION, tag: TAG.HEARTBEAT },
      50,
    ),
    [{ kind: 'hello', padding: 25 }],
  )
  seat.hear(cookie, 60)
  t.equal(seat.events.filter(({ kind }) => kind === 'preview').length, 1)
})

t.test('a COOKIE tells the round trip whichever HELLO it answers', async t => {
  const seat = new Seat()
  seat.tick(0)
  t.equal(seat.sayings(400).length, 2)
  seat.hear({ kind: 'cookie', session: SESSION, sequence: 1, cookie: COOKIE, version: 0, entries: [] }, 420)
  t.equal(seat.member.roundTrip, 420)
})

t.test('HELLO is said again, later each time, and after five seconds there is no manager', async t => {
  const seat = new Seat()
  seat.tick(0)
  const times = seat.sayings(10_000)
  t.ok(times.every(({ kind }) => kind === 'hello'))
  t.equal(times.length, 8)
  t.ok(times[0]!.at >= 90 && times[0]!.at <= 110)
  t.equal(seat.member.stopped, 'no-manager')
  t.equal(seat.member.deadline(), Infinity)
})

t.test('with `wait` a member looks for its manager as long as it takes, and after it was silent', async t => {
  const seat = new Seat({ wait: true })
  seat.tick(0)
  t.ok(seat.sayings(60_000).length > 50)
  seat.join(60_000)
  seat.sayings(70_000)
  t.equal(seat.member.state, 'joining')
  t.match(seat.events.at(-1), { kind: 'trace', name: 'member:waits', fields: { why: 'manager-silent' } })
})

t.test('what does not come from the manager, or bears another session, is ignored', async t => {
  const seat = new Seat()
  seat.tick(0)
  const cookie = { kind: 'cookie', session: SESSION, cookie: COOKIE, version: 0, entries: [] } as const
  t.strictSame(seat.hear(cookie, 1, { ...MANAGER_AT, port: 5001 }), [])
  t.strictSame(seat.hear({ ...cookie, session: 8n }, 1), [])
  t.equal(seat.member.state, 'joining')
})

t.test('a stale cookie leads back to HELLO; the patience is one for all tries', async t => {
  const seat = new Seat()
  const badCookie = { kind: 'error', session: SESSION, code: ERROR_CODE.BAD_COOKIE, tag: TAG.REGISTER } as const
  seat.tick(0)
  for (let now = 0; seat.member.stopped === undefined && now < 10_000; now += 50) {
    seat.hear({ kind: 'cookie', session: SESSION, cookie: COOKIE, version: 0, entries: [] }, now)
    seat.hear(badCookie, now)
    seat.tick(now)
  }
  t.equal(seat.member.stopped, 'no-manager')
})

t.test('a full list ends it; too many registrations make it wait and come again', async t => {
  const error = { kind: 'error', session: SESSION, tag: TAG.REGISTER } as const
  const full = new Seat()
  full.tick(0)
  full.hear({ kind: 'cookie', session: SESSION, cookie: COOKIE, version: 0, entries: [] }, 0)
  full.hear({ ...error, code: ERROR_CODE.LIST_FULL }, 1)
  t.match(full.events, [{ kind: 'refused', code: ERROR_CODE.LIST_FULL }, { kind: 'trace' }])
  t.equal(full.member.stopped, 'refused')
  const many = new Seat()
  many.tick(0)
  for (const now of [0, 3_000]) {
    many.tick(now)
    many.hear({ kind: 'cookie', session: SESSION, cookie: COOKIE, version: 0, entries: [] }, now)
    many.hear({ ...error, code: ERROR_CODE.TOO_MANY_REGISTRATIONS }, now)
  }
  t.match(many.events, [{ kind: 'refused', code: ERROR_CODE.TOO_MANY_REGISTRATIONS }], 'told once')
  const [hello] = many.sayings(6_000)
  t.ok(hello!.at >= 4_000 && hello!.at <= 5_000)
})

t.test('heartbeats keep the interval while they are answered', async t => {
  const seat = new Seat().join(0)
  for (let i = 0; i < 5; i++) {
    const at = seat.member.deadline()
    t.match(seat.tick(at), [{ kind: 'heartbeat', ack: false, version: 0, ttlLeft: 0 }])
    seat.ack(at + 10)
    t.equal(seat.member.deadline(), at + 1_000)
  }
})

t.test('heartbeats that are not answered come faster, and then the manager is silent', async t => {
  const seat = new Seat().join(0)
  const beats = seat.sayings(10_000)
  t.ok(beats.length >= 11 && beats.length <= 16, `${beats.length} beats`)
  t.equal(seat.member.stopped, 'manager-silent')
  t.ok(beats.at(-1)!.at < 3_500)
})

t.test('a snapshot counts when its last page is there, in any order and however often pages come', async t => {
  const seat = new Seat().join(0)
  const page = (page: number) => seat.list(1, { version: 5, page, pages: 3, entries: [present(page + 1)] })
  for (const i of [2, 0, 2]) t.match(page(i), [{ kind: 'list-ack', epoch: EPOCH, version: 5, base: 0, page: i }])
  t.strictSame(seat.ids, [])
  t.match(page(1), [{ kind: 'list-ack', page: 1 }])
  t.strictSame(seat.ids.sort(), [1, 2, 3])
  t.equal(seat.member.version, 5)
  t.match(seat.events.at(-1), { kind: 'list', version: 5, joined: [{ peer: 3 }, { peer: 1 }, { peer: 2 }], left: [] })
  t.match(page(1), [{ kind: 'list-ack', page: 1 }], 'acknowledged again')
  t.equal(seat.member.find({ address: '127.0.0.1', port: 4_002 })?.peer, 2)
})

t.test('pages of a newer version take the place of the ones being gathered; older ones are passed over', async t => {
  const seat = new Seat().join(0)
  seat.list(1, { version: 5, page: 0, pages: 2, entries: [present(1)] })
  seat.list(2, { version: 6, page: 0, pages: 2, entries: [present(2)] })
  t.strictSame(seat.list(3, { version: 5, page: 1, pages: 2, entries: [present(3)] }), [])
  seat.list(4, { version: 6, page: 1, pages: 2, entries: [present(4)] })
  t.strictSame(seat.ids, [2, 4])
})

t.test('deltas follow one another; after a gap the member asks with the version that it holds', async t => {
  const seat = new Seat().join(0)
  seat.list(1, { version: 1, entries: [present(1), present(2)] })
  seat.list(200, { version: 2, base: 1, entries: [present(3), left(2, REASON.SILENT)] })
  t.strictSame(seat.ids, [1, 3])
  t.match(seat.events.at(-1), { joined: [{ peer: 3 }], left: [{ peer: { peer: 2 }, reason: REASON.SILENT }] })
  t.match(seat.list(210, { version: 4, base: 3, entries: [present(4)] }), [{ kind: 'heartbeat', version: 2 }])
  t.strictSame(seat.list(220, { version: 5, base: 4, entries: [] }), [], 'not more often than every 100 ms')
  seat.list(230, { version: 4, base: 1, entries: [present(3), left(2, REASON.SILENT), present(4)] })
  t.strictSame(seat.ids, [1, 3, 4], 'a delta from an older base leads on as well')
  t.match(seat.events.at(-1), { joined: [{ peer: 4 }], left: [] })
})

t.test('who is replaced at an endpoint leaves it to the new one, whichever entry comes first', async t => {
  for (const entries of [
    [present(2, 4_001), left(1, REASON.REPLACED)],
    [left(1, REASON.REPLACED), present(2, 4_001)],
  ]) {
    const seat = new Seat().join(0)
    seat.list(1, { version: 1, entries: [present(1, 4_001)] })
    seat.list(2, { version: 2, base: 1, entries })
    t.equal(seat.member.find({ address: '127.0.0.1', port: 4_001 })?.peer, 2)
  }
})

t.test('new offers show on the list, but nobody joined', async t => {
  const seat = new Seat().join(0)
  seat.list(1, { version: 1, entries: [present(1)] })
  seat.list(2, { version: 2, base: 1, entries: [{ ...present(1), offers: [offerOf('new')] }] })
  t.match(seat.events.at(-1), { kind: 'list', joined: [], left: [], peers: [{ offers: [{ name: 'new' }] }] })
})

t.test('no set of pages grows beyond what a list can hold', async t => {
  const seat = new Seat().join(0)
  const entries = Array.from({ length: 255 }, (_, i) => present(i + 1))
  const pages = Math.ceil((2 * PEERS_MAX) / 255) + 2
  let refused = 0
  for (let page = 0; page < pages; page++)
    if (seat.list(1, { version: 1, page, pages, entries }).length === 0) refused++
  t.ok(refused > 0)
  t.strictSame(seat.ids, [])
})

t.test('a page that overtakes REGISTERED counts', async t => {
  const seat = new Seat()
  seat.tick(0)
  seat.hear({ kind: 'cookie', session: SESSION, cookie: COOKIE, version: 0, entries: [] }, 0)
  t.match(seat.list(1, { version: 1, entries: [present(1)] }), [{ kind: 'list-ack' }])
  seat.registered(2)
  t.strictSame(seat.ids, [1])
  t.equal(seat.member.version, 1)
})

t.test('a manager that forgot the session hears the same one again, with the time that is left', async t => {
  const seat = new Seat({ ttl: 20 }).join(0, { ttlLeft: 20_000 })
  const unknown = { kind: 'error', session: SESSION, code: ERROR_CODE.UNKNOWN_SESSION, tag: TAG.HEARTBEAT } as const
  t.strictSame(seat.hear({ ...unknown, sequence: 1 }, 100), [], 'an answer to something said before')
  const [beat] = seat.tick(1_000)
  t.match(seat.hear({ ...unknown, sequence: beat!.sequence }, 1_100), [
    { kind: 'hello', session: SESSION, padding: 25 },
  ])
  const cookie = { kind: 'cookie', session: SESSION, cookie: COOKIE, version: 0, entries: [] } as const
  t.match(seat.hear(cookie, 1_200), [{ kind: 'register', session: SESSION, ttl: 19 }])
})

t.test('a restarted manager starts the list over; who is still there neither left nor joined', async t => {
  const seat = new Seat().join(0)
  seat.list(1, { version: 8, entries: [present(1), present(2), present(3)] })
  const [beat] = seat.tick(1_000)
  const code = ERROR_CODE.UNKNOWN_SESSION
  seat.hear({ kind: 'error', session: SESSION, code, tag: TAG.HEARTBEAT, sequence: beat!.sequence }, 1_010)
  seat.hear({ kind: 'cookie', session: SESSION, cookie: COOKIE, version: 0, entries: [] }, 1_020)
  seat.registered(1_030, { epoch: 100n, peer: 2 })
  t.match(seat.events.at(-1), { kind: 'registered', peer: 2, again: true })
  t.strictSame(seat.ids, [1, 2, 3], 'the old list holds meanwhile')
  const entries = [{ ...present(2), peer: peerId(1) }, { ...present(1), peer: peerId(2) }, present(4)]
  seat.list(1_040, { epoch: 100n, version: 1, entries })
  t.match(seat.events.at(-1), { version: 1, joined: [{ peer: 4 }], left: [{ peer: { peer: 3 } }] })
})

t.test('a list of an unknown epoch makes the member register again', async t => {
  const seat = new Seat().join(0)
  t.match(seat.list(10, { epoch: 5n, entries: [present(1)] }), [{ kind: 'register' }])
  t.strictSame(seat.ids, [])
})

t.test('a longer interval takes effect without a new registration', async t => {
  const seat = new Seat().join(0)
  const longer = {
    kind: 'registered',
    session: SESSION,
    epoch: EPOCH,
    peer: peerId(1),
    ttlLeft: 0,
    version: 1,
  } as const
  seat.hear({ ...longer, heartbeat: 3_000 }, 100)
  seat.tick(1_000)
  seat.ack(1_010)
  t.equal(seat.member.deadline(), 4_000)
  t.equal(seat.events.length, 1)
})

t.test('new offers are registered with the same session; a fresh cookie is fetched for an old one', async t => {
  const seat = new Seat().join(0)
  seat.member.setOffers([offerOf('b')], instant(500))
  t.match(seat.tick(500), [{ kind: 'register', session: SESSION, offers: [{ name: 'b' }] }])
  seat.registered(510)
  t.equal(seat.events.length, 1, 'the same peer: nothing to say')
  const old = new Seat().join(0)
  old.member.setOffers([offerOf('b')], instant(56_000))
  t.match(old.tick(56_000), [{ kind: 'hello' }])
})

t.test('offers that the list does not show are registered again', async t => {
  const seat = new Seat({ offers: [offerOf('a')] }).join(0)
  seat.list(1, { version: 1, entries: [present(1)] })
  seat.tick(1_000)
  t.match(seat.ack(1_010, 1), [{ kind: 'register', offers: [{ name: 'a' }] }])
})

t.test('each goodbye of the manager is confirmed, and ends the member with its reason', async t => {
  const goodbye = { kind: 'goodbye', session: SESSION, ack: false } as const
  for (const [reason, why] of [
    [REASON.MANAGER_CLOSING, 'manager-closed'],
    [REASON.TTL_ENDED, 'ttl-ended'],
    [REASON.REPLACED, 'replaced'],
  ] as const) {
    const seat = new Seat().join(0)
    seat.list(1, { version: 1, entries: [present(1)] })
    for (const now of [10, 20])
      t.match(seat.hear({ ...goodbye, reason }, now), [{ kind: 'goodbye', ack: true, reason }])
    t.equal(seat.member.stopped, why)
    t.match(seat.events.at(-1), { kind: 'trace', name: 'member:stopped', fields: { why } })
    t.strictSame(seat.ids, [1], 'the list stays, for transfers under way')
    t.strictSame(seat.tick(99_999), [])
  }
})

t.test('a member ends by its own clock when the manager says nothing of its TTL', async t => {
  const seat = new Seat().join(0, { ttlLeft: 2_000 })
  seat.tick(1_000)
  seat.ack(1_000, 1, 1_000)
  seat.tick(2_000)
  seat.ack(2_000, 1, 1)
  seat.tick(3_500)
  t.equal(seat.member.stopped, undefined)
  seat.tick(3_501)
  t.equal(seat.member.stopped, 'ttl-ended')
  const forgotten = new Seat().join(0, { ttlLeft: 900 })
  const [beat] = forgotten.tick(1_000)
  const code = ERROR_CODE.UNKNOWN_SESSION
  forgotten.hear({ kind: 'error', session: SESSION, code, tag: TAG.HEARTBEAT, sequence: beat!.sequence }, 1_001)
  t.equal(forgotten.member.stopped, 'ttl-ended')
})

t.test('leaving says goodbye until it is confirmed, for a second at most', async t => {
  const seat = new Seat().join(0)
  seat.member.leave(instant(100))
  seat.member.leave(instant(110), 'collected')
  t.match(seat.tick(100), [{ kind: 'goodbye', ack: false, reason: REASON.GOODBYE }])
  seat.hear({ kind: 'goodbye', session: SESSION, ack: true, reason: REASON.GOODBYE }, 120)
  t.equal(seat.member.stopped, 'asked')
  const unheard = new Seat().join(0)
  unheard.member.leave(instant(100), 'collected')
  const said = unheard.sayings(5_000)
  t.ok(said.length >= 3 && said.length <= 6)
  t.equal(unheard.member.stopped, 'collected')
  const crossed = new Seat().join(0)
  crossed.member.leave(instant(100))
  crossed.hear({ kind: 'goodbye', session: SESSION, ack: false, reason: REASON.MANAGER_CLOSING }, 101)
  t.equal(crossed.member.stopped, 'asked')
})

t.test('who is not registered leaves without a word', async t => {
  const seat = new Seat()
  seat.tick(0)
  seat.member.leave(instant(1))
  t.equal(seat.member.stopped, 'asked')
  t.strictSame(seat.tick(2), [])
})

t.test('a manager that closes is heard by all, and one that dies is noticed, under loss', async t => {
  const closing = new Pipe({ loss: 0.2, jitter: 20, seed: 5 })
  for (let i = 0; i < 6; i++) closing.addMember(4_000 + i)
  closing.run(3_000)
  closing.stopManager()
  closing.run(4_000)
  const ends = [...closing.stations.values()].map(({ member }) => member.stopped)
  t.ok(ends.every(end => end === 'manager-closed' || end === 'manager-silent'))
  t.ok(ends.includes('manager-closed'))
  const dying = new Pipe({ seed: 6 })
  const { member } = dying.addMember(4_000)
  dying.run(1_000)
  dying.killManager()
  dying.run(5_000)
  t.equal(member.stopped, 'manager-silent')
})

t.test('a swarm finds together again after its manager was restarted', async t => {
  const pipe = new Pipe({ loss: 0.05, jitter: 20, seed: 9 })
  for (let i = 0; i < 6; i++) pipe.addMember(4_000 + i, { offers: [offerOf('a')] })
  pipe.run(2_000)
  pipe.killManager()
  pipe.run(300)
  pipe.restartManager()
  pipe.run(4_000)
  for (const { member, events } of pipe.stations.values()) {
    t.equal(member.list.size, 6)
    t.match(
      events.filter(event => event.kind === 'registered'),
      [{ again: false }, { again: true }],
    )
  }
})

function present(id: number, port = 4_000 + id): ListEntry & { kind: 'present' } {
  const peer = peerId(id)
  return { kind: 'present', peer, session: BigInt(100 + id), address: '127.0.0.1', port, ttlLeft: 0, offers: [] }
}

function left(id: number, reason: (typeof REASON)[keyof typeof REASON]): ListEntry {
  return { kind: 'left', peer: peerId(id), reason }
}
