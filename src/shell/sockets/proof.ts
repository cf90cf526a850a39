// Whether batched sockets work here is shown by using them: datagrams of our own go round on loopback, joined and of several
// sizes, and have to come back as they were. A kernel or a sandbox that refuses any part of it is thus found at the start.
import { setTimeout } from 'node:timers/promises'
import { PortError } from '../../errors.js'
import { SendBatch } from '../../wire/batch.js'
import { type BatchedSocket, type Batching, openBatchedSocket } from './batched.js'
import { type Libc, loadLibc } from './libc.js'

/** Loopback needs some hundredths of a millisecond. */
const PATIENCE_MS = 250
/** A message of five, another of one, and sizes that no two neighbours could be confused by. */
const SIZES = [1_200, 1_200, 1_200, 1_200, 700, 1_472] as const
const LOOPBACK = { 4: '127.0.0.1', 6: '::1' } as const

/** What batched sockets can do here. */
export type Proof =
  | { readonly kind: 'works'; readonly libc: Libc; readonly batching: Batching; readonly remark: string | undefined }
  | { readonly kind: 'fails'; readonly why: string }

const proofs = new Map<4 | 6, Promise<Proof>>()

/** The same for the life of the process. */
export function proveBatched(family: 4 | 6): Promise<Proof> {
  let proof = proofs.get(family)
  if (proof === undefined) {
    proof = loadLibc().then(libc => (typeof libc === 'string' ? { kind: 'fails', why: libc } : prove(libc, family)))
    proofs.set(family, proof)
  }
  return proof
}

/** @param libc a test hands in one that refuses */
export async function prove(libc: Libc, family: 4 | 6): Promise<Proof> {
  const joined = { joinsSent: true, joinsReceived: true }
  const fault = await tryOut(libc, family, joined)
  if (fault === undefined) return { kind: 'works', libc, batching: joined, remark: undefined }
  const single = { joinsSent: false, joinsReceived: false }
  const worse = await tryOut(libc, family, single)
  if (worse !== undefined) return { kind: 'fails', why: worse }
  return { kind: 'works', libc, batching: single, remark: `joining datagrams does not work here (${fault})` }
}

/** @returns what went wrong */
async function tryOut(libc: Libc, family: 4 | 6, batching: Batching): Promise<string | undefined> {
  const sockets: BatchedSocket[] = []
  const got: string[] = []
  const options = { address: LOOPBACK[family], port: 0 }
  try {
    const receiver = openBatchedSocket(libc, batching, {
      ...options,
      onReceive: batch => {
        for (let i = 0; i < batch.count; i++) got.push(Buffer.from(batch.data[i]!).toString('latin1'))
      },
    })
    sockets.push(receiver)
    const sender = openBatchedSocket(libc, batching, { ...options, onReceive: () => {} })
    sockets.push(sender)
    const { batch, texts } = samples(receiver.local)
    if (sender.send(batch) < batch.count || (batching.joinsSent && !sender.joins)) {
      return `the system refused to send: ${Object.keys(sender.losses).join(', ') || 'EIO'}`
    }
    for (let waited = 0; waited < PATIENCE_MS && got.length < texts.length; waited++) await setTimeout(1)
    if (got.length < texts.length) return `${got.length} of ${texts.length} datagrams came back`
    return got.every((text, i) => text === texts[i]) ? undefined : 'datagrams came back changed'
  } catch (error) {
    if (error instanceof PortError) return error.message
    throw error
  } finally {
    for (const socket of sockets) await socket.close()
  }
}

function samples(to: { readonly address: string; readonly port: number }) {
  const batch = new SendBatch(SIZES.length)
  const texts = SIZES.map((size, i) => {
    const octets = Uint8Array.from({ length: size }, (_, at) => (at * (i + 1)) & 0xff)
    batch.head.set(octets.subarray(0, i + 1))
    batch.push(to, i + 1, octets, i + 1, size - i - 1)
    return Buffer.from(octets).toString('latin1')
  })
  return { batch, texts }
}
