// One manager and a crowd on a virtual clock: sim/crowd.ts, small. `npm run crowd` runs it with 10 000.
import t from 'tap'
import { runCrowd, showCrowd } from '../../src/sim/crowd.js'
import { Reach } from '../../src/sim/reach.js'

const OPTIONS = { seed: 1, members: 500, flash: 300, changes: 50, seconds: 4, offers: 1, roundTrip: 40, loss: 0.02 }

t.test('everyone in a flash crowd is registered, and a change reaches nearly all within two seconds', async t => {
  const { registered, lost, lastRegistered, settled, reach, traffic } = runCrowd(OPTIONS)
  t.strictSame([registered, lost], [300, 0])
  t.ok(lastRegistered < 6_000, `the last after ${lastRegistered} ms`)
  t.ok(settled < 8_000, `${settled} ms`)
  t.ok(reach.length > 10)
  t.ok(reach.at(-1)! <= 2_000, `${reach.at(-1)} ms`)
  t.ok(traffic.most <= 51_200, 'the bound in spec/membership.md')
})

t.test('a crowd is told in words, and bad arguments in one line', async t => {
  const lines: string[] = []
  const small = ['--members', '20', '--flash', '20', '--seconds', '1', '--changes', '5', '--loss', '0']
  showCrowd(small, line => lines.push(line))
  t.match(lines.join('\n'), /^20 registered, the last after [45]\.\d\d s; all with the same list after \d/m)
  t.match(lines.join('\n'), /^a change reached 99 % after 0\.\d\d s/m)
  for (const bad of [
    ['--members', 'x'],
    ['--crowd', '1'],
    ['--changes', '0'],
  ]) {
    t.throws(() => showCrowd(bad, () => {}), { name: 'UsageError', message: /usage: npm run crowd/ })
  }
})

t.test('a change counts as known when 99 of 100 that are still there hold it', async t => {
  const reach = new Reach()
  reach.begin(5, 0, 200, 0, 10)
  for (let i = 0; i < 197; i++) reach.onHeld(4, 5, 20)
  t.strictSame([reach.pending, reach.times], [1, []])
  reach.onLeft(4, 30)
  t.strictSame([reach.pending, reach.times], [1, []], '197 of 199')
  reach.onLeft(4, 40)
  t.strictSame([reach.pending, reach.times], [0, [40]], '197 of 198')
  reach.begin(7, 50, 100, 99, 60)
  t.strictSame(reach.times, [40, 10], 'known already')
})
