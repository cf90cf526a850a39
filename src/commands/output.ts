// The two streams of a command: words for people go to stderr, JSON lines to stdout, nothing else anywhere.
import type { WriteStream } from 'node:tty'

export type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red'

const ESCAPES: Readonly<Record<Style, string>> = { bold: '1', dim: '2', green: '32', yellow: '33', red: '31' }
const CLEAR_LINE = '\r\x1b[2K'
const COLUMNS_DEFAULT = 80

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue }
export type JsonFields = { readonly [name: string]: JsonValue }

export interface OutputOptions {
  /** Write the JSON lines. */
  readonly json: boolean
  readonly stdout?: NodeJS.WritableStream
  readonly stderr?: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>
  readonly env?: NodeJS.ProcessEnv
}

export class Output {
  /** A terminal that takes colours and a line that is drawn again and again. */
  readonly terminal: boolean
  private readonly stdout: NodeJS.WritableStream
  private readonly stderr: NonNullable<OutputOptions['stderr']>
  /** Turned off by `last`. */
  private json: boolean
  private liveLine = ''

  constructor(options: OutputOptions) {
    const env = options.env ?? process.env
    this.json = options.json
    this.stdout = options.stdout ?? process.stdout
    this.stderr = options.stderr ?? process.stderr
    // https://no-color.org: any value but the empty one counts.
    this.terminal = this.stderr.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
    // A reader that went away (`| head`) is no reason to break off a transfer.
    for (const stream of [this.stdout, this.stderr]) stream.on('error', ignoreGoneReader)
  }

  get columns(): number {
    return this.stderr.columns || COLUMNS_DEFAULT
  }

  /** Whole lines for people. The live line, if there is one, stays below them. */
  say(...lines: readonly string[]): void {
    const text = lines.map(line => `${line}\n`).join('')
    this.stderr.write(this.liveLine === '' ? text : `${CLEAR_LINE}${text}${this.liveLine}`)
  }

  /** Replaces the last line of a terminal; elsewhere nothing happens. Empty: takes the line away. */
  live(line: string): void {
    if (!this.terminal || line === this.liveLine) return
    this.liveLine = line
    this.stderr.write(`${CLEAR_LINE}${line}`)
  }

  /** One JSON line; `type` says which of those in spec/interface.md. */
  emit(type: string, fields: JsonFields): void {
    if (this.json) this.stdout.write(`${JSON.stringify({ v: 1, t: type, ...fields })}\n`)
  }

  /** The last JSON line: none comes after it, whatever else happens. */
  last(type: string, fields: JsonFields): void {
    this.emit(type, fields)
    this.json = false
  }

  paint(style: Style, text: string): string {
    return this.terminal ? `\x1b[${ESCAPES[style]}m${text}\x1b[0m` : text
  }
}

/** EPIPE: the pipe was closed; EIO: the terminal was. */
function ignoreGoneReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
}
