import { globs } from '../shell/globs.js'
import type { OfferingOptions } from '../shell/offering.js'

export interface ShareOptions {
  /** What others find it by; by default the name of the path, `NAME+2` for three paths. */
  readonly name?: string
  /** Patterns, as `*.jpg`: only files that match, or that lie in a folder that does. */
  readonly include?: readonly string[]
  /** Patterns of what is left out, with all that is in it. */
  readonly exclude?: readonly string[]
}

/** @throws UsageError where a pattern is none */
export function offeringOptions({ name, include, exclude }: ShareOptions): OfferingOptions {
  return { name, include: include && globs(include), exclude: exclude && globs(exclude) }
}
