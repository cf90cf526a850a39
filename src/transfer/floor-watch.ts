// When a path tests its loss floor, and what follows from it.
import type { Instant } from '../units.js'
import { FloorTest } from './floor-test.js'
import type { LossDetector } from './loss.js'
import type { LossFloor } from './loss-floor.js'

/** A floor below this does no harm, and on a path that holds fewer octets no test is exact. */
const FLOOR_TESTED = 0.02
const TESTED_BYTES = 12_000
/** A floor of so much is tested though queues show: it may stem from one that never emptied, and keep it so. */
export const FLOOR_DOUBTED = 0.08
/** Nor is one begun that would take more products of rate and round trip. */
const TESTED_PRODUCTS = 10
/** It is another one if chance strikes so much more often. */
const FLOOR_GROWTH = 1.25

export class FloorWatch {
  readonly #floor: LossFloor
  #test: FloorTest | undefined
  /** The strikes of chance that the last test confirmed: unlike the floor they have no bound. */
  #confirmed = 0
  /** What came before the test, octets a millisecond. */
  #deliveredBefore = 0

  constructor(floor: LossFloor) {
    this.#floor = floor
  }

  /**
   * @param rate ours @param sent lately, both octets a millisecond @param roundTripMin without the queue, ms @param roundTrip with it
   * @param isJoint another path holds back anyway
   * @returns the test that begins if one is due
   */
  begin(
    rate: number,
    sent: number,
    roundTripMin: number,
    roundTrip: number,
    isJoint: boolean,
    now: Instant,
  ): FloorTest | undefined {
    const { share, strikes } = this.#floor
    if (share < FLOOR_TESTED || strikes === 0) return undefined
    const product = rate * roundTripMin
    if (product < TESTED_BYTES || FloorTest.octets(strikes) > TESTED_PRODUCTS * product) return undefined
    const isNew = isJoint || strikes > FLOOR_GROWTH * this.#confirmed + FLOOR_TESTED
    if (this.#test?.isDueAgain(isNew, now) === false) return undefined
    this.#deliveredBefore = sent * (1 - share)
    this.#test = new FloorTest(strikes, rate, this.#deliveredBefore, roundTrip, now)
    this.#confirmed = strikes
    return this.#test
  }

  /** @returns what the link carries, octets a millisecond, where a test shows that what was lost was an overflow */
  onBatch(loss: LossDetector, now: Instant): number | undefined {
    const result = this.#test?.onBatch(loss, now)
    if (result === undefined) return undefined
    if (!result.isChance) this.#floor.set(result.count)
    this.#confirmed = this.#floor.strikes
    return result.isChance ? undefined : this.#deliveredBefore
  }
}
