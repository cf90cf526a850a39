// The README's demo, as `npm run demo` starts it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { built, CLI } from './process.js'

await built()

t.test('the demo shows the list changing and the file arriving, and cleans up', async t => {
  const { folder, said, ended } = demo(t.testdir({}))
  t.equal(await ended, 0)
  t.match(said(), /^manager {3}│ - 127\.0\.0\.1:\d+ left: its TTL ended$/m)
  t.match(said(), /^collector │ {3}local file: peer left +[\d,]+$/m)
  t.match(said(), /^identical$/m)
  t.strictSame(readdirSync(folder), [], 'its folder is gone')
})

t.test('Ctrl-C on the demo ends its processes and takes its folder away', async t => {
  const { folder, child, said, saw, ended } = demo(t.testdir({}))
  await saw(/registered/)
  child.kill('SIGINT')
  t.equal(await ended, 130)
  t.notMatch(said(), 'identical')
  t.strictSame(readdirSync(folder), [], 'its folder is gone')
})

function demo(folder: string) {
  const child = spawn(process.execPath, [join(dirname(CLI), 'commands/demo.js')], {
    env: { PATH: process.env.PATH, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  child.stdout.on('data', data => {
    text += data
  })
  child.stderr.pipe(process.stderr)
  const saw = async (words: RegExp) => {
    while (!words.test(text)) await once(child.stdout, 'data')
  }
  return { folder, child, said: () => text, saw, ended: once(child, 'close').then(([code]) => code) }
}
