// `npm run inspect -- <hex>`: prints what a datagram says, for a line of a trace or a hex dump in hand.
import { describeHex } from '../wire/describe.js'

const line = describeHex(process.argv.slice(2).join(' '))
if (line === undefined) {
  console.error('usage: npm run inspect -- <hex>: the octets of one datagram as pairs of hex digits')
  process.exitCode = 2
} else {
  console.log(line)
}
