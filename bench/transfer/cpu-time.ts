import { readFile } from 'node:fs/promises'

/** Fields of /proc/PID/stat after the name, which may itself hold spaces and brackets. */
const USER_AT = 11
const SYSTEM_AT = 12
/** USER_HZ: 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100

/** CPU seconds that a process has used so far, all threads; undefined where the system has no /proc, or no such process. */
export async function cpuTime(pid: number | undefined): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : cpuTimeIn(text)
}

/** @param stat the text of /proc/PID/stat */
export function cpuTimeIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[USER_AT]) + Number(fields[SYSTEM_AT])) / TICKS_PER_SECOND
}
