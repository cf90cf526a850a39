// How complete a content is at those who still collect it: a collector that wants none of its blocks asks them.
import { Bitmap } from '../content/bitmap.js'
import { FileLayout } from '../content/layout.js'
import { type Endpoint, endpointKey } from '../endpoint.js'
import type { GetContext } from './get.js'
import { MemoryTarget } from './memory-target.js'
import type { Held } from './view.js'

export interface Holder {
  readonly peer: Endpoint
  /** Share of the blocks that it has, 0 to 1; undefined where it collects them still, and did not say in time. */
  readonly has: number | undefined
}

/** How long those who collect are asked. */
const SURVEY_MS = 2_000
/** Where more than so many collect a content, none is asked. */
const ASKED_MAX = 256

/** A fetch that wants nothing is over as soon as its target is ready: when we know enough. */
class Gate extends MemoryTarget {
  open: () => void = () => {}
  readonly #opened = new Promise<void>(resolve => {
    this.open = resolve
  })

  override prepare(): Promise<void> {
    return this.#opened
  }
}

/** @throws TransferError; what `signal` was aborted with */
export async function runSurvey(held: Held, context: GetContext, signal: AbortSignal): Promise<readonly Holder[]> {
  const has = new Map<string, number>()
  if (held.partial.length > 0 && held.partial.length <= ASKED_MAX) await ask(held, has, context, signal)
  const collecting = new Set(held.partial.map(endpointKey))
  return held.peers.map(peer => {
    const key = endpointKey(peer)
    return { peer, has: collecting.has(key) ? has.get(key) : 1 }
  })
}

/** @param has takes what each of them says */
async function ask(held: Held, has: Map<string, number>, context: GetContext, signal: AbortSignal): Promise<void> {
  const offer = { name: held.names[0]!, size: held.bytes, root: Buffer.from(held.id, 'hex') }
  const blocks = new Bitmap(new FileLayout(held.bytes).blockCount)
  const target = new Gate()
  const late = setTimeout(target.open, SURVEY_MS)
  signal.addEventListener('abort', target.open, { once: true })
  try {
    await context.fetch({ offer, blocks, restart: true, target }, signal, event => {
      if (event.kind !== 'progress') return
      for (const path of event.progress.peers) if (path.has !== undefined) has.set(endpointKey(path.endpoint), path.has)
      if (held.partial.every(peer => has.has(endpointKey(peer)))) target.open()
    })
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', target.open)
  }
}
