import type { Endpoint } from '../endpoint.js'
import type { Message } from './message.js'

/** A control message and where it goes; bulk never takes this way. */
export interface Outgoing {
  readonly to: Endpoint
  readonly message: Message
}
