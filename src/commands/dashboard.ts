// What a node tells its owner -> lines for people and JSON lines. One event in, a few lines out; no waiting.
import { type Endpoint, endpointKey } from '../endpoint.js'
import { unreachable } from '../errors.js'
import type { HostEvent } from '../host/contract.js'
import type { TransferProgress } from '../transfer/report.js'
import type { Instant } from '../units.js'
import { ERROR_CODE } from '../wire/layout.js'
import { type ListEvent, listFields, sayList } from './list.js'
import type { Output } from './output.js'
import { progressBar, progressFields, progressLine } from './progress.js'
import { counted, hex, printable, shortRoot, size } from './words.js'

/** Milliseconds between two drawings of the bar, two JSON lines of progress, two plain lines. */
const BAR_INTERVAL = 100
const JSON_INTERVAL = 250
const LINE_INTERVAL = 1_000

const REFUSED_CODES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(ERROR_CODE).map(([name, code]) => [code, name.toLowerCase().replaceAll('_', '-')]),
)
const REFUSED_BECAUSE: Readonly<Record<number, string>> = {
  [ERROR_CODE.LIST_FULL]: 'its list is full',
  [ERROR_CODE.TOO_MANY_REGISTRATIONS]: 'too many registrations came from this address: wait a little',
}

export interface DashboardOptions {
  readonly output: Output
  /** Undefined: this is the manager. */
  readonly own: Endpoint | undefined
  /** Where a collector writes until the file is whole, for people. */
  readonly part?: string
  now(): Instant
}

export class Dashboard {
  private readonly options: DashboardOptions
  private collecting = ''
  private barDrawn = Number.NEGATIVE_INFINITY
  private jsonEmitted = Number.NEGATIVE_INFINITY
  private lineSaid = Number.NEGATIVE_INFINITY

  constructor(options: DashboardOptions) {
    this.options = options
  }

  draw(event: HostEvent): void {
    switch (event.kind) {
      case 'list':
        this.onList(event)
        break
      case 'registered':
        this.onRegistered(event)
        break
      case 'refused':
        this.onRefused(event.code)
        break
      case 'waiting':
        this.onWaiting(event.name)
        break
      case 'chosen':
        this.onChosen(event)
        break
      case 'resumed':
        this.onResumed(event)
        break
      case 'progress':
        this.onProgress(event.progress)
        break
      case 'result':
        this.options.output.live('')
        break
      case 'offer-lost':
        this.onOfferLost(event.name, event.why)
        break
      case 'trace':
        break
      default:
        unreachable(event)
    }
  }

  private onList(event: ListEvent): void {
    const now = this.options.now()
    sayList(event, this.options.own, now, this.options.output)
    this.options.output.emit('list', listFields(event, now))
  }

  private onRegistered(event: Extract<HostEvent, { kind: 'registered' }>): void {
    const { output } = this.options
    const manager = endpointKey(event.manager)
    output.live('')
    output.say(`registered${event.again ? ' again' : ''} with the manager ${manager} as peer ${event.peer}`)
    output.emit('registered', { manager, id: event.peer, again: event.again })
  }

  private onRefused(code: number): void {
    const { output } = this.options
    const name = REFUSED_CODES[code] ?? String(code)
    output.say(`the manager refused this peer: ${REFUSED_BECAUSE[code] ?? name}`)
    output.emit('refused', { code: name })
  }

  private onWaiting(name: string): void {
    const { output } = this.options
    output.say(`nobody offers ${printable(name)} yet: waiting for a peer that does`)
    output.emit('waiting', { name })
  }

  private onChosen(event: Extract<HostEvent, { kind: 'chosen' }>): void {
    const { output } = this.options
    const { offer, why, otherRoots, sources } = event
    this.collecting = offer.name
    // The first plain line is worth saying once something has arrived.
    this.lineSaid = this.options.now()
    const local = why === 'own file' ? ' and the local file' : ''
    const roots = otherRoots === 0 ? '' : `; ${counted(otherRoots, 'other root')} under this name not taken`
    output.say(
      `collecting ${printable(offer.name)}, ${size(offer.size)}, root ${shortRoot(offer.root)} ` +
        `(${why}${roots}), from ${counted(sources.length, 'peer')}${local}`,
    )
    output.emit('chosen', {
      name: offer.name,
      bytes: offer.size,
      root: hex(offer.root),
      why,
      otherRoots,
      sources: sources.map(endpointKey),
    })
  }

  private onResumed({ bytes, dropped }: Extract<HostEvent, { kind: 'resumed' }>): void {
    const { output, part = '' } = this.options
    if (dropped === undefined) output.say(`going on with ${part}: ${size(bytes)} are there`)
    else if (bytes === 0) output.say(`${part} ${dropped}: starting over`)
    else output.say(`${part} ${dropped}: ${size(bytes)} of it are still right, going on with them`)
    output.emit('resumed', { bytes, dropped: dropped ?? null })
  }

  private onProgress(progress: TransferProgress): void {
    const { output } = this.options
    const now = this.options.now()
    if (output.terminal && now - this.barDrawn >= BAR_INTERVAL) {
      this.barDrawn = now
      output.live(progressBar(this.collecting, progress, output.columns))
    }
    if (!output.terminal && now - this.lineSaid >= LINE_INTERVAL) {
      this.lineSaid = now
      output.say(progressLine(this.collecting, progress))
    }
    if (now - this.jsonEmitted >= JSON_INTERVAL) {
      this.jsonEmitted = now
      output.emit('progress', progressFields(progress))
    }
  }

  private onOfferLost(name: string, why: string): void {
    const { output } = this.options
    output.say(output.paint('yellow', `${printable(name)} can't be served any more: ${why}`))
    output.emit('offer-lost', { name, why })
  }
}
