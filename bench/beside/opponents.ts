// What shares the link with peer-udp: `cubic:4` is four flows of the kernel's TCP with CUBIC.
import { UsageError } from '../../src/errors.js'

export interface Beside {
  /** Measured in turn. */
  readonly opponents: readonly Opponents[]
  /** Of each measurement, the first SECONDS_SKIPPED among them. */
  readonly seconds: number
}

export interface Opponents {
  readonly congestionControl: CongestionControl
  readonly flows: number
}

/** As the kernel names them. */
const CONGESTION_CONTROLS = ['cubic', 'bbr'] as const
type CongestionControl = (typeof CONGESTION_CONTROLS)[number]
const FLOWS_MAX = 16

/** Everyone has just begun: that counts nowhere. */
export const SECONDS_SKIPPED = 5

/** @throws UsageError at the first that makes no sense */
export function readOpponents(text: string): Opponents[] {
  const parts = new Set(text.split(',').map(part => part.trim()))
  return [...parts].map(part => {
    const [name, count = '', more] = part.split(':')
    const congestionControl = CONGESTION_CONTROLS.find(one => one === name)
    const flows = /^\d+$/.test(count) ? Number(count) : 0
    if (congestionControl !== undefined && more === undefined && flows >= 1 && flows <= FLOWS_MAX)
      return { congestionControl, flows }
    throw new UsageError(
      `--beside takes ${CONGESTION_CONTROLS.join(' or ')} with 1 to ${FLOWS_MAX} flows, as in cubic:1,cubic:4,bbr:1, not "${part}"`,
    )
  })
}

/** As `readOpponents` takes it. */
export function opponentsText({ congestionControl, flows }: Opponents): string {
  return `${congestionControl}:${flows}`
}
