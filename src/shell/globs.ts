// Patterns of paths as people write them: `*.jpg`, `2024/**`, `/photos/*.{jpg,png}`.
import picomatch from 'picomatch'
import { UsageError } from '../errors.js'

/**
 * Whether a path is meant. A pattern names files and folders at any depth, with a `/` at its start only from the top on; what
 * is in a folder that is meant, the caller takes with it.
 *
 * @param patterns any of which may match; `**`, `*`, `?`, `[...]` and `{a,b}` as in shells. Hidden names count as any other
 * @throws UsageError for a pattern that is none
 */
export function globs(patterns: readonly string[]): (path: string) => boolean {
  const matchers = patterns.map(matcherOf)
  return path => matchers.some(matches => matches(path))
}

function matcherOf(pattern: string): (path: string) => boolean {
  const inner = pattern.replace(/\/+$/, '')
  if (inner === '')
    throw new UsageError(`${JSON.stringify(pattern)} is no pattern: write one as '*.jpg' or 'photos/2024'`)
  const rooted = inner.startsWith('/') ? inner.replace(/^\/+/, '') : `**/${inner}`
  try {
    const matches = picomatch(rooted, { dot: true, nonegate: true, strictBrackets: true })
    return path => matches(path)
  } catch (error) {
    throw new UsageError(`${JSON.stringify(pattern)} is no pattern: ${(error as Error).message}`)
  }
}
