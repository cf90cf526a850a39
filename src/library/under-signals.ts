/**
 * Runs something under a signal that is aborted with the first of several, and for the same reason.
 *
 * Not AbortSignal.any: under Node 20 it lets go of a signal of AbortSignal.timeout that nobody else holds, which then never ends.
 */
export async function underSignals<T>(
  signals: readonly (AbortSignal | undefined)[],
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const first = new AbortController()
  const ended = new AbortController()
  for (const signal of signals) {
    const abort = () => first.abort(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true, signal: ended.signal })
    if (signal?.aborted) abort()
  }
  try {
    return await run(first.signal)
  } finally {
    ended.abort()
  }
}
