import t from 'tap'
import { now } from '../../src/shell/clock.js'
import { Nap } from '../../src/shell/nap.js'
import { after, instant, ms, NEVER } from '../../src/units.js'

/** What so many turns slept, in milliseconds each, one `apart` after the other. */
function naps(turns: number, { datagrams = 1, apart = 0.5, due = Infinity, before = 0 } = {}): number[] {
  const slept: number[] = []
  const nap = new Nap(wait => slept.push(wait))
  let at = instant(1_000)
  const take = (count: number, left: number) => {
    at = after(at, ms(apart))
    nap.after(count, at, left === Infinity ? NEVER : after(at, ms(left)))
  }
  for (let i = 0; i < before; i++) take(1, Infinity)
  slept.length = 0
  for (let i = 0; i < turns; i++) take(datagrams, due)
  return slept
}

t.test('it sleeps a millisecond when turns came fast, with few datagrams each, for a while', async t => {
  t.strictSame(naps(256), [])
  t.strictSame(naps(3, { before: 256 }), [1, 1, 1])
})

t.test('it stays awake where many datagrams come in a turn, or turns are far apart', async t => {
  t.strictSame(naps(10, { before: 256, datagrams: 24 }), [])
  t.strictSame(naps(600, { apart: 3 }), [])
})

t.test('it sleeps no longer than until something is due', async t => {
  const slept = naps(2, { before: 256, due: 0.5 })
  t.strictSame(
    slept.map(wait => Math.round(wait * 1_000)),
    [500, 500],
  )
  t.strictSame(naps(2, { before: 256, due: 0.1 }), [])
  t.strictSame(naps(2, { before: 256, due: -1 }), [])
})

t.test('by itself it blocks the thread', async t => {
  const nap = new Nap()
  for (let i = 0; i < 256; i++) nap.after(1, instant(i / 10), NEVER)
  const start = now()
  for (let i = 256; i < 306; i++) nap.after(1, instant(i / 10), NEVER)
  t.ok(now() - start >= 49, `50 naps took ${now() - start} ms`)
})
