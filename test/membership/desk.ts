import type { Endpoint } from '../../src/endpoint.js'
import type { MembershipEvent } from '../../src/membership/event.js'
import { Manager } from '../../src/membership/manager.js'
import type { ManagerSettings } from '../../src/membership/settings.js'
import { DIGESTS } from '../../src/sim/digests.js'
import { SeededRandom } from '../../src/sim/random.js'
import { instant, sequence } from '../../src/units.js'
import type { Message, Unsequenced } from '../../src/wire/message.js'
import type { Outgoing } from '../../src/wire/outgoing.js'

export const HOME: Endpoint = { address: '127.0.0.1', port: 4000 }

/** A manager with one voice to it: says a message, gives the answers. */
export class Desk {
  readonly manager: Manager
  readonly events: MembershipEvent[] = []
  last = sequence(0)

  constructor(settings: Partial<ManagerSettings> = {}, manager?: Manager) {
    const random = new SeededRandom(1, 'desk')
    this.manager = manager ?? new Manager({ epoch: 99n, random, digests: DIGESTS, settings })
  }

  /** A sequence number; it counts as used. */
  number() {
    this.last = sequence(this.last + 1)
    return this.last
  }

  hear(message: Unsequenced & { sequence?: number }, now: number, from: Endpoint = HOME): Message[] {
    const out: Outgoing[] = []
    const numbered = { sequence: message.sequence ?? this.number(), ...message } as Message
    this.manager.receive(numbered, from, instant(now), out, this.events)
    return out.map(outgoing => outgoing.message)
  }

  tick(now: number): Message[] {
    const out: Outgoing[] = []
    this.manager.tick(instant(now), out, this.events)
    return out.map(outgoing => outgoing.message)
  }

  cookieFor(session: bigint, now: number, from: Endpoint = HOME): Uint8Array {
    const [answer] = this.hear({ kind: 'hello', session, padding: 25 }, now, from)
    if (answer?.kind !== 'cookie') throw new Error('no cookie')
    return answer.cookie
  }

  join(session: bigint, now: number, from: Endpoint = HOME, ttl = 0): Message[] {
    const cookie = this.cookieFor(session, now, from)
    return this.hear({ kind: 'register', session, cookie, ttl, offers: [] }, now, from)
  }

  beat(session: bigint, now: number, version = 0, from: Endpoint = HOME): Message[] {
    return this.hear({ kind: 'heartbeat', session, ack: false, version, ttlLeft: 0 }, now, from)
  }
}
