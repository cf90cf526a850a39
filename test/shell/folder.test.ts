// src/shell/folder.ts and src/shell/steps.ts on a real disk: no step leads out, whatever is swapped meanwhile.
import { execFileSync } from 'node:child_process'
import { constants, existsSync, readFileSync, readlinkSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { FileError } from '../../src/errors.js'
import { Folder } from '../../src/shell/folder.js'
import { Steps } from '../../src/shell/steps.js'

const WRITE = constants.O_WRONLY | constants.O_CREAT
/** Both ways of stepping, where there are both. */
const WAYS = existsSync('/proc/self/fd') ? [true, false] : [false]

for (const viaProc of WAYS) {
  const way = viaProc ? 'through /proc' : 'by checked paths'

  t.test(`${way}: files and folders are made, found, read, placed and removed`, async t => {
    const { base, outside } = await open(t, viaProc)
    const inner = await base.makeFolder('inner')
    await write(inner, 'a', 'one')
    t.match(await inner.find('a'), { kind: 'file', size: 3, isExecutable: false })
    t.match(await base.find('inner'), { kind: 'folder' })
    t.equal(await base.find('none'), undefined)
    t.strictSame((await base.names()).map(String).sort(), ['inner', 'link', 'linked', 'mine'])
    t.ok(await inner.place('a', base, 'b', false))
    t.notOk(await inner.place('a', base, 'b', false), 'something is there now')
    t.equal(await text(base, 'b'), 'one')
    await write(inner, 'c', 'two')
    t.ok(await inner.place('c', base, 'b', true))
    t.equal(await text(base, 'b'), 'two')
    t.ok(await inner.place('c', base, 'linked', true), 'a link is replaced itself')
    t.equal(readFileSync(join(outside, 'precious'), 'utf8'), 'precious')
    for (const name of ['a', 'c', 'none']) await inner.remove(name)
    await base.remove('inner')
    t.equal(await base.find('inner'), undefined)
    t.ok(((await base.room()) ?? 1) > 0)
    await base.sync()
    await inner.close()
    await base.close()
  })

  t.test(`${way}: no link is followed`, async t => {
    const { base, outside } = await open(t, viaProc)
    await t.rejects(base.folder('link'), fault('link: it is a symbolic link'))
    await t.rejects(base.makeFolder('link'), fault('link: it is a symbolic link'))
    await t.rejects(base.openFile('linked', constants.O_RDONLY), fault('linked: it is a symbolic link'))
    await t.rejects(base.openFile('linked', WRITE), FileError)
    t.notOk(await base.place('mine', base, 'linked', false), 'nor where a file is placed')
    t.match(await base.find('linked'), { kind: 'link' })
    t.equal(readFileSync(join(outside, 'precious'), 'utf8'), 'precious')
    await base.close()
  })

  t.test(`${way}: a folder that was swapped for a link leads nowhere else`, async t => {
    const { base, path, outside } = await open(t, viaProc)
    const inner = await base.makeFolder('inner')
    const deep = await inner.makeFolder('deep')
    renameSync(join(path, 'inner'), join(path, 'moved'))
    symlinkSync(outside, join(path, 'inner'))
    for (const folder of [inner, deep]) {
      const made = write(folder, 'evil', 'x')
      if (viaProc) await made
      else await t.rejects(made, fault('another folder than before'))
    }
    t.notOk(existsSync(join(outside, 'evil')))
    t.equal(existsSync(join(path, 'moved/evil')), viaProc, 'the open folder itself was written to, where it is now')
    await t.rejects(base.folder('inner'), fault('it is a symbolic link'))
    for (const folder of [deep, inner, base]) await folder.close()
  })

  t.test(`${way}: steps walk a path again and again, and find what is swapped`, async t => {
    const { base, path, outside } = await open(t, viaProc)
    for (let i = 0; i < 80; i++) await (await base.makeFolder(`f${i}`)).close()
    const steps = new Steps(() => base)
    for (const turn of [0, 1]) {
      await Promise.all(
        Array.from({ length: 80 }, (_, i) => steps.at(`f${i}/x${turn}`, (folder, name) => write(folder, name, `${i}`))),
      )
    }
    t.equal(readFileSync(join(path, 'f79/x1'), 'utf8'), '79')
    await t.rejects(steps.openFile('none/x', constants.O_RDONLY), fault('none: no such file or folder'))
    await steps.at('none', async (folder, name) => (await folder.makeFolder(name)).close())
    await steps.at('none/x', (folder, name) => write(folder, name, 'there now'))
    await steps.close()
    renameSync(join(path, 'f3'), join(path, 'f3.moved'))
    symlinkSync(outside, join(path, 'f3'))
    await t.rejects(
      steps.at('f3/evil', (folder, name) => write(folder, name, 'x')),
      fault('f3: it is a symbolic link'),
    )
    t.notOk(existsSync(join(outside, 'evil')))
    await steps.close()
    await base.close()
  })
}

t.test('what is no file is not opened, and what is no folder is not entered', async t => {
  const { base, path } = await open(t, WAYS[0]!)
  execFileSync('mkfifo', [join(path, 'pipe')])
  await t.rejects(base.openFile('pipe', constants.O_RDONLY), fault('pipe: it is not a plain file'))
  await t.rejects(base.openFile('none', constants.O_RDONLY), fault('none: no such file or folder'))
  await t.rejects(base.folder('mine'), fault('mine: it is not a folder'))
  await t.rejects(base.openFile('mine', WRITE), fault('mine: '))
  await t.rejects(Folder.open(join(path, 'none')), fault('none: no such file or folder'))
  await t.rejects(Folder.open(join(path, 'mine')), fault('mine: it is not a folder'))
  await base.close()
})

t.test('the folder that the operator names may lie behind a link', async t => {
  const { path } = await open(t, WAYS[0]!)
  const behind = await Folder.open(join(path, 'link'))
  t.match(await behind.find('precious'), { kind: 'file' })
  await behind.close()
})

async function open(t: Test, viaProc: boolean) {
  const root = t.testdir({
    outside: { precious: 'precious' },
    base: {
      mine: 'mine',
      link: t.fixture('symlink', '../outside'),
      linked: t.fixture('symlink', '../outside/precious'),
    },
  })
  const [path, outside] = [join(root, 'base'), join(root, 'outside')]
  t.equal(readlinkSync(join(path, 'link')), '../outside')
  const base = await Folder.open(path, { viaProc })
  return { base, path, outside }
}

async function write(folder: Folder, name: string, text: string): Promise<void> {
  const handle = await folder.openFile(name, WRITE)
  await handle.writeFile(text)
  await handle.close()
}

async function text(folder: Folder, name: string): Promise<string> {
  const handle = await folder.openFile(name, constants.O_RDONLY)
  const read = await handle.readFile('utf8')
  await handle.close()
  return read
}

function fault(words: string) {
  return { name: 'FileError', message: new RegExp(`^[^\\n]*${words}`) }
}
