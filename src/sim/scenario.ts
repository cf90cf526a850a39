// One seeded swarm from its first datagram to its last: a manager, peers, collectors, and what `planOf` has in store for
// them. It ends well if the oracle finds each collector's outcome right, everything falls quiet, and everyone stops
// when the manager does.
import { after, type Instant, instant, type Milliseconds, ms } from '../units.js'
import { judge, type Outcome, outcomeOf } from './oracle.js'
import { PLAN_END, planOf } from './plan.js'
import { makeSwarm, type Swarm } from './swarm.js'
import type { Watcher } from './trace.js'
import type { World } from './world.js'

export interface ScenarioResult {
  /** The collector's, then those of its rivals. */
  readonly outcomes: readonly Outcome[]
  readonly virtual: Milliseconds
  readonly datagrams: number
  /** Equal for equal runs. */
  readonly hash: number
}

/** By then each collector has a result, or there is nothing to be had. */
const RESULT_LIMIT = instant(120_000)
/** The longest back-off, and some. */
const QUIET_LIMIT = ms(20_000)
const QUIET_OVER = ms(1_500)
/** All stop within this time of the manager: by its goodbye, or by its silence. */
const STOP_LIMIT = ms(20_000)
const POLL = ms(250)
const NO_FAULTS = { loss: 0, duplication: 0, reordering: 0, corruption: 0, truncation: 0, mtu: 0 }

/** @throws SimulationError where anything but a right outcome comes of it */
export function runScenario(seed: number, watchers: readonly Watcher[] = []): ScenarioResult {
  const plan = planOf(seed)
  const swarm = makeSwarm(plan, watchers)
  const { world, manager } = swarm
  const check = (complaint: string | undefined) => {
    if (complaint !== undefined) throw world.failure(complaint, [`plan: ${JSON.stringify(plan)}`])
  }
  const collecting = [swarm, ...swarm.rivals.map((_, i) => asRivalOf(swarm, i))]
  const outcomes = new Map<Swarm, Outcome>()
  // Each is judged when it is done: who could have helped it may be gone later.
  const judgeThose = (toBeJudged: (one: Swarm) => boolean) => {
    for (const one of collecting) {
      if (outcomes.has(one) || !toBeJudged(one)) continue
      const outcome = outcomeOf(one.collector)
      check(judge(one, outcome))
      outcomes.set(one, outcome)
    }
    return outcomes.size === collecting.length
  }
  if (!runUntil(world, RESULT_LIMIT, () => judgeThose(isDone))) judgeThose(() => true)
  for (const station of world.stations) world.changeLink(station, NO_FAULTS)
  world.run({ until: instant(Math.max(world.now, PLAN_END)) })
  // What still hangs would never stop.
  for (const station of world.stations) if (station.isPaused) station.kill()
  const isQuiet = () => world.isQuiet(QUIET_OVER)
  if (!runUntil(world, after(world.now, QUIET_LIMIT), isQuiet)) check(`no quiet: ${restless(world)}`)
  manager.step({ kind: 'stop' })
  const isOver = () => world.stations.every(station => !station.isRunning)
  if (!runUntil(world, after(world.now, STOP_LIMIT), isOver)) check(`no end: ${stillRunning(world)}`)
  return {
    outcomes: collecting.map(one => outcomes.get(one)!),
    virtual: ms(world.now),
    datagrams: world.trace.datagrams,
    hash: world.trace.hash,
  }
}

/** The swarm as it is to one of the rivals: that one collects. */
function asRivalOf(swarm: Swarm, i: number): Swarm {
  return { ...swarm, plan: { ...swarm.plan, collector: swarm.plan.rivals[i]! }, collector: swarm.rivals[i]! }
}

function isDone({ plan, collector, world }: Swarm): boolean {
  const { ending } = plan.collector
  const hangs = ending.kind === 'hangs' && world.now > ending.at
  const hasStopped = collector.life > 0 && !collector.isRunning
  return hangs || hasStopped || collector.events.some(({ event }) => event.kind === 'result')
}

/** Looks now and then: what is asked costs more than an event does. @returns whether it came to hold */
function runUntil(world: World, end: Instant, holds: () => boolean): boolean {
  while (!holds()) {
    if (world.now >= end) return false
    world.run({ until: after(world.now, POLL) })
  }
  return true
}

function restless({ stations, now }: World): string {
  const running = stations.filter(station => station.isRunning)
  return running
    .map(s => `${s.name} idle ${(now - s.idleSince).toFixed()} ms, ${s.idleTicks} ticks, ${s.ordersPending} orders`)
    .join('; ')
}

function stillRunning({ stations }: World): string {
  return stations
    .filter(station => station.isRunning)
    .map(station => station.name)
    .join(', ')
}
