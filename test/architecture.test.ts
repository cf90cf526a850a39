// What src/ may import and use: the layers point down, the pure folders know no clock, no chance and no I/O.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const LINES_MAX = 450
const PURE = ['wire', 'content', 'membership', 'transfer', 'host']

/** By layer: what it may import besides itself. Files of src/ itself that no entry names are the base, which imports only itself. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  wire: ['base'],
  content: ['wire', 'base'],
  membership: ['wire', 'base'],
  transfer: ['content', 'wire', 'base'],
  host: ['membership', 'transfer', 'content', 'wire', 'base'],
  shell: ['host', 'membership', 'transfer', 'content', 'wire', 'base'],
  sim: ['host', 'membership', 'transfer', 'content', 'wire', 'base'],
  library: ['shell', 'host', 'membership', 'transfer', 'content', 'wire', 'base'],
  index: ['library', 'shell', 'host', 'membership', 'transfer', 'content', 'wire', 'base'],
  commands: ['index', 'library', 'shell', 'host', 'membership', 'transfer', 'content', 'wire', 'base'],
  cli: ['commands', 'index', 'library', 'shell', 'host', 'membership', 'transfer', 'content', 'wire', 'base'],
}
const IMPORTERS: Readonly<Record<string, string>> = {
  meow: 'src/cli.ts',
  'dgram-as-promised': 'src/shell/sockets/dgram.ts',
  koffi: 'src/shell/sockets/libc.ts',
  'binary-parser': 'src/wire/decode.ts',
  picomatch: 'src/shell/globs.ts',
}
const BASE_FILES = ['units', 'errors', 'ambient', 'endpoint']
const BANNED_NAMES = new Set([
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'process',
  'Promise',
  'EventEmitter',
  'globalThis',
  'require',
])

interface Import {
  readonly from: string
  readonly isTypeOnly: boolean
}

interface File {
  /** From the project's folder. */
  readonly path: string
  readonly layer: string
  readonly lines: number
  readonly imports: readonly Import[]
  readonly banned: readonly string[]
}

const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter(path => path.endsWith('.ts'))
  .map(path => readFile(join('src', path)))
const byPath = new Map(files.map(file => [file.path, file]))
const pure = files.filter(file => PURE.includes(file.layer))

t.test('every file is in a layer that the table knows', async t => {
  t.ok(files.length > 50, `${files.length} files`)
  t.strictSame(
    files.filter(file => LAYERS[file.layer] === undefined).map(file => file.path),
    [],
  )
  t.strictSame(
    files.filter(file => file.layer === 'base').map(file => file.path),
    BASE_FILES.map(name => `src/${name}.ts`).sort(),
  )
})

t.test('imports point down only', async t => {
  const upward = files.flatMap(file =>
    localImports(file)
      .map(({ from }) => layerOf(from))
      .filter(layer => layer !== file.layer && !LAYERS[file.layer]!.includes(layer))
      .map(layer => `${file.path} imports ${layer}`),
  )
  t.strictSame(upward, [])
})

t.test('every import of our own names a file that is there', async t => {
  const missing = files.flatMap(file => localImports(file).filter(({ from }) => !byPath.has(from)))
  t.strictSame(missing, [])
})

t.test('the pure folders import neither node nor a package but the parser', async t => {
  const foreign = pure.flatMap(file =>
    packageImports(file)
      .filter(name => !(file.path === IMPORTERS['binary-parser'] && name === 'binary-parser'))
      .map(name => `${file.path} imports ${name}`),
  )
  t.strictSame(foreign, [])
})

t.test('a package has one importer', async t => {
  const importers = files.flatMap(file => packageImports(file).map(name => [name, file.path] as const))
  for (const [name, path] of importers) {
    if (!name.startsWith('node:')) t.equal(IMPORTERS[name], path, `${path} imports ${name}`)
  }
  for (const name of Object.keys(IMPORTERS)) {
    t.ok(
      importers.some(([imported]) => imported === name),
      name,
    )
  }
})

t.test('the pure folders use no clock, no chance, no timer, no process and nothing asynchronous', async t => {
  t.strictSame(
    pure.flatMap(file => file.banned.map(what => `${file.path}: ${what}`)),
    [],
  )
})

t.test('the scan for what is banned finds it', async t => {
  const text = `
    const a = Date.now() + Math.random()
    async function f() { await g(); for await (const x of y) {} }
    setTimeout(() => process.exit(), 1); const p: Promise<void> = import('x')
    // Date.now, async
    const s = 'process'
  `
  const found = bannedIn(ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, true))
  for (const what of ['Date', 'Math.random', 'async', 'await', 'for await', 'setTimeout', 'process', 'Promise']) {
    t.ok(
      found.some(entry => entry.startsWith(`${what} `)),
      what,
    )
  }
  t.ok(found.every(entry => / line [234]$/.test(entry)))
})

t.test(`no file is longer than ${LINES_MAX} lines`, async t => {
  t.strictSame(
    files.filter(file => file.lines > LINES_MAX).map(file => `${file.path}: ${file.lines}`),
    [],
  )
})

t.test('no two files of the pure folders import each other round about, but for types', async t => {
  t.strictSame(findCycle(pure), [])
})

function readFile(path: string): File {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const banned = bannedIn(source)
  return { path, layer: layerOf(path), lines: text.split('\n').length - 1, imports: importsOf(source), banned }
}

function layerOf(path: string): string {
  const [first, second] = relative('src', path).split('/')
  if (second !== undefined) return first!
  const name = first!.replace('.ts', '')
  return name === 'index' || name === 'cli' ? name : 'base'
}

function importsOf(source: ts.SourceFile): Import[] {
  const imports: Import[] = []
  const visit = (node: ts.Node) => {
    if (ts.isImportDeclaration(node))
      imports.push({ from: textOf(node.moduleSpecifier), isTypeOnly: isTypeImport(node) })
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      imports.push({ from: textOf(node.moduleSpecifier), isTypeOnly: isTypeExport(node) })
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      imports.push({ from: textOf(node.arguments[0]!), isTypeOnly: false })
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      imports.push({ from: textOf(node.argument.literal), isTypeOnly: true })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return imports
}

function textOf(node: ts.Node): string {
  return ts.isStringLiteral(node) ? node.text : `a computed name: ${node.getText()}`
}

function isTypeImport({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false
  if (importClause.isTypeOnly) return true
  const { name, namedBindings } = importClause
  if (name !== undefined || namedBindings === undefined || !ts.isNamedImports(namedBindings)) return false
  return namedBindings.elements.length > 0 && namedBindings.elements.every(element => element.isTypeOnly)
}

function isTypeExport({ isTypeOnly, exportClause }: ts.ExportDeclaration): boolean {
  if (isTypeOnly) return true
  return (
    exportClause !== undefined &&
    ts.isNamedExports(exportClause) &&
    exportClause.elements.every(element => element.isTypeOnly)
  )
}

function bannedIn(source: ts.SourceFile): string[] {
  const found: string[] = []
  const visit = (node: ts.Node) => {
    const what = bannedHere(node)
    if (what !== undefined) {
      found.push(`${what} in line ${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function bannedHere(node: ts.Node): string | undefined {
  if (ts.isIdentifier(node)) return BANNED_NAMES.has(node.text) ? node.text : undefined
  if (node.kind === ts.SyntaxKind.AsyncKeyword) return 'async'
  if (ts.isAwaitExpression(node)) return 'await'
  if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) return 'for await'
  if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random') return 'Math.random'
  return undefined
}

/** Imports of our own files, as their paths. */
function localImports(file: File): Import[] {
  return file.imports
    .filter(({ from }) => from.startsWith('.'))
    .map(({ from, isTypeOnly }) => ({ from: join(dirname(file.path), from).replace(/\.js$/, '.ts'), isTypeOnly }))
}

function packageImports(file: File): string[] {
  return file.imports.map(({ from }) => from).filter(from => !from.startsWith('.'))
}

/** The files of one circle of imports that is not of types alone; empty where there is none. */
function findCycle(among: readonly File[]): readonly string[] {
  const done = new Set<string>()
  const trail: string[] = []
  const visit = (path: string): readonly string[] => {
    if (done.has(path)) return []
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    trail.push(path)
    for (const { from, isTypeOnly } of localImports(byPath.get(path)!)) {
      const cycle = isTypeOnly || !byPath.has(from) ? [] : visit(from)
      if (cycle.length > 0) return cycle
    }
    trail.pop()
    done.add(path)
    return []
  }
  for (const { path } of among) {
    const cycle = visit(path)
    if (cycle.length > 0) return cycle
  }
  return []
}
