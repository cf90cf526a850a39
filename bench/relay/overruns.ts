import { readFile } from 'node:fs/promises'

/** Columns of /proc/net/udp. */
const LOCAL_AT = 1
const DROPS_AT = 12

/** Datagrams that found the sockets with these ports full, since they were opened; undefined on systems that don't say. */
export async function overruns(ports: readonly number[]): Promise<number | undefined> {
  const table = await readFile('/proc/net/udp', 'utf8').catch(() => undefined)
  return table === undefined ? undefined : countDrops(table, ports)
}

/** @param table the text of /proc/net/udp */
export function countDrops(table: string, ports: readonly number[]): number {
  const wanted = new Set(ports)
  let drops = 0
  for (const line of table.trim().split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/)
    const port = Number.parseInt(columns[LOCAL_AT]?.split(':')[1] ?? '', 16)
    if (wanted.has(port)) drops += Number(columns[DROPS_AT])
  }
  return drops
}
