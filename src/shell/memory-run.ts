/** What is left of pieces of memory, one after the other, behind their first `octets`. */
export function behind(pieces: readonly Uint8Array[], octets: number): Uint8Array[] {
  let skip = octets
  return pieces.flatMap(piece => {
    const taken = Math.min(skip, piece.length)
    skip -= taken
    return taken < piece.length ? [piece.subarray(taken)] : []
  })
}
