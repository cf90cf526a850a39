// Making sure that many small files are on the disk, without a wait for each.
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { promisify } from 'node:util'
import type { Steps } from './steps.js'

/** From this many on, one request for the whole file system is faster than one for each file. */
const MANY = 64
/** A disk that takes longer has been given what it was to write all the same. */
const SYNC_MS = 30_000

/** Waits until these files, all on the disk of `folder`, would outlive a power cut. @param folder a path */
export async function makeDurable(paths: readonly string[], steps: Steps, folder: string): Promise<void> {
  if (paths.length >= MANY && (await syncFileSystem(folder))) return
  for (const path of paths) {
    const handle = await steps.openFile(path, constants.O_RDONLY)
    // Some systems sync only what was opened for writing; there the system writes in its own time.
    await handle.sync().catch(() => {})
    await handle.close()
  }
}

/** Node has no syncfs(2); the sync of GNU and BusyBox has. @returns false where there is none */
async function syncFileSystem(folder: string): Promise<boolean> {
  try {
    await promisify(execFile)('sync', ['-f', folder], { timeout: SYNC_MS })
    return true
  } catch {
    return false
  }
}
