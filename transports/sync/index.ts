/**
 * The mesh as this node takes part in it: pairing, the roster, sessions that make replicas equal, live push. Stands on
 * a transport and a replica; the daemon's API steers it.
 */
import type { Replica } from '../../crdt/replica/index.ts'
import type { Signer } from '../../crdt/signing.ts'
import type { Clock } from '../clock.ts'
import type { DialTarget, Log } from '../libp2p/index.ts'
import type { Mesh } from '../mesh.ts'
import type { Gate, PeerId, Transport } from '../transport.ts'
import { MeshNode } from './mesh-node.ts'

export interface MeshComponents {
  readonly replica: Replica
  readonly signer: Signer
  /** Makes the transport behind a gate; it is started and stopped with the mesh. */
  readonly transport: (gate: Gate) => Transport
  /** Makes the redial loop; it is started and stopped with the mesh. */
  readonly dialler: (transport: Transport, targets: () => Iterable<DialTarget>) => Redialling
  readonly clock: Clock
  readonly log: Log
  /** From 0 (included) to 1 (excluded). */
  readonly random: () => number
}

/** What keeps the node connected to its targets. */
export interface Redialling {
  start(): void
  stop(): Promise<void>
  kick(peer?: PeerId): void
  lastError(peer: PeerId): Error | undefined
}

export interface MeshInit {
  /** This node's name. */
  readonly nodeId: string
  /** Version of the software, for people. */
  readonly version: string
  /** How often connected peers are reconciled with though nothing seems to be missing, in milliseconds; jittered. */
  readonly repairIntervalMs: number
}

/** A {@link Mesh} that can be started and stopped. */
export interface MeshService extends Mesh {
  /** @throws {MeshError} what the transport's start does */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Reads the mesh that the replica is part of. */
export function createMesh(components: MeshComponents, init: MeshInit): Promise<MeshService> {
  return MeshNode.load(components, init)
}
