import { EventStream } from './events.js'
import type { GetEvent, Got } from './get.js'

/**
 * A `get` under way. `await` gives what it got, or throws; `for await` gives what it tells meanwhile, from the beginning, to one
 * reader, and throws at the end if it failed.
 */
export type Fetching = Promise<Got> & AsyncIterable<GetEvent>

/** Begins at once. */
export function fetching(run: (tell: (event: GetEvent) => void) => Promise<Got>): Fetching {
  const events = new EventStream<GetEvent>()
  const reader = events.read()
  const done = run(event => events.push(event)).finally(() => events.end())
  // Who only reads the events hears of a failure there.
  done.catch(() => {})
  return Object.assign(done, {
    async *[Symbol.asyncIterator]() {
      yield* reader
      await done
    },
  })
}
