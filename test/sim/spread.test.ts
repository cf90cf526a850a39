// One peer has the file, and several collect it at once and give it to one another: sim/spread.ts.
import t from 'tap'
import { makeSpread, runSpread } from '../../src/sim/spread.js'

const OPTIONS = { seed: 1, size: 8_000_000, rate: 20, roundTrip: 40, loss: 0.01 }

t.test(
  'four collectors get the file nearly as soon as one would, and the first sends it little more than once',
  async t => {
    const { seconds, bound, seedCopies } = runSpread(makeSpread({ ...OPTIONS, collectors: 4 }))
    t.ok(seconds <= 1.5 * bound, `${seconds} s, ${bound} s at best`)
    t.ok(seedCopies <= 1.5, `the first sent ${seedCopies} copies`)
  },
)

t.test('the first may leave when one copy of the file is out', async t => {
  const { seedCopies } = runSpread(makeSpread({ ...OPTIONS, collectors: 4, leavesAfter: 1.5 }))
  t.ok(seedCopies <= 1.6, `the first sent ${seedCopies} copies`)
})
