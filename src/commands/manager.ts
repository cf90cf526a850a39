// `peer-udp manager`: keeps the list and shows it whenever it changes.
import { createManager, endpointKey, type SocketKind } from '../index.js'
import { Dashboard } from './dashboard.js'
import { EXIT_OF_STOP, type ExitCode } from './exit-codes.js'
import { Output } from './output.js'

export interface ManagerCommand {
  readonly port: number
  /** Undefined: loopback. */
  readonly listen: string | undefined
  /** Undefined: what works best here. */
  readonly socket: SocketKind | undefined
  readonly json: boolean
}

/** Runs until `signal` or an error. @returns the exit code @throws UsageError for what the operator can mend */
export async function runManager(command: ManagerCommand, signal: AbortSignal): Promise<ExitCode> {
  const output = new Output({ json: command.json })
  const node = await createManager({
    port: command.port,
    isAlone: true,
    ...(command.listen === undefined ? {} : { listen: command.listen }),
    ...(command.socket === undefined ? {} : { socket: command.socket }),
    onEvent: event => dashboard.draw(event),
    signal,
  })
  const dashboard = new Dashboard({ output, own: undefined, now: () => node.now() })
  const local = endpointKey(node.local)
  output.say(`manager on ${local}, waiting for peers (Ctrl-C closes the swarm)`)
  if (node.remark !== undefined) output.say(node.remark)
  output.emit('started', { role: 'manager', local, socket: node.socket })
  const why = await node.done
  output.say('the swarm is closed: the peers were told goodbye')
  output.emit('stopped', { why })
  return EXIT_OF_STOP[why]
}
