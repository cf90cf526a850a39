import t from 'tap'
import { cadence } from '../../src/transfer/cadence.js'

t.test('PULLs come four times a round trip, within 2 and 25 ms', async t => {
  t.strictSame(
    [1, 40, 300].map(roundTrip => cadence(roundTrip, undefined)),
    [2, 10, 25],
  )
})

t.test('a peer that collects itself is asked once for eight datagrams, and once a round trip at least', async t => {
  t.equal(cadence(40, 0.1), 10, 'the usual time brings more than eight')
  t.equal(cadence(40, 3), 24)
  t.equal(cadence(40, 12), 40)
})
