// A swarm whose collector is interrupted and started again, and what its disk says meanwhile.
import { recoverJournal } from '../../src/content/recovery.js'
import { PartialTree } from '../../src/content/tree.js'
import { DIGESTS } from '../../src/sim/digests.js'
import { outcomeOf } from '../../src/sim/oracle.js'
import { MTU_MAX, type Plan, planOf } from '../../src/sim/plan.js'
import type { SeededRandom } from '../../src/sim/random.js'
import { makeSwarm, type Swarm } from '../../src/sim/swarm.js'
import type { Watcher } from '../../src/sim/trace.js'
import { after, instant, ms } from '../../src/units.js'
import { decode } from '../../src/wire/decode.js'
import { BLOCK_BYTES, TAG, TAG_AT } from '../../src/wire/layout.js'
import type { Pull } from '../../src/wire/message.js'

/** Octets of the file. */
export const SIZE = 2_000_000
/** Mbit/s: a transfer takes about 0.8 s. */
export const RATE = 20

/** One swarm with a collector that is interrupted and started again. */
export class Run {
  readonly swarm: Swarm
  /** How often a block was wanted that the journal counted when the run began. */
  askedAgain = 0
  /** Journals that ended in the middle of a record. */
  torn = 0
  readonly #isPowered: boolean
  #counted = new Set<number>()

  /** @param isPowered power cuts instead of kills */
  constructor(seed: number, isPowered: boolean) {
    this.#isPowered = isPowered
    const watcher: Watcher = {
      datagram: (_at, from, _to, fate, data) => {
        if (from === 'collector' && fate === 'sent' && data[TAG_AT] === TAG.PULL) this.#onPull(data)
      },
    }
    this.swarm = makeSwarm(planFor(seed), [watcher])
    this.swarm.world.run({ until: instant(1_000) })
  }

  get isDone(): boolean {
    return outcomeOf(this.swarm.collector).kind !== 'none'
  }

  get isIdentical(): boolean {
    const { target } = this.swarm.collector.disk
    return target?.isFinished === true && Buffer.compare(target.content, this.swarm.versions.current.content) === 0
  }

  get last() {
    const [event] = this.events('result').slice(-1)
    if (event === undefined) throw new Error('no result')
    return event.result
  }

  /** Octets that the last run took over, and that it fetched, by its own account. */
  get resumed(): number {
    return this.last.fragments.reduce((sum, { localBytes }) => sum + localBytes, 0)
  }

  get fetched(): number {
    return this.last.fragments.flatMap(({ sources }) => sources).reduce((sum, { bytes }) => sum + bytes, 0)
  }

  get verified(): number {
    return this.events('progress').at(-1)?.progress.verifiedBytes ?? 0
  }

  events<Kind extends string>(kind: Kind) {
    return this.swarm.collector.events.flatMap(({ event }) =>
      event.kind === kind ? [event as Extract<typeof event, { kind: Kind }>] : [],
    )
  }

  goOn(time: number): void {
    const { world, collector } = this.swarm
    this.#counted = new Set(this.counted)
    collector.start()
    world.run({ until: after(world.now, time), stopWhen: () => this.isDone })
  }

  interrupt(random: SeededRandom): void {
    const { collector } = this.swarm
    if (!this.#isPowered) {
      collector.kill()
      return
    }
    collector.cutPower()
    const { journal } = collector.disk.target ?? {}
    if (journal !== undefined && this.#recovery()?.end.length !== journal.length) this.torn++
    // Sometimes the disk forgets the end of the journal, though it said that it had it.
    if (journal !== undefined && random.chance(0.1)) {
      collector.disk.target!.journal = journal.subarray(0, random.below(journal.length + 1))
    }
  }

  /** The blocks that the journal counts. */
  get counted(): readonly number[] {
    const blocks: number[] = []
    const done = this.#recovery()?.done
    done?.forEachSet(0, done.size, block => blocks.push(block))
    return blocks
  }

  /** What the journal counts and the part does not hold. */
  disagreement(): string | undefined {
    const { current } = this.swarm.versions
    const { target } = this.swarm.collector.disk
    if (target === undefined) return undefined
    for (const block of this.counted) {
      const [start, end] = [block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES]
      const isSame = Buffer.compare(target.content.subarray(start, end), current.content.subarray(start, end)) === 0
      if (!isSame) return `block ${block} is counted and not there`
    }
    return undefined
  }

  #onPull(data: Uint8Array): void {
    const pull = decode(data) as Pull
    const isCounted = (block: number) => this.#counted.has(block)
    for (const { block } of pull.blocks) if (isCounted(block)) this.askedAgain++
    for (const { first, count } of pull.ranges) {
      for (let block: number = first; block < first + count; block++) if (isCounted(block)) this.askedAgain++
    }
  }

  #recovery() {
    const journal = this.swarm.collector.disk.target?.journal
    if (journal === undefined) return undefined
    const { size, root } = this.swarm.versions.current.tree
    const recovery = recoverJournal(DIGESTS, journal, new PartialTree(DIGESTS, size, root))
    return recovery.kind === 'usable' ? recovery : undefined
  }
}

/** Two peers with the file, a collector without, and nothing that goes wrong but losses. */
function planFor(seed: number): Plan {
  const plan = planOf(seed)
  const link = { rate: RATE, queue: 50_000, delay: ms(5), loss: 0.005 }
  const computer = {
    joins: instant(0),
    ending: { kind: 'stays' },
    pauses: [],
    up: link,
    down: link,
    disk: { delay: ms(2), jitter: ms(80) },
    clock: {},
    spuriousTicks: 0,
  } as const
  const peer = {
    ...computer,
    holding: 'whole',
    ttl: 0,
    uploadLimit: undefined,
    mtu: MTU_MAX,
    narrows: undefined,
  } as const
  return {
    ...plan,
    size: SIZE,
    isMutating: false,
    manager: { ...computer, name: 'manager' },
    peers: [
      { ...peer, name: 'peer1' },
      { ...peer, name: 'peer2' },
    ],
    // It is started by `goOn`.
    collector: {
      ...peer,
      name: 'collector',
      downloadLimit: undefined,
      joins: instant(1e9),
      holding: 'none',
      once: true,
    },
    cuts: [],
  }
}
