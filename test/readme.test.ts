// The programs of README.md run as they are printed, from a folder where `peer-udp` is this package.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { createManager } from '../src/index.js'
import { built } from './cli/process.js'
import { readTree, someOctets, writeTree } from './shell/disk-tree.js'

const FENCE = /^```(js|ts)\n([\s\S]*?)^```$/gm
const programs = [...readFileSync('README.md', 'utf8').matchAll(FENCE)].map(([, language, text]) => ({
  language,
  text: text!,
}))

await built()

t.test('there are three programs', async t => {
  t.strictSame(
    programs.map(({ language }) => language),
    ['js', 'js', 'ts'],
  )
})

t.test('one program shares, another gets it', async t => {
  const folder = folderOf(t)
  const manager = await createManager({ port: 0 })
  t.teardown(() => manager.stop().then(() => {}))
  const at = `127.0.0.1:${manager.local.port}`
  const sharing = run(folder, 0, at)
  await sharing.said(/^sharing photos\+1, id [\da-f]{64}\n/)
  const getting = run(folder, 1, at)
  t.equal(await getting.ended, 0, getting.stderr)
  t.match(getting.stdout, /\d+ octets came from 127\.0\.0\.1:\d+\n$/)
  const { 'photos/x.tmp': left, ...tree } = readTree(folder)
  t.equal(typeof left, 'string', 'it was there to be left out')
  for (const path of ['photos', 'photos/a.jpg', 'photos/deep/b.jpg']) t.equal(tree[`copy/${path}`], tree[path], path)
  t.notOk(existsSync(join(folder, 'copy/photos/x.tmp')))
  t.notOk(existsSync(join(folder, 'copy/notes.txt')), 'it was not picked')
  await manager.stop()
  t.equal(await sharing.ended, 0, sharing.stderr)
})

t.test('a whole swarm runs in one process, and stops by itself', async t => {
  const folder = folderOf(t)
  const running = run(folder, 2)
  t.equal(await running.ended, 0, running.stderr)
  t.match(running.stdout, /^photos 0\nphotos\/a\.jpg 10\n/)
  t.equal(readTree(folder)['copy/photos/deep/b.jpg'], readTree(folder)['photos/deep/b.jpg'])
})

function folderOf(t: Test): string {
  const folder = t.testdir({})
  writeTree(folder, {
    'photos/a.jpg': someOctets(10),
    'photos/deep/b.jpg': someOctets(200_000, 1),
    'photos/x.tmp': 'x',
    'notes.txt': 'notes',
  })
  return folder
}

/** Runs the program of that number; TypeScript is translated as this Node needs it. */
function run(folder: string, number: number, ...args: string[]) {
  const { language, text } = programs[number]!
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
  const file = join(folder, `program-${number}.mjs`)
  writeFileSync(file, language === 'ts' ? ts.transpileModule(text, { compilerOptions: options }).outputText : text)
  const child = spawn(process.execPath, [file, ...args], { cwd: folder })
  const running = {
    stdout: '',
    stderr: '',
    ended: once(child, 'close').then(([code]) => code as number),
    async said(words: RegExp) {
      while (!words.test(running.stdout) && child.exitCode === null) await once(child.stdout, 'data')
    },
  }
  child.stdout.on('data', data => {
    running.stdout += data
  })
  child.stderr.on('data', data => {
    running.stderr += data
  })
  return running
}
