/** The operator made a mistake: printed in one line, exit code 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
  /** What the process exits with; the table stands in spec/interface.md. */
  readonly exitCode: number = 2
}

/** The UDP port can't be had: in use, or not ours to bind. */
export class PortError extends UsageError {
  override readonly name = 'PortError'
  override readonly exitCode = 4
}

/** A local file or folder can't be used: missing, a folder, unreadable, not writable, disk full. */
export class FileError extends UsageError {
  override readonly name = 'FileError'
  override readonly exitCode = 5
}

/** The trace can't be written. */
export class TraceFileError extends FileError {}

/** Our own reasoning broke. Never caught: the process stops. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** @throws InvariantError where `condition` does not hold */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}

/** Ends a `switch` over a union: the compiler shows that nothing is left. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`)
}
