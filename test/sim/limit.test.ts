// `--limit`, at the peers and at the collector: it is reached, never passed, and nothing piles up.
import t from 'tap'
import type { LinkSettings } from '../../src/sim/link.js'
import { outcomeOf } from '../../src/sim/oracle.js'
import { planOf } from '../../src/sim/plan.js'
import { makeSwarm } from '../../src/sim/swarm.js'
import type { Watcher } from '../../src/sim/trace.js'
import { instant, ms } from '../../src/units.js'
import { decode } from '../../src/wire/decode.js'
import { TAG, TAG_AT } from '../../src/wire/layout.js'
import { calm } from './calm.js'

const IP_UDP_BYTES = 28
/** Of the octets on the wire. */
const PAYLOAD_SHARE = 1_444 / 1_500
const COLLECTOR_PORT = 5_001

interface Setting {
  /** Octets of the file. */
  readonly size: number
  /** kbit/s; one peer for each, undefined = no limit. */
  readonly uploadLimits: readonly (number | undefined)[]
  readonly downloadLimit?: number
  /** Of the collector, besides a delay of 20 ms and 100 Mbit/s both ways. */
  readonly down?: Partial<LinkSettings>
}

interface Run {
  readonly seconds: number
  /** kbit/s that came to the collector in each half second, IP and UDP headers counted. */
  readonly received: readonly number[]
  /** kbit/s that PULLs of the second half of the transfer asked for, the largest. */
  readonly asked: number
  /** Octets that waited for the narrowest link, at most. */
  readonly lost: number
}

t.test('a limit of the peers is reached, and what is asked of them does not run away from it', async t => {
  for (const limit of [500, 8_000]) {
    const run = runTransfer({ size: limit * 2_000, uploadLimits: [limit, limit] })
    t.ok(efficiency(run, limit * 2_000, 2 * limit) >= 0.95, `${efficiency(run, limit * 2_000, 2 * limit)} of ${limit}`)
    t.ok(run.asked < 1.5 * limit, `${run.asked} kbit/s asked of a peer that gives ${limit}`)
    t.equal(run.lost, 0)
  }
})

t.test('a limit of the collector is reached by one path and by many, and never passed', async t => {
  const limit = 20_000
  for (const uploadLimits of [[undefined], [undefined, undefined, undefined], [undefined, 3_000, 1_000]]) {
    const size = 30_000_000
    const run = runTransfer({ size, uploadLimits, downloadLimit: limit })
    t.ok(efficiency(run, size, limit) >= 0.95, `${efficiency(run, size, limit)} with ${uploadLimits.length} peers`)
    t.ok(Math.max(...run.received.slice(1)) <= 1.03 * limit, `${Math.max(...run.received)} kbit/s in half a second`)
    t.equal(run.lost, 0)
  }
})

t.test('a limit of the collector holds under loss, and below what a time-out would bear at another rate', async t => {
  const lossy = runTransfer({
    size: 10_000_000,
    uploadLimits: [undefined, undefined],
    downloadLimit: 10_000,
    down: { loss: 0.05 },
  })
  t.ok(efficiency(lossy, 10_000_000, 10_000 * 0.95) >= 0.95, `${efficiency(lossy, 10_000_000, 9_500)}`)
  t.ok(Math.max(...lossy.received) <= 1.03 * 10_000)
  const slow = runTransfer({ size: 60_000, uploadLimits: [undefined, undefined], downloadLimit: 16 })
  t.ok(slow.seconds < 1.1 * ((60_000 * 8) / PAYLOAD_SHARE / 16_000), `${slow.seconds} s at 16 kbit/s`)
})

t.test('a limit above what the link carries changes nothing', async t => {
  const run = (downloadLimit: number | undefined) => {
    const setting = { size: 10_000_000, uploadLimits: [undefined, undefined], down: { rate: 20, queue: 100_000 } }
    return runTransfer(downloadLimit === undefined ? setting : { ...setting, downloadLimit })
  }
  t.equal(run(1_000_000).seconds, run(undefined).seconds)
})

function efficiency({ seconds }: Run, size: number, kilobits: number): number {
  return (size * 8) / PAYLOAD_SHARE / (kilobits * 1_000) / seconds
}

function runTransfer({ size, uploadLimits, downloadLimit, down }: Setting): Run {
  const plan = calm(planOf(1))
  const [peer] = plan.peers
  const link = { rate: 100, queue: 500_000 }
  const received: number[] = []
  const asked: { at: number; rate: number }[] = []
  let start = Number.NaN
  const watcher: Watcher = {
    sent(at, from, to, data) {
      if (Number.isNaN(start) && from.port === COLLECTOR_PORT) start = at
      if (from.port === COLLECTOR_PORT && data[TAG_AT] === TAG.PULL) {
        const pull = decode(data)
        if (pull.kind === 'pull') asked.push({ at, rate: pull.rate })
      }
      if (to.port !== COLLECTOR_PORT || data[TAG_AT] !== TAG.CHUNK) return
      const half = Math.floor((at - start) / 500)
      received[half] = (received[half] ?? 0) + ((data.length + IP_UDP_BYTES) * 8) / 500
    },
  }
  const { world, collector, peers } = makeSwarm(
    {
      ...plan,
      size,
      peers: uploadLimits.map((uploadLimit, i) => ({ ...peer!, name: `peer${i}`, up: link, down: link, uploadLimit })),
      collector: {
        ...plan.collector,
        up: { ...link, delay: ms(20) },
        down: { ...link, delay: ms(20), ...down },
        downloadLimit,
      },
    },
    [watcher],
  )
  world.run({ until: instant(200_000), stopWhen: () => outcomeOf(collector).kind !== 'none' })
  const outcome = outcomeOf(collector)
  if (outcome.kind !== 'identical') throw world.failure(`ends with ${outcome.kind}`)
  const middle = start + (outcome.at - start) / 2
  const late = asked.filter(({ at }) => at > middle).map(({ rate }) => rate)
  const lost = [collector, ...peers].reduce(
    (sum, { up, down }) => sum + up.counters.queueFull + down.counters.queueFull,
    0,
  )
  return { seconds: outcome.result.seconds, received: received.map(rate => rate ?? 0), asked: Math.max(...late), lost }
}
