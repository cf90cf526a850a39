// A process that sends as many full datagrams as it can, or takes them: what the relay carries shows between two of them.
//
//     node flood.js source OWN OTHER MILLISECONDS
//     node flood.js sink OWN
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { IP_UDP_BYTES } from '../../src/sim/link.js'
import { TAG, TAG_AT } from '../../src/wire/layout.js'
import { MTU } from '../limit.js'
import { addressOf } from './places.js'

/** Datagrams between two turns of the event loop. */
const BURST = 64

const [role, own = '', other = '', duration = ''] = process.argv.slice(2)
const socket = createSocket({ type: 'udp4', lookup: (host, _, done) => done(null, host, 4) })
const { port, host } = addressOf(own)
const bound = once(socket, 'listening')
socket.bind(port, host)
await bound
// Where nobody listens a datagram is lost, and that is all.
socket.on('error', () => {})
say('started')
if (role === 'source') {
  const to = addressOf(other)
  const datagram = Buffer.alloc(MTU - IP_UDP_BYTES)
  datagram[TAG_AT] = TAG.CHUNK
  const end = performance.now() + Number(duration)
  while (performance.now() < end) {
    for (let i = 0; i < BURST; i++) socket.send(datagram, to.port, to.host)
    await nextTurn()
  }
  say('result')
  socket.close()
}

function say(t: string): void {
  process.stdout.write(`${JSON.stringify({ t })}\n`)
}
