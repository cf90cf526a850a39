import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readArguments, runSeeds } from '../../src/sim/command-line.js'
import { judge, type Outcome, outcomeOf } from '../../src/sim/oracle.js'
import { MTU_MAX, planOf } from '../../src/sim/plan.js'
import { runScenario, type ScenarioResult } from '../../src/sim/scenario.js'
import { makeSwarm, type Swarm } from '../../src/sim/swarm.js'
import type { Watcher } from '../../src/sim/trace.js'
import { SimulationError } from '../../src/sim/world.js'
import { instant, ms } from '../../src/units.js'
import { TAG, TAG_AT } from '../../src/wire/layout.js'
import { calm } from './calm.js'

/** PEER_UDP_SEED and PEER_UDP_SEEDS choose others. */
const FIRST_SEED = Number(process.env.PEER_UDP_SEED ?? 1)
const SEEDS = Number(process.env.PEER_UDP_SEEDS ?? 300)

t.test('every swarm ends with an identical file or the right failure, then falls quiet and stops', async t => {
  const outcomes: Record<string, number> = {}
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const ended = scenario(seed)
    if (ended instanceof SimulationError) t.fail(ended.summary, { found: ended.message })
    else for (const { kind } of ended.outcomes) outcomes[kind] = (outcomes[kind] ?? 0) + 1
  }
  t.comment(outcomes)
  t.ok((outcomes.identical ?? 0) > SEEDS / 2, 'most of them can succeed')
})

t.test('where one path needs smaller chunks, no other asks for long datagrams that vanish', async t => {
  const ended = scenario(95_064)
  t.ok(!(ended instanceof SimulationError) && ended.outcomes[0]?.kind === 'identical')
})

t.test('a seed plays the same twice, datagram for datagram', async t => {
  const [first, second] = [runScenario(3), runScenario(3)]
  t.equal(first.hash, second.hash)
  t.equal(first.datagrams, second.datagrams)
  t.ok(first.datagrams > 100)
})

t.test('a plan is drawn from its seed alone, and plans are of all kinds', async t => {
  t.strictSame(planOf(5), planOf(5))
  const plans = Array.from({ length: 500 }, (_, seed) => planOf(seed))
  const peers = plans.flatMap(plan => plan.peers)
  const kindsOf = (values: readonly (string | number)[]) => [...new Set(values)].sort()
  t.strictSame(kindsOf(peers.map(peer => peer.holding)), ['lying', 'none', 'rotten', 'stale', 'whole'])
  t.strictSame(kindsOf(peers.map(peer => peer.ending.kind)), ['hangs', 'killed', 'leaves', 'restarts', 'stays'])
  t.strictSame(kindsOf(plans.map(plan => plan.manager.ending.kind)), ['killed', 'restarts', 'stays'])
  t.strictSame(kindsOf(plans.map(plan => plan.collector.disk.failing!)), ['finish', 'none', 'prepare', 'write'])
  t.equal(kindsOf(plans.map(plan => plan.peers.length)).length, 16)
  t.strictSame(kindsOf(plans.map(plan => plan.rivals.length)), [0, 1, 2, 3])
  for (const size of [0, 1, 1_024, 65_536, 65_537]) t.ok(plans.some(plan => plan.size === size))
})

t.test('long datagrams meet links that carry them, and links that do not', async t => {
  const fates: Record<string, number> = {}
  const watcher: Watcher = {
    datagram(_at, _from, _to, fate, data) {
      if (data.length > MTU_MAX) fates[`${data[TAG_AT] === TAG.CHUNK ? 'chunk' : 'probe'} ${fate}`] ??= data.length
    },
  }
  for (let seed = 1; seed <= 60; seed++) runScenario(seed, [watcher])
  for (const fate of ['chunk sent', 'probe sent', 'probe tooLarge']) t.ok(fates[fate], fate)
})

t.test('the oracle sees a wrong octet, a wrong size and an unfinished target', async t => {
  const { swarm, outcome } = succeeding()
  const target = swarm.collector.disk.target!
  t.equal(judge(swarm, outcome), undefined)
  target.content[7]! ^= 1
  t.match(judge(swarm, outcome), /octets differ/)
  target.content[7]! ^= 1
  target.isFinished = false
  t.match(judge(swarm, outcome), /not finished/)
  target.isFinished = true
  t.match(judge(swarm, { ...outcome, result: { ...outcome.result, bytes: 1 } }), /1 of \d+ octets/)
  t.match(judge(swarm, { ...outcome, result: { ...outcome.result, root: new Uint8Array(32) } }), /nobody offers/)
  const [fragment] = outcome.result.fragments
  const without = { ...outcome.result, fragments: [{ ...fragment!, sources: [], localBytes: 0 }] }
  t.match(judge(swarm, { ...outcome, result: without }), /fragments/)
})

t.test('the oracle takes no failure for right that nothing explains', async t => {
  const { swarm, outcome } = succeeding()
  swarm.collector.disk.target = undefined
  for (const kind of ['incomplete', 'disk', 'not-identical', 'no-offer', 'interrupted'] as const) {
    const failure = kind === 'incomplete' ? { kind, detail: '', missing: 1 } : { kind, detail: '' }
    const { result, at } = outcome
    t.match(judge(swarm, { kind: 'failed', result: { ...result, failure }, failure, at }), new RegExp(kind))
  }
  t.match(judge(swarm, { kind: 'none' }), /no result of the transfer/)
})

t.test('the oracle takes a failure for right when no source was left', async t => {
  const { swarm, outcome } = succeeding()
  swarm.collector.disk.target = undefined
  for (const peer of swarm.peers) peer.kill()
  const failure = { kind: 'incomplete', detail: '', missing: 1 } as const
  t.equal(judge(swarm, { kind: 'failed', result: { ...outcome.result, failure }, failure, at: outcome.at }), undefined)
})

t.test('the oracle sees a wrong block in a target that was given up', async t => {
  const { swarm } = succeeding()
  const target = swarm.collector.disk.target!
  target.isFinished = false
  target.content[7]! ^= 1
  t.match(judge(swarm, { kind: 'none' }), /block 0 is written with wrong octets/)
})

t.test(
  'the first chunk comes two round trips after HELLO, and half of one later where the manager is as far',
  async t => {
    t.ok(Math.abs(roundTripsToData({ peers: 2, far: 20, near: 0 }) - 2) < 0.05)
    t.ok(Math.abs(roundTripsToData({ peers: 13, far: 75, near: 0 }) - 2) < 0.05)
    t.ok(Math.abs(roundTripsToData({ peers: 3, far: 25, near: 25 }) - 2.5) < 0.05)
    t.ok(Math.abs(roundTripsToData({ peers: 20, far: 20, near: 0 }) - 3) < 0.05, 'the list is larger than its preview')
  },
)

t.test('npm run sim reads its arguments, and says in one line what is wrong with them', async t => {
  t.match(readArguments([]), { first: 1, count: 100 })
  t.match(readArguments(['--seed', '7']), { first: 7, count: 1 })
  t.match(readArguments(['--seed', '7', '--seeds', '3', '--pcap', 'x']), { first: 7, count: 3, pcap: 'x' })
  for (const bad of [
    ['--seeds', '0'],
    ['--seeds', '1.5'],
    ['--seed', 'x'],
    ['--seed', '4294967296'],
    ['--speed'],
    ['x'],
  ]) {
    t.throws(() => readArguments(bad), { name: 'UsageError', exitCode: 2, message: /^[^\n]+usage: npm run sim/ })
  }
})

t.test('npm run sim prints a summary, and writes a capture and a trace', async t => {
  const folder = t.testdir()
  const [pcap, trace] = [join(folder, 'run.pcap'), join(folder, 'run.jsonl')]
  const lines: string[] = []
  t.equal(
    runSeeds({ first: 1, count: 2, pcap, trace }, line => lines.push(line)),
    true,
  )
  t.match(lines, [/^2 seeds, by collector: .*; \d+ datagrams, \d+ s simulated in [\d.]+ s$/])
  const events = readFileSync(trace, 'utf8').trim().split('\n')
  t.ok(events.map(line => JSON.parse(line)).every(({ t: at, name }) => at >= 0 && name.includes(':')))
  const sent = events.filter(line => line.includes('"net:datagram"')).length
  t.ok(readFileSync(pcap).length > sent * (16 + 28 + 14))
})

function scenario(seed: number): ScenarioResult | SimulationError {
  try {
    return runScenario(seed)
  } catch (error) {
    if (error instanceof SimulationError) return error
    throw error
  }
}

/** From the first HELLO of a collector `far` milliseconds from the others, which are twice `near` from one another. */
function roundTripsToData({ peers, far, near }: { peers: number; far: number; near: number }): number {
  const plan = calm(planOf(1))
  const [peer] = plan.peers
  const at = (delay: number) => ({ up: { delay: ms(delay) }, down: { delay: ms(delay) } })
  let [asked, sent] = [Number.NaN, Number.NaN]
  const watcher: Watcher = {
    sent(now, from, _to, data) {
      if (data[TAG_AT] === TAG.HELLO && from.port === 5001 && Number.isNaN(asked)) asked = now
      if (data[TAG_AT] === TAG.CHUNK && Number.isNaN(sent)) sent = now
    },
  }
  const { world } = makeSwarm(
    {
      ...plan,
      manager: { ...plan.manager, ...at(near) },
      peers: Array.from({ length: peers }, (_, i) => ({ ...peer!, ...at(near), name: `peer${i}` })),
      collector: { ...plan.collector, ...at(far) },
    },
    [watcher],
  )
  world.run({ until: instant(10_000) })
  return (sent + near + far - asked) / (2 * (near + far))
}

/** A swarm in which nothing goes wrong, and its end. */
function succeeding(): { readonly swarm: Swarm; readonly outcome: Outcome & { readonly kind: 'identical' } } {
  const swarm = makeSwarm(calm(planOf(1)), [])
  const isDone = () => outcomeOf(swarm.collector).kind !== 'none'
  swarm.world.run({ until: instant(60_000), stopWhen: isDone })
  const outcome = outcomeOf(swarm.collector)
  if (outcome.kind !== 'identical') throw swarm.world.failure(`a calm swarm ends with ${outcome.kind}`)
  return { swarm, outcome }
}
