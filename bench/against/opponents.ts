import type { Opponent } from './opponent.js'
import { tcp } from './tcp.js'
import { udx } from './udx.js'
import { utp } from './utp.js'

/** By name of the adapter. */
export const OPPONENTS: Readonly<Record<string, Opponent>> = { udx, utp, tcp }
