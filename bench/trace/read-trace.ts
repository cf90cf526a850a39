// A trace of the collector -> what happened on each path. spec/interface.md, "Trace", says what the lines are; names and fields
// that are not known here are passed over.

/** Times are in seconds from the first line of the trace. */
export interface PathHistory {
  readonly peer: string
  readonly rounds: readonly Round[]
  /** The first is the state of the first round. */
  readonly states: readonly { readonly seconds: number; readonly state: string }[]
  readonly events: readonly PathEvent[]
}

export interface Round {
  readonly seconds: number
  /** Mbit/s of IP datagrams. */
  readonly pacing: number
  readonly bandwidth: number
  readonly delivered: number
  /** Milliseconds. */
  readonly roundTrip: number
  readonly queue: number
  /** Share, 0 to 1. */
  readonly floor: number
  /** Datagrams since the round before. */
  readonly received: number
  readonly lost: number
}

export interface PathEvent {
  readonly seconds: number
  readonly kind: 'steal' | 'timeout' | 'lost'
}

interface History {
  readonly rounds: Round[]
  readonly states: { seconds: number; state: string }[]
  readonly events: PathEvent[]
}

type Line = Readonly<Record<string, unknown>>

/** @param text of the file @returns a history for each peer that a round came from, in the order of their first lines */
export function readTrace(text: string): PathHistory[] {
  const paths = new Map<string, History>()
  const pathOf = (peer: unknown) => {
    const key = String(peer)
    const known = paths.get(key) ?? { rounds: [], states: [], events: [] }
    paths.set(key, known)
    return known
  }
  for (const line of linesOf(text)) {
    const seconds = Number(line.t) / 1_000
    switch (line.name) {
      case 'path:round':
        addRound(pathOf(line.peer), line, seconds)
        break
      case 'path:state':
        pathOf(line.peer).states.push({ seconds, state: String(line.to) })
        break
      case 'path:timeout':
        pathOf(line.peer).events.push({ seconds, kind: 'timeout' })
        break
      case 'path:lost':
        pathOf(line.peer).events.push({ seconds, kind: 'lost' })
        break
      case 'work:steal':
      case 'work:help':
        pathOf(line.to).events.push({ seconds, kind: 'steal' })
        break
    }
  }
  return [...paths].filter(([, { rounds }]) => rounds.length > 0).map(([peer, history]) => ({ peer, ...history }))
}

/** Whoever is killed writes half a line last. */
function linesOf(text: string): Line[] {
  const lines = text.split('\n')
  lines.pop()
  return lines.map(line => JSON.parse(line) as Line)
}

function addRound({ rounds, states }: History, line: Line, seconds: number): void {
  const number = (name: string) => Number(line[name] ?? 0)
  if (states.length === 0) states.push({ seconds: 0, state: String(line.state) })
  rounds.push({
    seconds,
    pacing: number('pacing') / 1_000,
    bandwidth: number('bandwidth') / 1_000,
    delivered: number('delivered') / 1_000,
    roundTrip: number('roundTrip'),
    queue: number('queue'),
    floor: number('floor'),
    received: number('received'),
    lost: number('lost'),
  })
}
