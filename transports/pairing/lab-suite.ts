/** What the tests of pairing and of the roster share. */

import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { MeshError } from '../../crdt/errors.ts'
import { createReplica, openReplica, type Replica } from '../../crdt/replica/index.ts'
import { createSigner, type Signer } from '../../crdt/signing.ts'
import { peerIdFromPublicKey } from '../libp2p/identity.ts'
import { newMesh, Roster, type RosterRecord, rosterWrite } from '../roster/index.ts'
import type { Channel, PeerId } from '../transport.ts'

export interface Person {
  readonly name: string
  readonly signer: Signer
  readonly peer: PeerId
  /** Public key, hex. */
  readonly key: string
}

/** The same key for the same name. */
export function person(name: string): Person {
  const signer = createSigner(createHash('sha256').update(name).digest())
  const key = Buffer.from(signer.publicKey).toString('hex')
  return { name, signer, key, peer: peerIdFromPublicKey(signer.publicKey) }
}

/** A replica in a temporary folder, closed and gone when the test ends. */
export async function openStore(
  signer: Signer,
  init: { meshId: string; records: readonly RosterRecord[] },
  path?: string,
): Promise<Replica & { readonly path: string }> {
  const folder = path ?? (await mkdtemp(join(tmpdir(), 'mesh-pairing-')))
  if (path === undefined) {
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    await createReplica(join(folder, 'db'), { meshId: init.meshId, records: init.records.map(rosterWrite) })
  }
  const replica = await openReplica({ signer }, { path: join(folder, 'db') })
  onTestFinished(() => replica.close())
  return Object.assign(replica, { path: folder })
}

/** A mesh that somebody has just begun. */
export async function beginMesh(founder: Person, now: () => number = Date.now) {
  const { meshId, genesis } = newMesh(founder.signer, { name: founder.name, at: Math.floor(now() / 1000) })
  const store = await openStore(founder.signer, { meshId, records: [genesis] })
  const roster = await Roster.load({ side: store.side, signer: founder.signer, now }, meshId)
  return { meshId, genesis, store, roster }
}

/** Two ends of a channel in memory: what one sends the other reads, in order. */
export function channelPair(a: PeerId, b: PeerId): [Channel, Channel] {
  const [here, there] = [new End(b), new End(a)]
  here.other = there
  there.other = here
  return [here, there]
}

class End implements Channel {
  readonly peer: PeerId
  other: End | undefined
  readonly #inbox: (Uint8Array | undefined)[] = []
  #wake = () => {}
  #failure: Error | undefined

  constructor(peer: PeerId) {
    this.peer = peer
  }

  async send(frame: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.other?.take(frame)
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.#inbox.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        continue
      }
      const frame = this.#inbox.shift()
      if (frame === undefined) return
      yield frame
    }
  }

  readonly frames: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => this.#read() }

  /** A frame, or undefined for the end of them. */
  take(frame: Uint8Array | undefined): void {
    this.#inbox.push(frame)
    this.#wake()
  }

  async close(): Promise<void> {
    this.other?.take(undefined)
  }

  abort(reason: Error): void {
    for (const end of [this, this.other]) end?.fail(reason)
  }

  fail(cause: Error): void {
    this.#failure = new MeshError('CHANNEL_CLOSED', 'the channel is lost', { cause })
    this.#wake()
  }
}
