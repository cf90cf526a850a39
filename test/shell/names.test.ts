import t from 'tap'
import { UsageError } from '../../src/errors.js'
import { listenFor, resolveEndpoint, resolveHost } from '../../src/shell/names.js'

t.test('HOST:PORT gives a numeric endpoint', async t => {
  t.strictSame(await resolveEndpoint('192.0.2.1:5000'), { address: '192.0.2.1', port: 5000 })
  t.strictSame(await resolveEndpoint('[::1]:1'), { address: '::1', port: 1 })
  t.strictSame(await resolveEndpoint('localhost:65535'), { address: '127.0.0.1', port: 65_535 })
})

t.test('what is not HOST:PORT is refused', async t => {
  for (const text of ['', 'host', ':5000', 'host:', 'host:0', 'host:65536', 'host:5e3', '::1:5000', '[::1]', 'a:b:1']) {
    await t.rejects(resolveEndpoint(text), { constructor: UsageError, message: /is not HOST:PORT/ }, text)
  }
})

t.test('a host that has no address is refused in one line', async t => {
  await t.rejects(resolveHost('no host'), { constructor: UsageError, message: /^can't find the address of "no host"/ })
})

t.test('a peer listens on loopback when the manager is there, otherwise everywhere', async t => {
  t.strictSame(['127.0.0.1', '127.3.0.1', '192.0.2.1', '::1', '2001:db8::1'].map(listenFor), [
    '127.0.0.1',
    '127.0.0.1',
    '0.0.0.0',
    '::1',
    '::',
  ])
})
