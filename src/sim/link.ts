// One direction of a computer's link to the hub. A datagram pays, in order: the queue and the rate of the link, its
// faults, its delay. Sizes on a link are those of the IP packet, as on a real one.
import { type Instant, instant, type Milliseconds, ms } from '../units.js'
import type { SeededRandom } from './random.js'

/** What IPv4 and UDP add to a datagram. */
export const IP_UDP_BYTES = 28

export interface LinkSettings {
  /** Mbit/s; 0 = no limit. */
  readonly rate: number
  /** One way. */
  readonly delay: Milliseconds
  /** Upper bound of a further delay, uniform, which reorders. */
  readonly jitter: Milliseconds
  /** Octets that may wait for the link; what does not fit is dropped. */
  readonly queue: number
  /** Share lost after the link, 0 to 1. */
  readonly loss: number
  /** Mean length of a run of losses (Gilbert model); 1 = each by itself. */
  readonly burst: number
  /** Share that comes twice. */
  readonly duplication: number
  /** Share that is held back by `reorderDelay`. */
  readonly reordering: number
  readonly reorderDelay: Milliseconds
  /** Share in which bits flip. The UDP checksum catches it, and the datagram is lost, but for `undetected` of them. */
  readonly corruption: number
  readonly undetected: number
  /** Share that arrives cut short. */
  readonly truncation: number
  /** Octets of the largest packet that passes; larger ones vanish without a word. 0 = all pass. */
  readonly mtu: number
}

export const PERFECT_LINK: LinkSettings = {
  rate: 0,
  delay: ms(0),
  jitter: ms(0),
  queue: Infinity,
  loss: 0,
  burst: 1,
  duplication: 0,
  reordering: 0,
  reorderDelay: ms(20),
  corruption: 0,
  undetected: 0.01,
  truncation: 0,
  mtu: 0,
}

/** After so long without a datagram, whether the next is lost has nothing to do with the one before. */
const RUN_MEMORY = ms(50)

/** What happens to the octets of a copy that arrives. */
export const HARM = { NONE: 0, FLIPPED: 1, CUT: 2 } as const

/** Why nothing arrived, and what was done to what did. */
export type LinkCounters = Record<
  'carried' | 'octets' | 'lost' | 'queueFull' | 'tooLarge' | 'checksum' | 'flipped' | 'cut' | 'duplicated' | 'heldBack',
  number
>

export class Link {
  readonly counters: LinkCounters = {
    carried: 0,
    octets: 0,
    lost: 0,
    queueFull: 0,
    tooLarge: 0,
    checksum: 0,
    flipped: 0,
    cut: 0,
    duplicated: 0,
    heldBack: 0,
  }
  /** When each copy of the datagram last carried arrives, and its harm. */
  readonly arrivals: Instant[] = [instant(0), instant(0)]
  readonly harms: number[] = [HARM.NONE, HARM.NONE]
  /** Why the datagram last refused did not arrive. */
  fate: keyof LinkCounters = 'carried'

  readonly #random: SeededRandom
  #settings: LinkSettings
  /** When the link falls idle. */
  #free = -Infinity
  /** Gilbert state: inside a run of losses. */
  #isBad = false
  #usedAt = -Infinity

  constructor(random: SeededRandom, settings: Partial<LinkSettings> = {}) {
    this.#random = random
    this.#settings = { ...PERFECT_LINK, ...settings }
  }

  get settings(): LinkSettings {
    return this.#settings
  }

  /** Milliseconds that a datagram would wait for the link. */
  wait(now: Instant): number {
    return Math.max(0, this.#free - now)
  }

  /** Takes effect with the next datagram; what waits keeps the time it was given. */
  change(settings: Partial<LinkSettings>): void {
    this.#settings = { ...this.#settings, ...settings }
  }

  /**
   * Decides what becomes of a datagram.
   *
   * @param now never earlier than in the previous call
   * @param octets of UDP payload
   * @returns how many copies arrive, 0 to 2; `arrivals` and `harms` say when and how, or `fate` why none does
   */
  carry(now: Instant, octets: number): number {
    const size = octets + IP_UDP_BYTES
    const { mtu, loss, corruption, undetected, duplication } = this.#settings
    if (mtu > 0 && size > mtu) return this.#refuse('tooLarge')
    const departure = this.#serialise(now, size)
    if (departure < 0) return this.#refuse('queueFull')
    if (loss > 0 && this.#loses(now)) return this.#refuse('lost')
    const isCorrupt = this.#random.chance(corruption)
    if (isCorrupt && !this.#random.chance(undetected)) return this.#refuse('checksum')
    this.counters.carried++
    this.counters.octets += size
    this.harms[0] = isCorrupt ? this.#harm('flipped') : HARM.NONE
    if (this.#random.chance(this.#settings.truncation)) this.harms[0] = this.#harm('cut')
    this.arrivals[0] = this.#arrival(departure)
    if (!this.#random.chance(duplication)) return 1
    this.counters.duplicated++
    this.harms[1] = HARM.NONE
    this.arrivals[1] = this.#arrival(departure)
    return 2
  }

  #refuse(fate: keyof LinkCounters): 0 {
    this.counters[fate]++
    this.fate = fate
    return 0
  }

  #harm(fate: 'flipped' | 'cut'): number {
    this.counters[fate]++
    return fate === 'cut' ? HARM.CUT : HARM.FLIPPED
  }

  /** When the last bit has left, or -1 where the queue is full. The packet being sent counts as waiting. */
  #serialise(now: Instant, size: number): number {
    const { rate, queue } = this.#settings
    if (rate <= 0) return now
    const bitsPerMs = rate * 1_000
    const start = Math.max(this.#free, now)
    const backlog = ((start - now) * bitsPerMs) / 8
    if (backlog + size > queue) return -1
    this.#free = start + (size * 8) / bitsPerMs
    return this.#free
  }

  /**
   * Gilbert: a run ends with probability 1/burst, and begins as often as makes the share of losses `loss`. Runs come from
   * what happens in moments, so they do not span the pauses of a sparse flow.
   */
  #loses(now: Instant): boolean {
    const { loss, burst } = this.#settings
    if (burst <= 1 || loss >= 1) return this.#random.chance(loss)
    const leave = 1 / burst
    const enter = (loss * leave) / (1 - loss)
    if (now - this.#usedAt > RUN_MEMORY) this.#isBad = this.#random.chance(loss)
    else this.#isBad = this.#isBad ? !this.#random.chance(leave) : this.#random.chance(enter)
    this.#usedAt = now
    return this.#isBad
  }

  #arrival(departure: number): Instant {
    const { delay, jitter, reordering, reorderDelay } = this.#settings
    let arrival = departure + delay
    if (jitter > 0) arrival += this.#random.uniform() * jitter
    if (this.#random.chance(reordering)) {
      this.counters.heldBack++
      arrival += reorderDelay
    }
    return instant(arrival)
  }
}
