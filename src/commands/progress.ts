// A transfer under way: one line that fits the terminal, or a plain one.
import { endpointKey } from '../endpoint.js'
import type { TransferProgress } from '../transfer/report.js'
import type { JsonFields } from './output.js'
import { counted, printable, size, timeLeft } from './words.js'

const BAR_MAX = 40
const BAR_MIN = 8
/** The bar's two edges and the gap behind it. */
const BAR_EDGES = 4
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const

/** Bar, octets, rate, time left, peers. @param columns of the terminal; the line stays one short of it */
export function progressBar(name: string, progress: TransferProgress, columns: number): string {
  const room = columns - 1
  const words = `${percent(progress)}  ${amounts(progress)}`
  const title = `${printable(name)} `
  const bar = Math.min(BAR_MAX, room - title.length - words.length - BAR_EDGES)
  if (bar >= BAR_MIN) return `${title}${drawn(share(progress), bar)}  ${words}`
  return words.slice(0, room)
}

export function progressLine(name: string, progress: TransferProgress): string {
  return `${printable(name)}: ${percent(progress).trimStart()}, ${amounts(progress).replaceAll('  ', ', ')}`
}

export function progressFields(progress: TransferProgress): JsonFields {
  return {
    bytes: progress.bytes,
    verifiedBytes: progress.verifiedBytes,
    rate: Math.round(progress.rate),
    secondsLeft: secondsLeft(progress) ?? null,
    peers: progress.peers.map(path => ({
      peer: endpointKey(path.endpoint),
      bytes: path.bytes,
      rate: Math.round((path.rate * 1_000) / 8),
      roundTrip: Number(path.roundTrip.toFixed(3)),
      loss: Number(path.loss.toFixed(4)),
      has: path.has === undefined ? null : Number(path.has.toFixed(4)),
    })),
  }
}

function drawn(part: number, width: number): string {
  const eighths = Math.floor(part * width * EIGHTHS.length)
  const full = '█'.repeat(Math.floor(eighths / EIGHTHS.length))
  return `▕${(full + EIGHTHS[eighths % EIGHTHS.length]).padEnd(width)}▏`
}

function amounts(progress: TransferProgress): string {
  const left = secondsLeft(progress)
  const known = left === undefined ? 'time left unknown' : `${timeLeft(left * 1_000)} left`
  return [
    `${size(progress.verifiedBytes)} of ${size(progress.bytes)}`,
    `${size(progress.rate)}/s`,
    progress.verifiedBytes === progress.bytes ? 'finishing' : known,
    counted(progress.peers.length, 'peer'),
  ].join('  ')
}

/** Whole percent, rounded down: 100 is said only when it is true. */
function percent(progress: TransferProgress): string {
  return `${Math.floor(share(progress) * 100)}%`.padStart(4)
}

function share(progress: TransferProgress): number {
  return progress.bytes === 0 ? 1 : progress.verifiedBytes / progress.bytes
}

/** Undefined while nothing moves. */
function secondsLeft(progress: TransferProgress): number | undefined {
  const missing = progress.bytes - progress.verifiedBytes
  if (missing === 0) return 0
  return progress.rate > 0 ? Number((missing / progress.rate).toFixed(1)) : undefined
}
