// One end of a transfer by another transport, as a process: it says in JSON lines what a collector or a peer would say.
//
//     node main.js send NAME OWN OTHER FILE
//     node main.js receive NAME OWN OTHER FILE SIZE
//     node main.js drain NAME OWN OTHER
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { addressOf } from '../places/places.js'
import type { ByteStream, Opponent } from './opponent.js'
import { OPPONENTS } from './opponents.js'

const PIECE = 1 << 20
/** Milliseconds between two lines of progress. */
const PROGRESS_EVERY = 250

const [role, name = '', own = '', other = '', path = '', size] = process.argv.slice(2)
const opponent = OPPONENTS[name]
if (opponent === undefined) throw new Error(`no transport has the name "${name}"`)
// Ctrl-C reaches the whole group: the bench ends this process itself.
process.on('SIGINT', () => process.exit())
if (role === 'send') await send(opponent)
else if (role === 'drain') await drain(opponent)
else await receive(opponent, Number(size))

async function send({ send }: Opponent): Promise<void> {
  const stream = await send(addressOf(own), addressOf(other), () => say({ t: 'registered' }))
  stream.on('error', giveUp)
  for await (const piece of createReadStream(path, { highWaterMark: PIECE })) {
    if (!stream.write(piece as Buffer)) await once(stream, 'drain')
  }
  stream.end()
  // Whoever measures reads the CPU time of a process that is there, and ends it.
  setInterval(() => {}, PROGRESS_EVERY)
}

/** From the first datagram to the file under its name, on the disk: what `seconds` of a collector counts. */
async function receive({ receive }: Opponent, size: number): Promise<void> {
  say({ t: 'started' })
  const start = performance.now()
  const stream = await receive(addressOf(own), addressOf(other), size)
  stream.on('error', giveUp)
  await store(stream, size)
  await rename(`${path}.part`, path)
  say({ t: 'result', ok: true, seconds: (performance.now() - start) / 1_000 })
  // Streams and sockets of some packages keep the process alive.
  process.exit()
}

/** Counts what comes and keeps none of it, until it is ended. */
async function drain({ receive }: Opponent): Promise<void> {
  say({ t: 'started' })
  const stream = await receive(addressOf(own), addressOf(other), Infinity)
  let octets = 0
  stream.on('error', giveUp)
  stream.on('end', () => giveUp(new Error('the other end closed the connection')))
  stream.on('data', (piece: Buffer) => {
    octets += piece.length
  })
  setInterval(() => say({ t: 'progress', verifiedBytes: octets }), PROGRESS_EVERY)
}

/** Writes what comes beside the target and flushes it to the disk. Pieces that come faster than the disk takes them are written together. */
async function store(stream: ByteStream, size: number): Promise<void> {
  const handle = await open(`${path}.part`, 'w')
  const file = createWriteStream('', { fd: handle.fd, autoClose: false, highWaterMark: PIECE })
  let octets = 0
  const progress = setInterval(() => say({ t: 'progress', verifiedBytes: octets }), PROGRESS_EVERY)
  await new Promise<void>(resolve => {
    file.on('drain', () => stream.resume())
    stream.on('data', (piece: Buffer) => {
      octets += piece.length
      if (!file.write(piece)) stream.pause()
      if (octets >= size) file.end(resolve)
    })
  })
  clearInterval(progress)
  await handle.sync()
  await handle.close()
}

function giveUp(error: Error): never {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}

function say(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
