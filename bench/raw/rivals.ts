// The rivals, each a sender and a receiver of its own; see rival.ts for what they do.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Files } from './files.js'
import type { Link } from './link.js'
import { MeasuredProcess } from './measured-process.js'
import type { System } from './options.js'
import { measureEnds, type RawTrial } from './trial.js'

const RIVAL = fileURLToPath(new URL('./rival.js', import.meta.url))

export async function runRival(system: System, link: Link, files: Files): Promise<RawTrial> {
  const sender = new MeasuredProcess(link.source, RIVAL, [system, 'send', link.source.address, files.shared])
  const all = [sender]
  const out = join(files.folder, 'rebuilt-rival')
  try {
    const { port } = await sender.saw('ready')
    const before = [sender.cpuTime()]
    const args = [system, 'fetch', link.sink.address, link.source.address, `${port}`, `${files.size}`, out]
    const fetcher = new MeasuredProcess(link.sink, RIVAL, args)
    all.push(fetcher)
    const trial = await measureEnds([sender], before, [fetcher], [out], () => all.map(process => process.end()))
    const wrong = trial.digests.find(digest => digest !== undefined && digest !== files.sha256)
    if (wrong !== undefined) throw new Error('the file came changed')
    return { ...trial, calls: undefined }
  } finally {
    await Promise.all(all.map(process => process.end()))
    await rm(out, { force: true })
  }
}
