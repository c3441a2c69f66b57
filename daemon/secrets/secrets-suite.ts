import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, onTestFinished } from 'vitest'
import type { JsonValue, Scope } from '../../crdt/entry/index.ts'
import { createReplica, DocumentWorkers, openReplica, type Replica, secretsRules } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import type { Finding } from '../../transports/mesh.ts'
import { type AuditedStore, createSecretsAudit, type SecretsAudit } from './index.ts'

/** Made here, so that nobody takes these files for some that hold a secret. */
export const SECRET = ['ghp', 'x7Kd92LmQpZr4TvWyB1nCs8EfGhJ3aUoRi5e'].join('_')
export const OTHER_SECRET = ['ghp', 'Qm4Xw8Zt2Vb6Nk1Lp9Rs5Yd3Hf7Jg0Ac8Uet'].join('_')

const NODES = ['ceo', 'sec']
export const signerOf = (node: string) => createSigner(new Uint8Array(32).fill(NODES.indexOf(node) + 1))
const workers = new DocumentWorkers()
afterAll(() => workers.close())

/** A real replica that is closed and opened again, as a daemon that is restarted. */
export interface Home {
  /** Folder of its database. */
  readonly path: string
  /** The replica as it is open now. */
  store(): Replica
  /** Opens it anew, with the guard on where fingerprints are given that it lets pass. */
  reopen(allowed?: readonly string[]): Promise<Replica>
  put(key: string, value: JsonValue, scope?: string): Promise<void>
  putSkill(name: string, content: string, scope?: string): Promise<void>
  remove(kind: 'memory' | 'skill', key: string): Promise<void>
  /** Takes in all that another node has. */
  hear(other: Home): Promise<void>
}

/** A new home, its guard off. It is gone when the test ends. */
export async function makeHome(now?: () => number, node = 'ceo'): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'mesh-stored-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'db')
  await createReplica(path, { meshId: 'a'.repeat(32), records: [] })
  const open = (allowed?: readonly string[]) =>
    openReplica({ signer: signerOf(node), workers, ...(now && { now }), secrets: allowed && { allowed } }, { path })
  let store = await open()
  onTestFinished(() => store.close())
  return {
    path,
    store: () => store,
    async reopen(allowed) {
      await store.close()
      store = await open(allowed)
      return store
    },
    async put(key, value, scope = 'mesh') {
      await store.putMemory({ scope: scope as Scope, key, value, nodeId: node })
    },
    async putSkill(name, content, scope = 'mesh') {
      await store.putSkill({ scope: scope as Scope, name, content, nodeId: 'ceo' })
    },
    async remove(kind, key) {
      await store.remove({ kind, scope: 'mesh' as Scope, key }, 'ceo')
    },
    async hear(other) {
      store.setAuthors(NODES.map((name) => signerOf(name).publicKey))
      await store.apply(await Array.fromAsync(other.store().transfers(() => true)), 'other')
    },
  }
}

export interface Trial {
  readonly audit: SecretsAudit
  /** Keys of what it has read, in their order. */
  readonly read: readonly string[]
  /** Lines of the log. */
  readonly lines: readonly { readonly msg: string; readonly entries?: number; readonly checkId?: string }[]
  /** Resolves when everything that was stored has been looked at. */
  readonly over: Promise<void>
  /** What `mesh doctor` says then; undefined where it is nothing. */
  told(): Promise<Finding | undefined>
}

export interface TrialInit {
  readonly allowed?: readonly string[]
  readonly version?: string
  /** Called for each entry, before the audit gets it. */
  readonly onRead?: (key: string) => void | Promise<void>
}

/** An audit of a store, one entry a turn, that has not begun yet. It is stopped when the test ends. */
export function openAudit(store: AuditedStore, init: TrialInit = {}): Trial {
  const { allowed = [], version = '1.0.0', onRead = () => {} } = init
  const read: string[] = []
  const lines: Trial['lines'][number][] = []
  const over = Promise.withResolvers<void>()
  const write = (text: string) => {
    const line = JSON.parse(text) as Trial['lines'][number]
    lines.push(line)
    if (line.msg.includes('has been looked through')) over.resolve()
  }
  const log = pino({ level: 'debug' }, { write })
  const tellOf = async (key: string) => {
    await onRead(key)
    read.push(key)
  }
  const watched: AuditedStore = {
    databaseId: store.databaseId,
    side: store.side,
    get position() {
      return store.position
    },
    get horizon() {
      return store.horizon
    },
    scopes: () => store.scopes(),
    async *list(kind, options) {
      for await (const entry of store.list(kind, options)) {
        await tellOf(entry.id.key)
        yield entry
      }
    },
    async get(id) {
      const entry = await store.get(id)
      await tellOf(id.key)
      return entry
    },
    conflicts: (id) => store.conflicts(id),
    feed: (after, limit) => store.feed(after, limit),
    onCommit: (listener) => store.onCommit(listener),
  }
  const pace = { sliceMs: 0, share: 1 }
  const audit = createSecretsAudit(
    { store: watched, log },
    { rules: secretsRules(signerOf('ceo'), allowed), version, pace },
  )
  onTestFinished(() => audit.stop())
  return {
    audit,
    read,
    lines,
    over: over.promise,
    async told() {
      await over.promise
      const findings = await audit.findings()
      if (findings.length > 1) throw new Error(`more than one finding: ${findings.map(({ checkId }) => checkId)}`)
      return findings[0]
    },
  }
}
