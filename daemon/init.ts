import { openReplica } from '../crdt/replica/index.ts'
import { createSigner } from '../crdt/signing.ts'
import { peerIdFromSeed } from '../transports/libp2p/index.ts'
import type { HomeLayout } from './home.ts'
import { setUp } from './setup.ts'

/**
 * Makes a node without starting it, or finds the one that is there.
 * @throws {MeshError} what {@link setUp} does; `DATABASE_LOCKED` while a daemon runs on it
 */
export async function initNode(
  layout: HomeLayout,
  nodeId: string,
): Promise<{ peerId: string; meshId: string; created: boolean }> {
  const { seed, created } = await setUp(layout, nodeId)
  const replica = await openReplica({ signer: createSigner(seed) }, { path: layout.databasePath })
  try {
    return { peerId: peerIdFromSeed(seed), meshId: replica.meshId, created }
  } finally {
    await replica.close()
  }
}
