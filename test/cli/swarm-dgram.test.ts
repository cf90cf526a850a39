// The command with sockets of Node's own: the same tests again, where the machine would choose batched ones.
process.env.TEST_SOCKET = 'dgram'
await import('./swarm.test.js')
