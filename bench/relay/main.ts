// The relay's own process: its timing must not depend on what the bench draws or computes.
import { assert, unreachable } from '../../src/errors.js'
import { SeededRandom } from '../../src/sim/random.js'
import type { RelayReply, RelayRequest } from './messages.js'
import { Relay } from './relay.js'

let relay: Relay | undefined

process.on('message', (request: RelayRequest) => {
  answer(request)
    .catch((error): RelayReply => ({ kind: 'failed', why: error instanceof Error ? error.message : String(error) }))
    .then(reply => process.send?.(reply))
})
process.on('disconnect', () => process.exit())
// Ctrl-C reaches the whole group: the bench ends the relay when it has ended the rest.
process.on('SIGINT', () => {})

async function answer(request: RelayRequest): Promise<RelayReply> {
  switch (request.kind) {
    case 'open': {
      relay?.close()
      const onLoopback = await Relay.onLoopback(request.ports)
      relay = onLoopback
      return { kind: 'opened', ports: onLoopback.ends.ports }
    }
    case 'open-devices': {
      const { Devices } = await import('./devices.js')
      relay?.close()
      relay = await Relay.between(receive => Devices.open(request.names, receive))
      return { kind: 'devices-opened' }
    }
    case 'shape':
      assert(relay !== undefined, 'a relay is opened before it is shaped')
      await relay.shape(request.settings, request.data, new SeededRandom(request.luck.seed, request.luck.label))
      return { kind: 'shaped' }
    case 'change':
      assert(relay !== undefined, 'a relay is opened before it is changed')
      relay.change(request.computers)
      return { kind: 'changed' }
    case 'count-anew':
      assert(relay !== undefined, 'a relay is opened before it counts')
      await relay.countAnew()
      return { kind: 'counting-anew' }
    case 'count':
      assert(relay !== undefined, 'a relay is opened before it counts')
      return { kind: 'counted', counts: await relay.counts() }
    default:
      return unreachable(request)
  }
}
