import type { Plan } from '../../src/sim/plan.js'
import { instant } from '../../src/units.js'

/** The same swarm, with nothing planned against it. */
export function calm(plan: Plan): Plan {
  const computer = {
    joins: instant(0),
    ending: { kind: 'stays' },
    pauses: [],
    up: {},
    down: {},
    disk: {},
    ttl: 0,
    uploadLimit: undefined,
    narrows: undefined,
    clock: {},
    spuriousTicks: 0,
  } as const
  return {
    ...plan,
    size: 100_000,
    isMutating: false,
    manager: { ...plan.manager, ...computer },
    peers: plan.peers.map(peer => ({ ...peer, ...computer, holding: 'whole' })),
    // It joins last, so that all sources are listed long before.
    collector: {
      ...plan.collector,
      ...computer,
      joins: instant(5_000),
      holding: 'none',
      once: false,
      downloadLimit: undefined,
    },
    rivals: [],
    cuts: [],
  }
}
