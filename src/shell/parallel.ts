/** Does something to each item, to a few at once, in their order. @throws what `act` throws first; no other is begun then */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  act: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0
  let isOver = false
  const work = async () => {
    try {
      while (next < items.length && !isOver) await act(items[next++]!)
    } catch (error) {
      isOver = true
      throw error
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, work))
  for (const end of ended) if (end.status === 'rejected') throw end.reason
}
