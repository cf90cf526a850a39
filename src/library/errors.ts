// Why a `get` ended without its files.
import type { ManifestFault } from '../content/manifest.js'
import { UsageError } from '../errors.js'
import type { StopReason } from '../host/contract.js'
import type { Obstacle } from '../shell/plan.js'
import type { TransferFailure } from '../transfer/report.js'

/** The transfer failed: `failure` says how. */
export class TransferError extends Error {
  override readonly name = 'TransferError'
  readonly failure: TransferFailure

  constructor(failure: TransferFailure) {
    super(failure.detail)
    this.failure = failure
  }
}

/** The peer stopped: `why` says for what. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError'
  readonly why: StopReason

  constructor(why: StopReason) {
    super(`the peer has stopped: ${why}`)
    this.why = why
  }
}

/** What is offered is no content that can be written anywhere. */
export class ContentError extends Error {
  override readonly name = 'ContentError'
  /** Which rule of spec/manifest.md it breaks. */
  readonly fault: ManifestFault

  constructor(name: string, fault: ManifestFault) {
    const newer = fault === 'version' ? '; perhaps it was made by a newer peer-udp' : ''
    super(`${JSON.stringify(name)} has a manifest that breaks the rule "${fault}" (spec/manifest.md)${newer}`)
    this.fault = fault
  }
}

/** Some paths can't be written as they are; nothing was written. */
export class PlanError extends UsageError {
  override readonly name = 'PlanError'
  readonly problems: readonly { readonly path: string; readonly why: Obstacle }[]

  constructor(problems: PlanError['problems']) {
    const [first] = problems
    const more = problems.length > 1 ? ` and ${problems.length - 1} more` : ''
    super(`can't write ${JSON.stringify(first?.path)}${more}: ${first?.why}`)
    this.problems = problems
  }
}

/** The plan was not agreed to; nothing was written. */
export class DeclinedError extends UsageError {
  override readonly name = 'DeclinedError'
  override readonly exitCode: number = 130
}
