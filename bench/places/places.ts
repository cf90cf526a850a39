/** Where processes stand. Between any two places are the links of the relay. */
export interface Places {
  /** So many places, for processes that have not been there before; the relay's network is perfect until it is shaped. */
  open(count: number): Promise<readonly Place[]>
  /** Leaves nothing behind. */
  close(): Promise<void>
}

export interface Place {
  /** Where a process listens that stands here. */
  readonly own: Address
  /** Where all others find it. */
  readonly seen: Address
  /** What stands before a command that is to run here. */
  readonly prefix: readonly string[]
}

export interface Address {
  readonly host: string
  readonly port: number
}

export function addressText({ host, port }: Address): string {
  return `${host}:${port}`
}

/** @param text as `addressText` gives it */
export function addressOf(text: string): Address {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}
