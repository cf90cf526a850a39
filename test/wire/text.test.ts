// src/wire/address.ts, name.ts and describe.ts, and src/sim/inspect.ts: octets as text.
import { execFile } from 'node:child_process'
import { isIP, SocketAddress } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { InvariantError } from '../../src/errors.js'
import { formatAddress, parseAddress } from '../../src/wire/address.js'
import { describe, describeHex } from '../../src/wire/describe.js'
import { isName, nameOctets, nameText } from '../../src/wire/name.js'
import { malformed, octetsOf, valid } from './vectors.js'

t.test('an address in any spelling becomes the octets that the system knows it by', async t => {
  const spellings: Record<string, string> = {
    '127.0.0.1': '7f000001',
    '255.255.255.255': 'ffffffff',
    '0.0.0.0': '00000000',
    '::': '00*16',
    '::1': '00*15 01',
    '1::': '0001 00*14',
    '2001:DB8::1': '20010db8 00*11 01',
    '2001:db8:0:0:0:0:0:1': '20010db8 00*11 01',
    '1:2:3:4:5:6:7:8': '00010002000300040005000600070008',
    '1:2:3:4:5:6:7::': '0001000200030004000500060007 0000',
    '::2:3:4:5:6:7:8': '0000 0002000300040005000600070008',
    '::ffff:192.168.0.1': '00*10 ffff c0a80001',
    '64:ff9b::1.2.3.4': '0064ff9b 00*8 01020304',
    '1:2:3:4:5:6:7.8.9.10': '000100020003000400050006 0708090a',
  }
  for (const [text, hex] of Object.entries(spellings)) t.strictSame(parseAddress(text), octetsOf(hex), text)
})

t.test('what is no numeric address gives nothing', async t => {
  const wrong = `
    1 1.2 1.2.3 1.2.3.4.5 256.0.0.1 01.2.3.4 1.2.3.04 1.2.3.x 0x7f.0.0.1 1e1.0.0.1 -1.0.0.0 1.2.3. .1.2.3 1..2.3
    localhost : ::: 1: :1 1::2::3 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7:8:: 1:2:3:4::5:6:7:8 12345:: g::
    fe80::1%eth0 [::1] ::1.2.3 1.2.3.4:: 1.2.3.4::1 ::1.2.3.4:5 1:2:3:4:5:6:7:1.2.3.4 ::256.0.0.1 +1::`
  for (const text of ['', ' ', '1.2.3.4 ', ...wrong.trim().split(/\s+/)]) t.equal(parseAddress(text), undefined, text)
})

t.test('any text is an address here exactly where the system takes it for one', async t => {
  const text = fc.string({ unit: fc.constantFrom(...'0129af:.', '::', '.1', ':0', 'ffff'), maxLength: 16 })
  const agrees = fc.property(text, text => (parseAddress(text) !== undefined) === (isIP(text) !== 0))
  t.doesNotThrow(() => fc.assert(agrees, { seed: 5, numRuns: 5_000 }))
})

t.test('octets become the canonical text, which leads back to them', async t => {
  const group = fc.constantFrom(0, 0, 0, 1, 0xa0, 0xffff, 0x1234)
  const groups = fc.array(group, { minLength: 8, maxLength: 8 })
  const canonical = fc.property(groups, groups => {
    const octets = Uint8Array.from(groups.flatMap(group => [group >> 8, group & 0xff]))
    const text = formatAddress(octets)
    // The system writes `::1.2.3.4` for the addresses once called IPv4-compatible; RFC 5952 does not.
    const mixed = groups.slice(0, 6).every(group => group === 0)
    if (!mixed && new SocketAddress({ family: 'ipv6', address: text }).address !== text) return false
    return Buffer.compare(parseAddress(text)!, octets) === 0
  })
  t.doesNotThrow(() => fc.assert(canonical, { seed: 6, numRuns: 5_000 }))
  t.equal(formatAddress(octetsOf('00*14 0102')), '::102')
  t.throws(() => formatAddress(new Uint8Array(5)), InvariantError)
})

t.test('a name is any text that is not a path and moves no cursor', async t => {
  for (const name of [
    'a',
    'shared_file.txt',
    '...',
    '.hidden',
    'a b',
    'C:',
    '日本',
    'é'.repeat(127),
    'x'.repeat(255),
  ]) {
    t.ok(isName(name), name)
    t.equal(nameText(nameOctets(name)), name)
  }
  const wrong = [
    '',
    '.',
    '..',
    '/',
    'a/b',
    '../a',
    'a\\b',
    'a\0',
    '\n',
    '\u001b[2J',
    '\u007f',
    '\u0085',
    '\udc00',
    'é'.repeat(128),
  ]
  for (const name of wrong) t.notOk(isName(name), JSON.stringify(name))
})

t.test('any octets give a text that leads back to them, or no name', async t => {
  const total = fc.property(fc.uint8Array({ maxLength: 12 }), octets => {
    const text = nameText(octets)
    return text === '' || Buffer.compare(nameOctets(text), octets) === 0
  })
  t.doesNotThrow(() => fc.assert(total, { seed: 7, numRuns: 5_000 }))
  t.equal(nameText(octetsOf('efbfbd')), '\ufffd', 'the replacement character itself is text')
})

t.test('every datagram is described in one line', async t => {
  for (const { name, octets, message } of valid) {
    const line = describe(octets)
    t.ok(line.startsWith(`${message.kind}, ${octets.length} octets: session=0x`), name)
    t.notOk(line.includes('\n'), name)
  }
  for (const { name, octets, reason } of malformed) {
    t.ok(describe(octets).startsWith(`malformed (${reason}), ${octets.length} octets: `), name)
  }
})

t.test('a description names what numbers stand for, and shows lists as they are', async t => {
  const lineOf = (name: string) => describe(valid.find(vector => vector.name === name)!.octets)
  t.equal(lineOf('error: file lost'), 'error, 16 octets: session=0xfedcba9876543210 sequence=1 code=FILE_LOST tag=PULL')
  t.match(
    lineOf('list: delta with IPv6, an offer and three that left'),
    'address=2001:db8::1 port=5001 ttlLeft=0 offers=[{name="shared_file.txt" size=100000 root=000102030405060708090a0b0c0d0e0f… (32)}]',
  )
  t.match(lineOf('list: delta with IPv6, an offer and three that left'), '{kind=left peer=3 reason=TTL_ENDED}')
  t.match(lineOf('error about a tag that this version does not have'), 'tag=255')
})

t.test('hex is read with blanks and colons between the octets; anything else is not hex', async t => {
  const plain = '10080123456789abcdef0000000901'
  t.match(describeHex(plain), 'goodbye, 15 octets')
  t.equal(describeHex('10:08:01 23 45 67 89 AB CD EF\n00 00 00 09 01'), describeHex(plain))
  for (const text of ['', ' ', '1', '100', '0x10', 'hello', '10 0g']) t.equal(describeHex(text), undefined, text)
})

t.test('the inspect command prints the line, or one line about its usage and exit code 2', async t => {
  const [good, bad] = await Promise.all([inspect('1008', '0123456789abcdef', '0000000901'), inspect('1008zz')])
  t.match(good.stdout, /^goodbye, 15 octets: .* reason=GOODBYE ack=false\n$/)
  t.equal(good.status, 0)
  t.equal(bad.stdout, '')
  t.match(bad.stderr, /^usage: .*hex.*\n$/)
  t.equal(bad.status, 2)
})

function inspect(...args: readonly string[]) {
  // Only the loader that reads TypeScript: what else tap puts before a test takes seconds here.
  const loader = process.execArgv.filter(flag => flag.includes('@tapjs/typescript'))
  return new Promise<{ stdout: string; stderr: string; status: unknown }>(resolve => {
    execFile(process.execPath, [...loader, 'src/sim/inspect.ts', ...args], (error, stdout, stderr) =>
      resolve({ stdout, stderr, status: error?.code ?? 0 }),
    )
  })
}
