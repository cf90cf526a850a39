// CUBIC (RFC 9438) as an opponent: slow start without HyStart++, the cubic window with its Reno-friendly region, fast
// convergence, and a reduction in proportion (RFC 6937) while it recovers. Windows are in segments.
import type { Instant } from '../units.js'
import type { Ack, TcpControl } from './tcp-flow.js'

const BETA = 0.7
const C = 0.4
/** Additive increase that makes Reno with this BETA as fast as standard Reno. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA)
const WINDOW_INITIAL = 10
const WINDOW_MIN = 2

export class Cubic implements TcpControl {
  readonly pacing = Infinity
  readonly burst = 1
  #window = WINDOW_INITIAL
  #threshold = Infinity
  #most = 0
  #epochAt: number | undefined
  #epochWindow = 0
  #reno = 0
  /** Losses of segments up to this one were answered. */
  #recoverUntil = 0
  /** What may be in flight while it recovers; undefined when it does not. */
  #recovery: number | undefined
  #flightAtLoss = 0
  #deliveredSinceLoss = 0

  get window(): number {
    return this.#recovery ?? this.#window
  }

  onAck({ number, roundTrip, inFlight, sent }: Ack, now: Instant): void {
    if (this.#recovery !== undefined) {
      this.#recover(inFlight, sent - this.#recoverUntil)
      if (number <= this.#recoverUntil) return
      this.#recovery = undefined
    }
    // A window that is not used is not raised.
    if (inFlight + 1 < this.#window / 2 && sent > WINDOW_INITIAL) return
    if (this.#window < this.#threshold) this.#window++
    else this.#window += this.#growth(roundTrip, now)
  }

  onLoss(number: number, sent: number, inFlight: number): void {
    if (number <= this.#recoverUntil) return
    this.#recoverUntil = sent
    this.#flightAtLoss = Math.max(1, inFlight)
    this.#deliveredSinceLoss = 0
    // Below the last maximum: someone new takes part, leave him more room.
    this.#most = this.#window < this.#most ? (this.#window * (1 + BETA)) / 2 : this.#window
    this.#window = Math.max(WINDOW_MIN, this.#window * BETA)
    this.#threshold = this.#window
    this.#epochAt = undefined
    this.#recovery = inFlight
  }

  onTimeout(_now: Instant): void {
    this.#threshold = Math.max(WINDOW_MIN, this.#window * BETA)
    this.#most = this.#window
    this.#window = 1
    this.#epochAt = undefined
    this.#recovery = undefined
  }

  /** Sends a share of what comes, until no more than the new window is in flight. @param out segments sent since the loss */
  #recover(inFlight: number, out: number): void {
    const delivered = ++this.#deliveredSinceLoss
    const quota =
      inFlight > this.#window
        ? Math.ceil((delivered * this.#window) / this.#flightAtLoss) - out
        : Math.min(this.#window - inFlight, Math.max(delivered - out, 1) + 1)
    this.#recovery = inFlight + Math.max(0, quota)
  }

  /** Segments by which one acknowledgement raises the window. */
  #growth(roundTrip: number, now: Instant): number {
    if (this.#epochAt === undefined) {
      this.#epochAt = now
      this.#epochWindow = this.#window
      this.#reno = this.#window
      this.#most = Math.max(this.#most, this.#window)
    }
    const k = Math.cbrt((this.#most - this.#epochWindow) / C)
    const seconds = (now - this.#epochAt + roundTrip) / 1_000
    const wanted = this.#most + C * (seconds - k) ** 3
    this.#reno += (this.#reno < this.#most ? ALPHA : 1) / this.#window
    const target = Math.max(this.#reno, Math.min(wanted, 1.5 * this.#window))
    return Math.max(0, target - this.#window) / this.#window
  }
}
