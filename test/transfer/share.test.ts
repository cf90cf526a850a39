import fc from 'fast-check'
import t from 'tap'
import { fairShare } from '../../src/transfer/share.js'

t.test('a limit is divided evenly among those who wish for more than their part, and wholly', async t => {
  t.equal(fairShare(30, [100, 100, 100]), 10)
  t.equal(fairShare(30, [100, 4, 100]), 13)
  t.equal(fairShare(30, [1, 2, 100]), 27)
  t.equal(fairShare(30, [10, 10, 10]), Infinity)
  t.equal(fairShare(30, []), Infinity)
  const wishes = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 20 })
  const divided = fc.property(wishes, fc.integer({ min: 1, max: 5_000 }), (wishes, limit) => {
    const share = fairShare(limit, wishes)
    const given = wishes.reduce((sum, wish) => sum + Math.min(wish, share), 0)
    const wished = wishes.reduce((sum, wish) => sum + wish, 0)
    return Math.abs(given - Math.min(limit, wished)) < 1e-6 * limit
  })
  t.doesNotThrow(() => fc.assert(divided, { seed: 3, numRuns: 2_000 }))
})
