import { type TransportBed, testTransport } from '../transport-suite.ts'
import { createLibp2pTransport } from './index.ts'
import { freeAddress, quiet, seedOf, serve, type TestServer } from './lab-suite.ts'

class Bed implements TransportBed {
  readonly servers: TestServer[] = []

  create: TransportBed['create'] = (name, gate, { listen = ['/ip4/127.0.0.1/tcp/0'], ...limits } = {}) =>
    createLibp2pTransport({ gate, log: quiet }, { seed: seedOf(name), listen, limits })

  nowhere = freeAddress

  async silence(): Promise<string> {
    const server = await serve(() => {})
    this.servers.push(server)
    return server.address
  }
}

testTransport({
  capabilities: { chosenAddress: true, guests: true },
  setup: async () => new Bed(),
  teardown: async (bed) => {
    if (bed instanceof Bed) await Promise.all(bed.servers.map((server) => server.close()))
  },
})
