// A station's own clock and timer. Neither agrees with the world's: zero means nothing on a host's clock, and a timer
// fires on whole milliseconds, late at times.
import { type Instant, instant, type Milliseconds, ms } from '../units.js'
import type { SeededRandom } from './random.js'

export interface ClockSettings {
  /** What the clock shows at the world's zero. */
  readonly ahead: Milliseconds
  /** How much faster than the world's it runs, in millionths. */
  readonly drift: number
  /** A timer fires on multiples of this, as setTimeout does. */
  readonly grain: Milliseconds
  /** Share of timers that fire late, by up to `lateBy`. */
  readonly late: number
  readonly lateBy: Milliseconds
}

export const PERFECT_CLOCK: ClockSettings = { ahead: ms(0), drift: 0, grain: ms(1), late: 0, lateBy: ms(20) }

export class Clock {
  readonly #settings: ClockSettings
  readonly #random: SeededRandom
  readonly #speed: number
  /** Stations don't tick together. */
  readonly #phase: number

  constructor(settings: Partial<ClockSettings>, random: SeededRandom) {
    this.#settings = { ...PERFECT_CLOCK, ...settings }
    this.#random = random
    this.#speed = 1 + this.#settings.drift * 1e-6
    this.#phase = random.uniform() * this.#settings.grain
  }

  /** What the station's clock shows at an instant of the world. */
  read(world: Instant): Instant {
    return instant(this.#settings.ahead + world * this.#speed)
  }

  /**
   * When a timer fires, on the world's clock.
   *
   * @param deadline on the station's clock; one that has passed fires at the next chance
   */
  fires(deadline: Instant, world: Instant): Instant {
    const { ahead, grain, late, lateBy } = this.#settings
    const wanted = Math.max((deadline - ahead) / this.#speed, world)
    let at = this.#phase + Math.ceil((wanted - this.#phase) / grain) * grain
    if (at <= world) at += grain
    if (this.#random.chance(late)) at += this.#random.uniform() * lateBy
    return instant(at)
  }
}
