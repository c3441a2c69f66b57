import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import type { ComponentLogger, ConnectionEncrypter, ConnectionGater, Logger, PrivateKey } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import type { Libp2pLimits } from './limits.ts'

export interface NodeInit {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly limits: Libp2pLimits
  readonly gater: ConnectionGater
  /** Told why one address could not be listened on; libp2p itself throws one text about all of them. */
  readonly onListenError: (address: Multiaddr, error: unknown) => void
}

type TcpFactory = ReturnType<typeof tcp>
type NoiseFactory = ReturnType<typeof noise>

/**
 * A libp2p node, not started: TCP, Noise, yamux and nothing else. No identify: every channel negotiates its protocol
 * by itself, addresses come from the roster, and a guest learns nothing about this machine. No discovery, no routing,
 * no relay, no redialling (see dialler.ts), no logging of its own.
 */
export function createNode({ privateKey, listen, limits, gater, onListenError }: NodeInit): Promise<Libp2p> {
  return createLibp2p({
    start: false,
    privateKey,
    logger: SILENT,
    connectionGater: gater,
    addresses: { listen: [...listen] },
    transports: [tellingTcp(onListenError)],
    connectionEncrypters: [noiseThenMuxer],
    streamMuxers: [
      yamux({
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
}

/**
 * Noise without the early choice of a muxer in its handshake. With it, a dialler counts as connected before the other
 * side has looked at its peer id, and a stranger would see every dial succeed and its connection vanish. Without it,
 * the choice is the first thing that is answered after the gate, so a dial that succeeds was admitted.
 */
const noiseThenMuxer: (components: Parameters<NoiseFactory>[0]) => ConnectionEncrypter = (components) => {
  const inner = noise()(components)
  return {
    protocol: inner.protocol,
    secureInbound: (stream, options) => inner.secureInbound(stream, { ...options, skipStreamMuxerNegotiation: true }),
    secureOutbound: (stream, options) => inner.secureOutbound(stream, { ...options, skipStreamMuxerNegotiation: true }),
  }
}

function tellingTcp(onListenError: NodeInit['onListenError']): TcpFactory {
  return (components) => {
    const transport = tcp()(components)
    const createListener = transport.createListener.bind(transport)
    transport.createListener = (options) => {
      const listener = createListener(options)
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

function silentLogger(): Logger {
  const silent = () => {}
  return Object.assign(silent, { error: silent, trace: silent, enabled: false, newScope: silentLogger })
}

const SILENT: ComponentLogger = { forComponent: silentLogger }
