// What a transfer notes for a trace: one line for what happens a few dozen times a second at most. The lines stand in
// spec/interface.md, "Trace". Where nobody traces there is no Trace, and nothing is built.

export type TraceFields = Readonly<Record<string, string | number | boolean>>

/** `name` is `area:what`. */
export interface TraceLine {
  readonly kind: 'trace'
  readonly name: string
  readonly fields: TraceFields
}

export class Trace {
  #lines: TraceLine[] = []

  add(name: string, fields: TraceFields): void {
    this.#lines.push({ kind: 'trace', name, fields })
  }

  /** What was added since the last call. */
  take(): readonly TraceLine[] {
    const lines = this.#lines
    if (lines.length > 0) this.#lines = []
    return lines
  }
}

/** Digits that mean nothing would be most of the file. */
export function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals))
}
