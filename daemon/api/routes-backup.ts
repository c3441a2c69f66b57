import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import { MeshError } from '../../crdt/errors.ts'
import { checkMesh, type Unpacked, unpackBackup } from '../../crdt/replica/index.ts'
import type { MergeReport } from '../../crdt/replica/replica.ts'
import { peerIdFromSeed } from '../../transports/libp2p/index.ts'
import type { LongWorkOptions } from '../../transports/mesh.ts'
import type { HomeLayout } from '../home.ts'
import { readNodeKey } from '../identity.ts'
import { makeRestoreFolder } from '../restore-folder.ts'
import { keyPathOf } from '../setup.ts'
import type { RestoreReport } from './backup-schemas.ts'
import { type ApiApp, DEFAULT_LIMITS, type RouteContext } from './components.ts'
import { allowLongBody } from './listeners.ts'
import { doLongWork } from './long-work.ts'
import { routes } from './route-schemas.ts'
import { callerGone, sendStream } from './streams.ts'

/** Backups that are made at once: each keeps what is overwritten meanwhile from being cleared away. */
const MAX_BACKUPS = 2
/** How long a caller has to hear why a backup cannot go on before the connection is cut, in milliseconds. */
const LAST_WORD_MS = 2_000

/** Backups of this node while it runs, and restores into it. */
export function addBackupRoutes(app: ApiApp, context: RouteContext): void {
  const { store, mesh, layout, version, stopping } = context
  const { requestMs } = { ...DEFAULT_LIMITS, ...context.limits }
  const backups = places(MAX_BACKUPS, 'two backups are being made just now')
  const restores = places(1, 'a restore is under way already')

  app.get('/backup', routes.backup, async (request, reply) => {
    using _place = backups.take()
    const seed = request.query.key === false ? undefined : await readKey(layout, mesh.peerId)
    const { nodeId, peerId } = mesh
    const pieces = store.backup({ nodeId, peerId, version, seed })[Symbol.asyncIterator]()
    // Read before the head is sent: what is wrong from the start still gets a status.
    const first = await pieces.next()
    reply.type('application/octet-stream')
    const stream = Readable.from(unhurried(first, pieces, AbortSignal.any([callerGone(reply), stopping])), {
      objectMode: false,
      highWaterMark: 1,
    })
    await sendStream(reply, stream)
  })

  app.post('/restore', routes.restore, async (request, reply) => {
    const { body } = request as { body: unknown }
    if (!(body instanceof Readable)) {
      throw new MeshError('CONTENT_TYPE_UNSUPPORTED', 'body: is no backup', {
        field: 'body',
        hint: 'send the file that `mesh backup` made, as application/octet-stream',
      })
    }
    using _place = restores.take()
    const endsWith = AbortSignal.any([callerGone(reply), stopping])
    return await doLongWork(request, reply, { run: (options) => restore(request, body, options), endsWith })
  })

  async function restore(request: FastifyRequest, body: Readable, options: LongWorkOptions): Promise<RestoreReport> {
    const { signal, onProgress } = options
    await using folder = await makeRestoreFolder(layout)
    const path = join(folder.path, 'db')
    const { header } = await unpack(request, body, path, options)
    const report = await store.mergeBackup(path, {
      isOwn: header.peerId === mesh.peerId,
      signal,
      onProgress: (done, total) => onProgress?.({ phase: 'merge', done, total }),
    })
    const { nodeId, peerId, meshId, createdAt, position } = header
    return { backup: { nodeId, peerId, meshId, createdAt, position }, ...told(report) }
  }

  async function unpack(
    request: FastifyRequest,
    body: Readable,
    path: string,
    { signal, onProgress }: LongWorkOptions,
  ): Promise<Unpacked> {
    using _patience = allowLongBody(request.raw.socket, requestMs)
    // Left open where it is refused in the middle: whoever sends it is to get the answer.
    const source = body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
    return await unpackBackup(source, path, {
      check: ({ meshId }) => checkMesh(meshId, mesh.meshId),
      signal,
      onProgress: (done, total) => onProgress?.({ phase: 'unpack', done, total }),
    })
  }
}

/** The pieces of a backup. Where it cannot go on its last piece says why: the caller is left the time to read that. */
async function* unhurried(
  first: IteratorResult<Uint8Array>,
  pieces: AsyncIterator<Uint8Array>,
  gone: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    for (let step = first; !step.done; step = await pieces.next()) yield step.value
  } catch (error) {
    await setTimeout(LAST_WORD_MS, undefined, { signal: gone }).catch(() => {})
    throw error
  } finally {
    await pieces.return?.()
  }
}

/** The key of this node. @throws {MeshError} `KEY_UNREADABLE`, also where another one lies there now */
async function readKey(layout: HomeLayout, peerId: string): Promise<Uint8Array> {
  const path = keyPathOf(layout)
  const seed = await readNodeKey(path)
  if (seed !== undefined && peerIdFromSeed(seed) === peerId) return seed
  throw new MeshError('KEY_UNREADABLE', `${path} does not hold the key that this node runs with`, {
    field: path,
    hint: 'put it back; a backup can be made without it (`mesh backup --without-key`)',
  })
}

/** What somebody may do so many times at once. */
function places(most: number, message: string): { take(): Disposable } {
  let taken = 0
  return {
    take() {
      if (taken >= most) throw new MeshError('TOO_MANY_REQUESTS', message, { hint: 'try again when it is done' })
      taken++
      return { [Symbol.dispose]: () => void taken-- }
    },
  }
}

function told({ faults, ...counts }: MergeReport): Omit<RestoreReport, 'backup'> {
  return {
    ...counts,
    faults: faults.map(({ id: { kind, scope, key }, code, message }) => {
      // A secret may stand in the key itself.
      return { kind, scope, key: code === 'SECRET_REFUSED' ? null : key, code, message }
    }),
  }
}
