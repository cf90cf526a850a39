// src/content/names.ts: the ecosystem's usual corpus of names, and what becomes of each.
import fc from 'fast-check'
import t from 'tap'
import { type NameFault, nameFault, numberedName, safeName, twinKey } from '../../src/content/names.js'
import { NAME_BYTES_MAX } from '../../src/wire/layout.js'
import { isName, nameOctets } from '../../src/wire/name.js'
import { FAULTY, NEVER_VALID, PLAIN, TWINS } from './corpus.js'

t.test('what could lead out of a folder is no name at all', async t => {
  for (const name of NEVER_VALID) t.notOk(isName(name), JSON.stringify(name))
})

t.test('what some system can not hold is told by the reason, and has a safe name near it', async t => {
  for (const [fault, names] of Object.entries(FAULTY) as [NameFault, readonly string[]][]) {
    for (const name of names) {
      t.ok(isName(name), JSON.stringify(name))
      t.equal(nameFault(name), fault, JSON.stringify(name))
      t.ok(isSafe(safeName(name)), `${JSON.stringify(name)} becomes ${JSON.stringify(safeName(name))}`)
    }
  }
  t.equal(safeName('a:b?.txt'), 'a_b_.txt')
  t.equal(safeName('end. .'), 'end___')
  t.equal(safeName('nul.tar.gz'), '_nul.tar.gz')
})

t.test('ordinary names are left as they are', async t => {
  for (const name of PLAIN) {
    t.equal(nameFault(name), undefined, JSON.stringify(name))
    t.equal(safeName(name), name)
  }
})

t.test('names that are one file somewhere have one key, others have not', async t => {
  for (const [a, b] of TWINS) t.equal(twinKey(a), twinKey(b), JSON.stringify([a, b]))
  const keys = new Set(PLAIN.map(twinKey))
  t.equal(keys.size, PLAIN.length)
})

t.test('any name becomes a safe one, and a numbered one that is none of its twins', async () => {
  const characters = [...'ab.. :?*~"<>|()é\u0301\u200dßCONul1', '😀', 'ﬁ', '¹', 'İ'] as const
  const name = fc
    .array(fc.constantFrom(...characters), { minLength: 1, maxLength: 90 })
    .map(parts => parts.join(''))
    .filter(isName)
  fc.assert(
    fc.property(name, fc.integer({ min: 2, max: 10_000 }), (name, number) => {
      const safe = safeName(name)
      if (!isSafe(safe)) throw new Error(`${JSON.stringify(safe)} is not safe`)
      if (safeName(safe) !== safe) throw new Error(`${JSON.stringify(safe)} has another safe name`)
      const numbered = numberedName(safe, number)
      if (!isSafe(numbered)) throw new Error(`${JSON.stringify(numbered)} is not safe`)
      if (twinKey(numbered) === twinKey(numberedName(safe, number + 1)))
        throw new Error('the number makes no difference')
      if (twinKey(name) === twinKey(name.toUpperCase())) return
      throw new Error(`${JSON.stringify(name)} has another key in upper case`)
    }),
    { numRuns: 3_000 },
  )
})

t.test('a numbered name keeps its extension and stays within the limit', async t => {
  t.equal(numberedName('film.mkv', 2), 'film (2).mkv')
  t.equal(numberedName('.profile', 3), '.profile (3)')
  t.equal(numberedName('a.tar.gz', 2), 'a.tar (2).gz')
  const long = `${'é'.repeat(125)}.mkv`
  const numbered = numberedName(long, 12)
  t.equal(numbered, `${'é'.repeat(123)} (12).mkv`)
  t.ok(nameOctets(numbered).length <= NAME_BYTES_MAX)
  t.ok(isSafe(numberedName(`x.${'y'.repeat(253)}`, 2)))
})

function isSafe(name: string): boolean {
  return isName(name) && nameFault(name) === undefined
}
