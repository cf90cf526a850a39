// The collector's own copy of the file as a source: its own fragment, what a vanished peer still owed, and what nobody
// else has. Blocks are read one by one and were checked against the file's own tree before they get here.
import type { BlockIndex } from '../units.js'
import { BLOCK_BYTES } from '../wire/layout.js'
import type { Assembly, OpenBlock } from './assembly.js'
import type { EffectSink } from './effect.js'
import { LOCAL_SOURCES } from './ledger.js'
import { Owed } from './owed.js'

/** Blocks read at once. */
const READS_MAX = 8

export class LocalSource {
  readonly file: number
  /** By source number (ledger.ts): what is to be read, and why. */
  readonly #owed = new Map<number, Owed>(Object.values(LOCAL_SOURCES).map(source => [source, new Owed()]))
  /** By block: the memory that it is read into. */
  readonly #reading = new Map<BlockIndex, Uint8Array>()
  readonly #spare: Uint8Array[] = []
  /** Why the file can't be used any more. */
  broken: string | undefined

  constructor(file: number) {
    this.file = file
  }

  get usable(): boolean {
    return this.broken === undefined
  }

  get hasRoom(): boolean {
    return this.usable && this.#reading.size < READS_MAX
  }

  /** Something of it is still on its way from the disk. */
  get isBusy(): boolean {
    return this.usable && [...this.#owed.values()].some(owed => !owed.isEmpty)
  }

  of(source: number): Owed {
    return this.#owed.get(source)!
  }

  owes(block: BlockIndex, chunk: number): boolean {
    for (const owed of this.#owed.values()) if (owed.chunksOf(block)?.has(chunk)) return true
    return false
  }

  /** A chunk came from elsewhere in the meantime. */
  settle(open: OpenBlock, chunk: number): void {
    for (const owed of this.#owed.values()) owed.settle(open, chunk)
  }

  /** Reads what is owed and not being read yet. */
  read(effects: EffectSink): void {
    for (const owed of this.#owed.values()) {
      for (const { open } of owed.entries()) {
        if (!this.hasRoom) return
        if (this.#reading.has(open.index)) continue
        const into = this.#spare.pop() ?? new Uint8Array(BLOCK_BYTES)
        this.#reading.set(open.index, into)
        effects.push({ kind: 'read-block', file: this.file, block: open.index, check: 'hash', into })
      }
    }
  }

  /** Takes a block that was read: exactly the chunks owed go to their places. @returns whether it was waited for */
  onRead(block: BlockIndex, data: Uint8Array, assembly: Assembly): boolean {
    const memory = this.#reading.get(block)
    if (memory === undefined) return false
    this.#reading.delete(block)
    this.#spare.push(memory)
    const open = assembly.find(block)
    if (open === undefined) return true
    for (const [source, owed] of this.#owed) {
      const chunks = owed.release(open)
      if (chunks !== undefined) assembly.fillFrom(open, data, chunks, source)
    }
    return true
  }

  /** Gives up: nothing more is read. */
  onBroken(why: string): void {
    this.broken = why
    this.#reading.clear()
    for (const owed of this.#owed.values()) for (const { open } of [...owed.entries()]) owed.release(open)
  }

  release(open: OpenBlock): void {
    for (const owed of this.#owed.values()) owed.release(open)
  }
}
