/**
 * Divides a limit so that nobody gets more than it wishes, and who gets less than that gets as much as anyone.
 *
 * @param wishes above 0, in the unit of `limit`
 * @returns what each may have at most; Infinity where the limit is enough for all
 */
export function fairShare(limit: number, wishes: readonly number[]): number {
  let left = limit
  let sharers = wishes.length
  for (const wish of [...wishes].sort((a, b) => a - b)) {
    const share = left / sharers--
    if (wish > share) return share
    left -= wish
  }
  return Infinity
}
