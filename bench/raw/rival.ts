// One end of a rival: file -> TCP -> file with SHA-256 at the receiver, or file -> udx -> file without any check.
//
//   rival.js tcp|udx send ADDRESS PATH                   waits for whoever fetches
//   rival.js tcp|udx fetch ADDRESS FROM PORT SIZE OUT    at ADDRESS, from whoever waits at FROM
//
// The receiver says `started` before it opens the connection, and `result` when the file is there.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import { connect, createServer } from 'node:net'

/** What one read or write of the file moves: with more or less TCP is no faster here. */
const PIECE = 512 * 1024
/** Pieces that may wait for the disk. */
const PIECES = 16

const [system = '', role = '', address = '', ...rest] = process.argv.slice(2)
const say = (t: string, fields: object = {}) => process.stdout.write(`${JSON.stringify({ t, ...fields })}\n`)
process.on('SIGINT', () => process.exit(0))

if (role === 'send') await (system === 'tcp' ? sendTcp(rest[0]!) : sendUdx(rest[0]!))
else {
  const [from = '', port = '', size = '', out = ''] = rest
  if (system === 'tcp') await fetchTcp(from, Number(port), out)
  else await fetchUdx(from, Number(port), Number(size), out)
}

async function sendTcp(path: string): Promise<void> {
  const server = createServer(async socket => {
    const file = await open(path)
    const pieces = [0, 1].map(() => Buffer.allocUnsafeSlow(PIECE))
    const free = pieces.map(() => Promise.resolve())
    for (let i = 0; ; i++) {
      const piece = pieces[i % 2]!
      await free[i % 2]
      const { bytesRead } = await file.read(piece, 0, PIECE)
      if (bytesRead === 0) break
      free[i % 2] = new Promise(resolve => socket.write(piece.subarray(0, bytesRead), () => resolve()))
    }
    socket.end()
    await file.close()
  })
  server.listen(0, address)
  await once(server, 'listening')
  say('ready', { port: (server.address() as { port: number }).port })
}

/** Read into memory that is used again; hashed and written as it comes. */
async function fetchTcp(from: string, port: number, out: string): Promise<void> {
  const file = await open(`${out}.part`, 'w')
  const hash = createHash('sha256')
  const free = Array.from({ length: PIECES }, () => new Uint8Array(PIECE))
  let writing: Promise<unknown> = Promise.resolve()
  const write = async (piece: Uint8Array<ArrayBuffer>, length: number): Promise<void> => {
    await file.write(piece, 0, length)
    free.push(piece)
    if (free.length === 1) socket.resume()
  }
  say('started')
  const start = performance.now()
  const socket = connect({
    port,
    host: from,
    onread: {
      // Asked for after each read, and the next read goes there: with none left after this one, reading pauses.
      buffer: () => free.pop()!,
      callback: (length, read) => {
        const piece = read as Uint8Array<ArrayBuffer>
        hash.update(piece.subarray(0, length))
        writing = writing.then(() => write(piece, length))
        return free.length > 1
      },
    },
  })
  await once(socket, 'end')
  await writing
  await finish(file, out)
  say('result', { seconds: (performance.now() - start) / 1_000, sha256: hash.digest('hex') })
}

async function finish(file: FileHandle, out: string): Promise<void> {
  await file.sync()
  await file.close()
  await rename(`${out}.part`, out)
}

interface UdxStream extends NodeJS.ReadWriteStream {
  connect(socket: UdxSocket, id: number, port: number, address: string): void
}

interface UdxSocket {
  bind(port: number, address: string): void
  address(): { port: number }
  on(event: 'message', listener: (message: Buffer, from: { host: string; port: number }) => void): void
  send(message: Buffer, port: number, address: string): Promise<unknown>
}

async function udx(): Promise<{ socket: UdxSocket; stream: UdxStream }> {
  const { default: UDX } = (await import('udx-native' as string)) as {
    default: new () => { createSocket(): UdxSocket; createStream(id: number): UdxStream }
  }
  const network = new UDX()
  const socket = network.createSocket()
  socket.bind(0, address)
  return { socket, stream: network.createStream(1) }
}

async function sendUdx(path: string): Promise<void> {
  const { socket, stream } = await udx()
  socket.on('message', (_, { host, port }) => {
    stream.connect(socket, 1, port, host)
    createReadStream(path, { highWaterMark: PIECE }).pipe(stream)
  })
  say('ready', { port: socket.address().port })
}

async function fetchUdx(from: string, port: number, size: number, out: string): Promise<void> {
  const { socket, stream } = await udx()
  const file = createWriteStream(`${out}.part`, { highWaterMark: 4 * PIECE })
  let octets = 0
  say('started')
  const start = performance.now()
  stream.connect(socket, 1, port, from)
  stream.on('data', data => {
    octets += data.length
    if (octets >= size) stream.emit('whole')
  })
  stream.pipe(file)
  await socket.send(Buffer.from('go'), port, from)
  await once(stream, 'whole')
  file.end()
  await once(file, 'finish')
  await rename(`${out}.part`, out)
  say('result', { seconds: (performance.now() - start) / 1_000 })
}
