// One peer has the file, and several collect it at once and give it to one another: sim/spread.ts.
import t from 'tap'
import { makeSpread, runSpread } from '../../src/sim/spread.js'
import { chunkBlock, tagOf } from '../../src/wire/bulk.js'
import { TAG } from '../../src/wire/layout.js'

const OPTIONS = { seed: 1, size: 8_000_000, rate: 20, roundTrip: 40, loss: 0.01 }

t.test(
  'four collectors get the file nearly as soon as one would, and the first sends it little more than once',
  async t => {
    const { seconds, bound, seedCopies } = runSpread(makeSpread({ ...OPTIONS, collectors: 4 }))
    t.ok(seconds <= 1.4 * bound, `${seconds} s, ${bound} s at best`)
    t.ok(seedCopies <= 1.3, `the first sent ${seedCopies} copies`)
  },
)

t.test('eight take little longer than one: nobody waits long for something to give', async t => {
  const { seconds, bound, seedCopies } = runSpread(makeSpread({ ...OPTIONS, size: 16_000_000, collectors: 8 }))
  t.ok(seconds <= 1.3 * bound, `${seconds} s, ${bound} s at best`)
  t.ok(seedCopies <= 1.25, `the first sent ${seedCopies} copies`)
})

t.test('the first may leave when one copy of the file is out', async t => {
  const { seedCopies } = runSpread(makeSpread({ ...OPTIONS, collectors: 4, leavesAfter: 1.5 }))
  t.ok(seedCopies <= 1.6, `the first sent ${seedCopies} copies`)
})

t.test('those who begin together ask for different blocks first', async t => {
  const blocks = new Map<string, number>()
  const datagram = (_: number, from: string, to: string, _fate: string, data: Uint8Array) => {
    if (from === 'first' && tagOf(data) === TAG.CHUNK && !blocks.has(to)) blocks.set(to, chunkBlock(data))
  }
  runSpread(makeSpread({ ...OPTIONS, size: 1_000_000, collectors: 4 }, [{ datagram }]))
  t.equal(new Set(blocks.values()).size, 4, [...blocks.values()].join(', '))
})
