import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import type {
  ComponentLogger,
  ConnectionEncrypter,
  ConnectionGater,
  Logger,
  PrivateKey,
  Upgrader,
} from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import type { Libp2pLimits } from './limits.ts'
import { guardNegotiation } from './negotiation-guard.ts'

export interface NodeInit {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly limits: Libp2pLimits
  readonly gater: ConnectionGater
  /** Told why one address could not be listened on; libp2p itself throws one text about all of them. */
  readonly onListenError: (address: Multiaddr, error: unknown) => void
}

/** The protocol by which libp2p's connection monitor asks; the other side need not serve it. */
const PING = '/ipfs/ping/1.0.0'
const isNoise = (protocol: string) => protocol === '/noise'
const isYamux = (protocol: string) => protocol === '/yamux/1.0.0'

type YamuxFactory = ReturnType<typeof yamux>
type TcpFactory = ReturnType<typeof tcp>
type NoiseFactory = ReturnType<typeof noise>

/**
 * A libp2p node, not started: TCP, Noise, yamux and nothing else. No identify: every channel negotiates its protocol
 * by itself, addresses come from the roster, and a guest learns nothing about this machine. No discovery, no routing,
 * no relay, no redialling (see dialler.ts), no logging of its own.
 */
export async function createNode({ privateKey, listen, limits, gater, onListenError }: NodeInit): Promise<Libp2p> {
  const isTaken = (protocol: string): boolean => protocol === PING || node.getProtocols().includes(protocol)
  const node: Libp2p = await createLibp2p({
    start: false,
    privateKey,
    logger: SILENT,
    connectionGater: gater,
    addresses: { listen: [...listen] },
    transports: [guardedTcp(onListenError)],
    connectionEncrypters: [noiseThenMuxer],
    streamMuxers: [
      guardedYamux(isTaken, {
        // libp2p resets a stream whose unread bytes pass maxReadBufferLength. What a peer may send ahead must stay well
        // below: then a slow reader slows its sender down and loses nothing.
        streamOptions: {
          maxStreamWindowSize: limits.maxStreamWindowBytes,
          maxReadBufferLength: 8 * limits.maxStreamWindowBytes,
        },
      }),
    ],
    connectionManager: {
      maxConnections: limits.maxConnections,
      maxIncomingPendingConnections: limits.maxPendingInbound,
      inboundConnectionThreshold: limits.inboundPerHostPerSecond,
      inboundUpgradeTimeout: limits.upgradeTimeoutMs,
      dialTimeout: limits.dialTimeoutMs,
      addressDialTimeout: limits.addressDialTimeoutMs,
      // The caller's order stands: announced addresses come first.
      addressSorter: () => 0,
      // No /dnsaddr: it would look up TXT records of whatever name an address holds.
      resolvers: {},
    },
    connectionMonitor: {
      pingInterval: limits.pingIntervalMs,
      pingTimeout: { minTimeout: limits.pingTimeoutMs, maxTimeout: limits.pingTimeoutMs },
    },
  })
  return node
}

/**
 * Noise without the early choice of a muxer in its handshake. With it, a dialler counts as connected before the other
 * side has looked at its peer id, and a stranger would see every dial succeed and its connection vanish. Without it,
 * the choice is the first thing that is answered after the gate, so a dial that succeeds was admitted.
 */
const noiseThenMuxer: (components: Parameters<NoiseFactory>[0]) => ConnectionEncrypter = (components) => {
  const inner = noise()(components)
  // Over the encrypted connection the muxer is negotiated: by a stranger, as far as is known by then.
  const guarded = <T extends { connection: object }>(secured: T): T => {
    guardNegotiation(secured.connection, isYamux)
    return secured
  }
  return {
    protocol: inner.protocol,
    secureInbound: async (stream, options) =>
      guarded(await inner.secureInbound(stream, { ...options, skipStreamMuxerNegotiation: true })),
    secureOutbound: async (stream, options) =>
      guarded(await inner.secureOutbound(stream, { ...options, skipStreamMuxerNegotiation: true })),
  }
}

/** yamux, with a guard on each stream from its first byte. */
function guardedYamux(isTaken: (protocol: string) => boolean, init: Parameters<typeof yamux>[0]): YamuxFactory {
  return (...components) => {
    const factory = yamux(init)(...components)
    const createMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = (connection) => {
      const muxer = createMuxer(connection)
      const guards = muxer as unknown as { onRemoteStream(stream: object): void }
      const onRemoteStream = guards.onRemoteStream.bind(muxer)
      guards.onRemoteStream = (stream) => {
        guardNegotiation(stream, isTaken)
        onRemoteStream(stream)
      }
      const createStream = muxer.createStream.bind(muxer)
      muxer.createStream = async (options) => {
        const stream = await createStream(options)
        // Whoever is asked answers with the protocol or with `na`; libp2p itself ends the talk at any other name.
        guardNegotiation(stream, (protocol) => protocol !== 'na')
        return stream
      }
      return muxer
    }
    return factory
  }
}

/** TCP that tells why it cannot listen, with a guard on each connection from its first byte. */
function guardedTcp(onListenError: NodeInit['onListenError']): TcpFactory {
  return (components) => {
    const transport = tcp()(components)
    const createListener = transport.createListener.bind(transport)
    const dial = transport.dial.bind(transport)
    transport.dial = (address, options) =>
      dial(address, {
        ...options,
        upgrader: wrap(options.upgrader, 'upgradeOutbound', (connection) => guardNegotiation(connection, isNoise)),
      })
    transport.createListener = (options) => {
      const upgrader = wrap(options.upgrader, 'upgradeInbound', (connection) => guardNegotiation(connection, isNoise))
      const listener = createListener({ ...options, upgrader })
      const listenOn = listener.listen.bind(listener)
      listener.listen = (address) =>
        listenOn(address).catch((error) => {
          onListenError(address, error)
          throw error
        })
      return listener
    }
    return transport
  }
}

/** The same upgrader, with a look at each connection before it is upgraded. */
function wrap(
  upgrader: Upgrader,
  method: 'upgradeInbound' | 'upgradeOutbound',
  look: (connection: object) => void,
): Upgrader {
  return new Proxy(upgrader, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        if (name === method) look(args[0] as object)
        return (value as (...all: unknown[]) => unknown).apply(target, args)
      }
    },
  })
}

function silentLogger(): Logger {
  const silent = () => {}
  return Object.assign(silent, { error: silent, trace: silent, enabled: false, newScope: silentLogger })
}

const SILENT: ComponentLogger = { forComponent: silentLogger }
