import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { cbor, type Message, NetworkAdapter, type PeerId } from '@automerge/automerge-repo'

const LENGTH_BYTES = 4

/**
 * automerge-repo's messages over one plain TCP connection, each as CBOR behind its length: what its own adapters send,
 * with less framing and without encryption.
 */
export class TcpAdapter extends NetworkAdapter {
  /** Bytes that were handed to the connection, framing included. */
  bytesSent = 0
  messagesSent = 0
  readonly #socket: Socket
  readonly #other: PeerId
  #received: Buffer = Buffer.alloc(0)

  constructor(socket: Socket, other: PeerId) {
    super()
    this.#socket = socket
    this.#other = other
  }

  override isReady(): boolean {
    return true
  }

  override async whenReady(): Promise<void> {}

  override connect(self: PeerId): void {
    this.peerId = self
    this.#socket.on('data', (bytes) => this.#onData(bytes))
    this.emit('peer-candidate', { peerId: this.#other, peerMetadata: {} })
  }

  override send(message: Message): void {
    const body = cbor.encode(message)
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeUInt32BE(body.length)
    this.bytesSent += LENGTH_BYTES + body.length
    this.messagesSent++
    this.#socket.write(Buffer.concat([length, body]))
  }

  override disconnect(): void {
    this.#socket.destroy()
  }

  #onData(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes])
    let at = 0
    for (;;) {
      const begin = at + LENGTH_BYTES
      if (this.#received.length < begin) break
      const end = begin + this.#received.readUInt32BE(at)
      if (this.#received.length < end) break
      this.emit('message', cbor.decode<Message>(this.#received.subarray(begin, end)))
      at = end
    }
    this.#received = this.#received.subarray(at)
  }
}

/** Listens for one connection on loopback. */
export async function listen(): Promise<{ readonly port: number; readonly connected: Promise<Socket> }> {
  const server = createServer({ noDelay: true })
  const connected = Promise.withResolvers<Socket>()
  server.once('connection', connected.resolve)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('listens on no port')
  return { port: address.port, connected: connected.promise }
}

export async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await once(socket, 'connect')
  return socket
}
