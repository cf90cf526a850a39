// Takes over what an earlier run left: at once where its journal is trusted, after a check where the part was changed since.
import type { Bitmap } from '../content/bitmap.js'
import type { FileLayout } from '../content/layout.js'
import type { Wanted } from '../content/wanted.js'
import { type BlockIndex, blockIndex } from '../units.js'
import type { Blocks } from './blocks.js'
import type { CollectorOptions } from './collector-options.js'
import { PartCheck } from './earlier-run.js'
import type { Turn } from './effect.js'
import type { JournalKeeper } from './journal-keeper.js'
import type { Schedule } from './schedule.js'

export interface ResumptionOptions extends Pick<CollectorOptions, 'tree' | 'earlier'> {
  readonly layout: FileLayout
  readonly wanted: Wanted
  readonly blocks: Blocks
  readonly journal: JournalKeeper
  readonly schedule: Schedule
}

export class Resumption {
  readonly #options: ResumptionOptions
  #check: PartCheck | undefined

  constructor(options: ResumptionOptions) {
    this.#options = options
  }

  /** Some blocks are neither there nor missing: a journal that is written now would forget them. */
  get isChecking(): boolean {
    return this.#check !== undefined
  }

  /** Blocks that may be there, and are not to be asked for before that is known. */
  get claimed(): Bitmap | undefined {
    return this.#check?.claimed
  }

  start(turn: Turn): void {
    const { earlier, tree, journal } = this.#options
    if (earlier.kind === 'none') {
      if (earlier.dropped !== undefined) turn.events.push({ kind: 'resumed', bytes: 0, dropped: earlier.dropped })
    } else if (earlier.mustCheck) this.#check = new PartCheck(earlier.journal.done, tree)
    else {
      journal.resume(earlier.journal)
      this.#take(earlier.journal.done, undefined, turn)
    }
  }

  /** @param data undefined where the block is not what the tree says */
  onRead(block: BlockIndex, data: Uint8Array | undefined, turn: Turn): void {
    this.#check?.onRead(block, data !== undefined)
    this.proceed(turn)
  }

  /** The part is open: goes on with the check; at its end what is right counts, in a new journal, and the rest is anyone's. */
  proceed(turn: Turn): void {
    const check = this.#check
    check?.proceed(turn.effects)
    if (!check?.isDone) return
    const { layout, wanted, journal, schedule } = this.#options
    const { claimed, good } = check
    claimed.forEachSet(0, claimed.size, index => {
      const block = blockIndex(index)
      const start = layout.blockStart(block)
      if (good.has(block)) journal.onWritten(block)
      else if (wanted.has(block)) schedule.orphan(start, start + layout.blockBytes(block))
    })
    this.#check = undefined
    this.#take(good, good.count < claimed.count ? 'was changed by others' : undefined, turn)
  }

  #take(done: Bitmap, dropped: string | undefined, { events }: Turn): void {
    const { blocks } = this.#options
    const before = blocks.bytes
    blocks.onEarlier(done)
    const bytes = blocks.bytes - before
    if (bytes > 0 || dropped !== undefined) events.push({ kind: 'resumed', bytes, dropped })
  }
}
