// `npm run demo`: a manager, three peers and a collector as processes of their own on loopback. One peer's TTL ends while
// it uploads. The file must arrive all the same, and this process, which took no part, compares the two files itself.
import { createCipheriv, createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Actor, type Line } from './demo-actor.js'
import { EXIT } from './exit-codes.js'
import { Output, type Style } from './output.js'
import { size } from './words.js'

const FILE_BYTES = 24_000_000
/** Slow enough that one can watch: the three peers' fragments take about six seconds. */
const LIMIT = '8mbit'
/** Ends about half way through the transfer. */
const SHORT_TTL = 4
/** The whole takes about ten seconds; a demo that hangs is a failed one. */
const PATIENCE = 30_000
const GOODBYE_PATIENCE = 2_000
const LABEL_WIDTH = 10

const output = new Output({ json: false, stderr: process.stdout })
const folder = await mkdtemp(join(tmpdir(), 'peer-udp-demo-'))
const actors: Actor[] = []
let isEnding = false

// Whatever ends this process, its children and its folder go with it.
process.on('exit', () => {
  for (const actor of actors) actor.signal('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => void end(EXIT.INTERRUPTED))
setTimeout(() => {
  output.say(output.paint('red', 'the demo did not come to its end in time'))
  process.exit(EXIT.INTERNAL)
}, PATIENCE).unref()

try {
  await end(await play())
} catch (error) {
  // After Ctrl-C the processes end because they were told to.
  if (isEnding) await new Promise(() => {})
  output.say(output.paint('red', `the demo failed: ${error instanceof Error ? error.message : String(error)}`))
  await end(EXIT.INTERNAL)
}

async function play(): Promise<number> {
  const shared = join(folder, 'shared_file.bin')
  const rebuilt = join(folder, 'reconstructed_file.bin')
  await writeFile(shared, seededOctets(FILE_BYTES))
  tell(`A file of ${size(FILE_BYTES)} and five processes, in ${folder}`)

  const [managerPort, ...ports] = await freePorts([5000, 4000, 4001, 3000, 5001])
  const collectorPort = ports.pop()
  const manager = enter('manager', 'bold', ['manager', '--port', `${managerPort}`])
  await manager.saw('started')

  const common = ['--manager', `127.0.0.1:${managerPort}`, '--share', shared]
  const peers = ports.map((port, at) => {
    const ttl = at === ports.length - 1 ? [`${SHORT_TTL}`] : []
    return enterQuietly(`peer ${port}`, 'dim', ['peer', `${port}`, ...ttl, ...common, '--limit', LIMIT])
  })
  await Promise.all(peers.map(peer => peer.saw('registered')))

  tell(`The collector has the file too: a quarter is its own, and what a peer leaves undone comes from its disk`)
  const collecting = ['peer', `${collectorPort}`, ...common, '--collect', '--once', '--out', rebuilt]
  const collector = enter('collector', 'green', collecting)
  const code = await collector.ended
  if (isEnding) return code
  tell('Ctrl-C on the manager: it says goodbye to all that are left')
  manager.signal('SIGINT')
  await Promise.all([manager, ...peers].map(actor => actor.ended))
  return code === EXIT.FINE ? await compare(shared, rebuilt) : code
}

async function compare(shared: string, rebuilt: string): Promise<number> {
  const [before, after] = await Promise.all([shared, rebuilt].map(sha256))
  const same = before === after
  tell('The two files, hashed by this process')
  output.say(`${before}  shared_file.bin`, `${after}  reconstructed_file.bin`)
  output.say(same ? output.paint('green', 'identical') : output.paint('red', 'not identical'))
  return same ? EXIT.FINE : EXIT.NOT_IDENTICAL
}

/** A process whose every word is shown. */
function enter(name: string, style: Style, args: readonly string[]): Actor {
  return start({ args, say: line => output.say(`${label(name, style)}${line}`) })
}

/** A peer prints each list as the manager does; here a line for each is enough. */
function enterQuietly(name: string, style: Style, args: readonly string[]): Actor {
  const held: string[] = []
  const actor = start({
    args,
    say: line => held.push(line),
    onLine: line => {
      const text = inShort(line)
      if (text !== undefined) output.say(`${label(name, style)}${text}`)
    },
  })
  void actor.ended.then(code => {
    if (code !== EXIT.FINE) output.say(...held.slice(-1).map(line => `${label(name, 'red')}${line}`))
  })
  return actor
}

function start(options: ConstructorParameters<typeof Actor>[0]): Actor {
  const actor = new Actor(options)
  actors.push(actor)
  return actor
}

function inShort(line: Line): string | undefined {
  if (line.t === 'registered') return 'registered'
  if (line.t === 'stopped') return `left: ${String(line.why)}`
  if (line.t !== 'list' || !Array.isArray(line.peers)) return undefined
  return `has list ${String(line.version)}: ${line.peers.map(({ peer }) => String(peer)).join(' ')}`
}

function label(name: string, style: Style): string {
  return `${output.paint(style, name.padEnd(LABEL_WIDTH))}│ `
}

function tell(text: string): void {
  output.say('', output.paint('bold', text))
}

/** Lets the processes leave politely, then stops with `code`. */
async function end(code: number): Promise<never> {
  isEnding = true
  const patience = setTimeout(() => process.exit(code), GOODBYE_PATIENCE)
  for (const actor of actors) actor.signal('SIGINT')
  await Promise.all(actors.map(actor => actor.ended))
  clearTimeout(patience)
  process.exit(code)
}

/** The ports asked for; where one is taken, another that is free. */
async function freePorts(wanted: readonly number[]): Promise<number[]> {
  const sockets = wanted.map(() => createSocket('udp4'))
  try {
    return await Promise.all(sockets.map((socket, at) => bound(socket, wanted[at] ?? 0)))
  } finally {
    for (const socket of sockets) socket.close()
  }
}

async function bound(socket: ReturnType<typeof createSocket>, port: number): Promise<number> {
  try {
    socket.bind(port, '127.0.0.1')
    await once(socket, 'listening')
  } catch {
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
  }
  return socket.address().port
}

/** The same octets in every run, without a pattern: a key stream of zeros. */
function seededOctets(count: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 'peer-udp'), Buffer.alloc(16)).update(Buffer.alloc(count))
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
