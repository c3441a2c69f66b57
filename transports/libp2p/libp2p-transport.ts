import type { Connection, Listener, Stream } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { MeshError } from '../../crdt/errors.ts'
import type { Access, Channel, ChannelHandler, Gate, OpenOptions, PeerEvent, PeerId, Transport } from '../transport.ts'
import { StreamChannel } from './channel.ts'
import { dialFailure, listenFailure, openFailure, stoppedError } from './failures.ts'
import { peerIdFromSeed, privateKeyFromSeed } from './identity.ts'
import type { Libp2pLimits } from './limits.ts'
import { Links, peerOf } from './links.ts'
import type { Log } from './log.ts'
import { createNode } from './node.ts'

export interface Libp2pTransportComponents {
  readonly gate: Gate
  readonly log: Log
}

export interface Libp2pTransportOptions {
  readonly seed: Uint8Array
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly limits: Libp2pLimits
}

interface Served {
  readonly access: Access
  readonly handler: ChannelHandler
}

/** See {@link createLibp2pTransport}. */
export class Libp2pTransport implements Transport {
  readonly self: PeerId
  readonly #gate: Gate
  readonly #log: Log
  readonly #options: Libp2pTransportOptions
  readonly #links: Links
  readonly #served = new Map<string, Served>()
  readonly #channels = new Set<StreamChannel>()
  readonly #listeners = new Set<Listener>()
  #node: Libp2p | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor(components: Libp2pTransportComponents, options: Libp2pTransportOptions) {
    this.self = peerIdFromSeed(options.seed)
    this.#gate = components.gate
    this.#log = components.log
    this.#options = options
    this.#links = new Links(components, options.limits)
  }

  start(): Promise<void> {
    if (this.#stopping !== undefined) return Promise.reject(stoppedError('a stopped transport does not start again'))
    this.#starting ??= this.#start()
    return this.#starting
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  handle(protocol: string, access: Access, handler: ChannelHandler): void {
    if (this.#served.has(protocol)) throw new Error(`protocol ${protocol} is served already`)
    if (this.#starting !== undefined) throw new Error(`protocol ${protocol} must be registered before start()`)
    this.#served.set(protocol, { access, handler })
  }

  addresses(): string[] {
    const bound = [...this.#listeners].flatMap((listener) => listener.getAddrs()).map(withoutPeer)
    const isLoopback = (address: string) => /^\/ip4\/127\.|^\/ip6\/::1\//.test(address)
    const outside = bound.filter((address) => !isLoopback(address))
    return [...new Set([...this.#options.announce.map(withoutPeer), ...outside, ...bound])]
  }

  connected(): PeerId[] {
    return this.#links.members()
  }

  remoteAddress(peer: PeerId): string | undefined {
    const connection = this.#links.of(peer)[0]
    return connection === undefined ? undefined : withoutPeer(connection.remoteAddr)
  }

  onPeer(listener: (event: PeerEvent) => void): () => void {
    return this.#links.onPeer(listener)
  }

  recheck(): void {
    this.#links.recheck()
  }

  async dial(peer: PeerId, addresses: readonly string[], { signal }: OpenOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const node = this.#running()
    if (this.#links.of(peer).length > 0) return
    const { limits } = this.#options
    const targets = addresses.slice(0, limits.maxDialAddresses).flatMap((address) => dialTarget(peer, address))
    const timeout = AbortSignal.timeout(limits.dialTimeoutMs)
    try {
      if (targets.length === 0) throw new Error('none of the addresses is a multiaddr that can be dialled')
      await node.dial(targets, { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) })
    } catch (cause) {
      signal?.throwIfAborted()
      // It may have dialled this node meanwhile.
      if (this.#links.of(peer).length === 0) throw dialFailure(peer, addresses, cause)
    }
  }

  async open(peer: PeerId, protocol: string, { signal }: OpenOptions = {}): Promise<Channel> {
    signal?.throwIfAborted()
    const timeout = AbortSignal.timeout(this.#options.limits.openTimeoutMs)
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
    let failure = new MeshError('PEER_NOT_CONNECTED', `peer ${peer} is not connected`, { field: 'peer' })
    for (const connection of this.#usable(peer, protocol)) {
      try {
        const { maxOutboundChannels: maxOutboundStreams } = this.#options.limits
        const stream = await connection.newStream(protocol, { signal: either, maxOutboundStreams })
        return this.#channel(stream, connection)
      } catch (cause) {
        signal?.throwIfAborted()
        failure = openFailure(peer, protocol, cause)
        if (failure.code === 'PROTOCOL_UNSUPPORTED') break
      }
    }
    throw failure
  }

  async hangUp(peer: PeerId): Promise<void> {
    await this.#close(this.#links.of(peer))
  }

  async #close(connections: readonly Connection[]): Promise<void> {
    const signal = AbortSignal.timeout(this.#options.limits.hangUpTimeoutMs)
    const close = (connection: Connection) => {
      // Its own promise is not enough: it waits in vain when the other side closes at the same time.
      const closed = new Promise<void>((resolve) => connection.addEventListener('close', () => resolve()))
      const closing = connection.close({ signal }).catch((error: Error) => connection.abort(error))
      return Promise.race([closed, closing])
    }
    await Promise.all(connections.map(close))
  }

  async #start(): Promise<void> {
    const errors: { address: string; error: unknown }[] = []
    const { seed, listen, limits } = this.#options
    try {
      const node = await createNode({
        privateKey: privateKeyFromSeed(seed),
        listen,
        limits,
        gater: {
          denyInboundEncryptedConnection: (peer) => {
            const admitted = peer.type === 'Ed25519' && this.#links.admits(peer.toString() as PeerId)
            if (!admitted) this.#log.debug({ peerId: peer.toString() }, 'cut at the gate')
            return !admitted
          },
        },
        onListenError: (address, error) => errors.push({ address: address.toString(), error }),
      })
      this.#node = node
      node.addEventListener('connection:open', ({ detail }) => this.#links.add(detail))
      node.addEventListener('connection:close', ({ detail }) => this.#links.remove(detail))
      node.addEventListener('transport:listening', ({ detail }) => this.#listeners.add(detail))
      node.addEventListener('transport:close', ({ detail }) => this.#listeners.delete(detail))
      for (const [protocol, served] of this.#served) {
        await node.handle(protocol, (stream, connection) => this.#serve(served, stream, connection), {
          maxInboundStreams: limits.maxInboundChannels,
          maxOutboundStreams: limits.maxOutboundChannels,
        })
      }
      await node.start()
    } catch (cause) {
      throw listenFailure(listen, errors, cause)
    }
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => {}) // told to whoever called start()
    for (const channel of [...this.#channels]) channel.abort(stoppedError('the transport was stopped'))
    // Before libp2p does, which waits half a second for connections that the other side closes at the same time.
    await this.#close(this.#links.all())
    await this.#node?.stop()
  }

  #running(): Libp2p {
    if (this.#node?.status === 'started' && this.#stopping === undefined) return this.#node
    throw stoppedError('the transport is not running')
  }

  /** Connections on which this protocol may be spoken: all to a member, and to a stranger for what guests get. */
  #usable(peer: PeerId, protocol: string): Connection[] {
    const allowed = this.#gate.isMember(peer) || this.#served.get(protocol)?.access === 'guest'
    return allowed ? this.#links.of(peer) : []
  }

  #channel(stream: Stream, connection: Connection): StreamChannel {
    const touch = () => this.#links.touch(connection)
    const channel = new StreamChannel(stream, {
      peer: peerOf(connection),
      closeTimeoutMs: this.#options.limits.closeTimeoutMs,
      onActivity: touch,
      onEnd: (ended) => this.#channels.delete(ended),
    })
    touch()
    if (!channel.ended) this.#channels.add(channel)
    return channel
  }

  #serve({ access, handler }: Served, stream: Stream, connection: Connection): void {
    const peer = peerOf(connection)
    if (access === 'member' && !this.#gate.isMember(peer)) {
      this.#log.debug({ peerId: peer, protocol: stream.protocol }, 'refused: for members only')
      stream.abort(new Error('for members only'))
      return
    }
    void this.#run(handler, this.#channel(stream, connection), stream.protocol)
  }

  async #run(handler: ChannelHandler, channel: StreamChannel, protocol: string): Promise<void> {
    try {
      await handler(channel)
      await channel.finish()
    } catch (err) {
      this.#log.debug({ err, peerId: channel.peer, protocol }, 'a channel handler failed')
      channel.abort(err instanceof Error ? err : new Error(String(err)))
    }
  }
}

function dialTarget(peer: PeerId, address: string): Multiaddr[] {
  try {
    const bare = withoutPeer(multiaddr(address))
    return [multiaddr(`${bare}/p2p/${peer}`)]
  } catch {
    return [] // one bad address in a roster or ticket must not hide the good ones
  }
}

function withoutPeer(address: Multiaddr | string): string {
  return address.toString().replace(/\/p2p\/[^/]+$/, '')
}
