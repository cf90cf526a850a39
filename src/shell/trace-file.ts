import { closeSync, openSync, writeSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { TraceFileError, UsageError } from '../errors.js'
import type { HostEvent } from '../host/contract.js'
import { rounded, type TraceFields } from '../transfer/trace.js'
import { type Instant, since } from '../units.js'
import { now } from './clock.js'
import { faultWords } from './file-fault.js'

const VERSION = 1
/** A full buffer is written at once, a part of one after this long: who follows the file sees what happens. */
const BUFFER_CHARACTERS = 1 << 16
const FLUSH_MS = 500

/**
 * What a node does, one JSON object a line; the lines stand in spec/interface.md, "Trace".
 *
 * Writes are rare and short, so they are synchronous: the last lines get out however the process ends. Where the disk fails
 * after the first line the trace ends there, not the transfer.
 */
export class TraceFile {
  readonly #file: number
  readonly #start: Instant
  #text = ''
  #timer: NodeJS.Timeout | undefined
  #isBroken = false
  #isOpen = true

  /**
   * Empties the file, or makes it, and writes the first line.
   *
   * @param others what the trace must not overwrite
   * @throws UsageError where it would; TraceFileError
   */
  static async open(path: string, others: readonly string[]): Promise<TraceFile> {
    for (const other of others) {
      if (await isSameFile(path, other))
        throw new UsageError(`the trace would overwrite ${other}: trace to another path`)
    }
    try {
      return new TraceFile(openSync(path, 'w'))
    } catch (error) {
      throw new TraceFileError(`can't write the trace ${path}: ${faultWords(error)}`)
    }
  }

  private constructor(file: number) {
    this.#file = file
    this.#start = now()
    try {
      writeAll(file, lineOf(0, 'trace:start', { v: VERSION, time: Date.now() }))
    } catch (error) {
      closeSync(file)
      throw error
    }
    process.on('exit', this.#flush)
  }

  /** Takes every event; only those of kind `trace` become lines. */
  onEvent(event: HostEvent): void {
    if (event.kind !== 'trace' || this.#isBroken || !this.#isOpen) return
    this.#text += lineOf(since(this.#start, now()), event.name, event.fields)
    if (this.#text.length >= BUFFER_CHARACTERS) this.#flush()
    else this.#timer ??= setTimeout(this.#flush, FLUSH_MS).unref()
  }

  close(): void {
    if (!this.#isOpen) return
    this.#flush()
    this.#isOpen = false
    process.off('exit', this.#flush)
    try {
      closeSync(this.#file)
    } catch {
      // Some file systems say only now that the disk is full: a trace that is broken ends, no more.
    }
  }

  readonly #flush = (): void => {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const text = this.#text
    this.#text = ''
    if (text === '' || this.#isBroken) return
    try {
      writeAll(this.#file, text)
    } catch {
      this.#isBroken = true
    }
  }
}

/** @param t milliseconds; microseconds are as much as it tells */
function lineOf(t: number, name: string, fields: TraceFields): string {
  return `${JSON.stringify({ t: rounded(t, 3), name, ...fields })}\n`
}

function writeAll(file: number, text: string): void {
  const octets = Buffer.from(text)
  for (let done = 0; done < octets.length; ) done += writeSync(file, octets, done)
}

/** By whatever names. */
async function isSameFile(path: string, other: string): Promise<boolean> {
  if (resolve(path) === resolve(other)) return true
  const [a, b] = await Promise.all([path, other].map(one => stat(one).catch(() => undefined)))
  return a !== undefined && a.dev === b?.dev && a.ino === b.ino
}
