/** What the tests of this folder share. */

import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, onTestFinished } from 'vitest'
import { EntryDocument, type EntryId, type JsonValue, type Kind, MESH_SCOPE, type Scope } from '../entry/index.ts'
import { createSigner, type Signer } from '../signing.ts'
import {
  type ApplyOutcome,
  createReplica,
  DocumentWorkers,
  type FeedRecord,
  type Item,
  openReplica,
  type Replica,
  type ReplicaComponents,
  type StoredEntry,
  type Transfer,
} from './index.ts'

/** The mesh of the tests, and the names of its members. */
export const MESH = 'a'.repeat(32)
export const MEMBERS = ['ceo', 'sec', 'lab'] as const

/** The same key for the same name. */
export function signerOf(name: string): Signer {
  return createSigner(createHash('sha256').update(name).digest())
}

export const authorsOf = (names: readonly string[]) => names.map((name) => signerOf(name).publicKey)

export const scopeOf = (text: string) => text as Scope
export const memory = (key: string, scope: string = MESH_SCOPE): EntryId => ({
  kind: 'memory',
  scope: scopeOf(scope),
  key,
})
export const skill = (key: string, scope: string = MESH_SCOPE): EntryId => ({
  kind: 'skill',
  scope: scopeOf(scope),
  key,
})

/** Workers for all replicas of a test file: starting one takes longer than most tests. */
export function sharedWorkers(limits?: ConstructorParameters<typeof DocumentWorkers>[0]): DocumentWorkers {
  const workers = new DocumentWorkers(limits)
  afterAll(() => workers.close())
  return workers
}

/** A new folder that is gone when the test ends. */
export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mesh-replica-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface TestReplica extends Replica {
  readonly name: string
  readonly path: string
  /** Puts a memory of the mesh scope, said by this replica's node. */
  put(key: string, value: JsonValue, scope?: string): ReturnType<Replica['putMemory']>
  putText(name: string, content: string, scope?: string): ReturnType<Replica['putSkill']>
  drop(id: EntryId): Promise<boolean>
}

export type TestInit = Omit<Partial<ReplicaComponents>, 'signer'> & {
  /** Of a replica that is there already. */
  readonly path?: string
  readonly members?: readonly string[]
  readonly feedKept?: number
}

/** Opens a replica, a new one unless a path is given; it is closed when the test ends. */
export async function openTestReplica(name: string, init: TestInit = {}): Promise<TestReplica> {
  const { path = join(await tempFolder(), 'db'), members = MEMBERS, feedKept, ...components } = init
  if (init.path === undefined) await createReplica(path, { meshId: MESH, records: [] })
  const replica = await openReplica({ signer: signerOf(name), ...components }, { path, feedKept })
  onTestFinished(() => replica.close())
  replica.setAuthors(authorsOf(members))
  return Object.assign(replica, {
    name,
    path,
    put: (key: string, value: JsonValue, scope: string = MESH_SCOPE) =>
      replica.putMemory({ scope: scopeOf(scope), key, value, nodeId: name }),
    putText: (title: string, content: string, scope: string = MESH_SCOPE) =>
      replica.putSkill({ scope: scopeOf(scope), name: title, content, nodeId: name }),
    drop: (id: EntryId) => replica.remove(id, name),
  })
}

export async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const one of all) collected.push(one)
  return collected
}

export const rowsOf = async (replica: Replica, kind: Kind): Promise<StoredEntry['row'][]> =>
  (await collect(replica.list(kind))).map(({ row }) => row)

export const feedOf = (replica: Replica): Promise<FeedRecord[]> => collect(replica.feed(0))

export const hex = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('hex')

export const digestOf = (replica: Replica) => hex(replica.digest().digest)

/** Items of all shared entries, in order of scope and key. */
export async function itemsIn(replica: Replica): Promise<Item[]> {
  const items = (await collect(replica.items())).flat()
  const name = ({ id }: Item) => `${id.kind} ${id.scope} ${id.key}`
  return items.toSorted((a, b) => (name(a) < name(b) ? -1 : 1))
}

/** Every shared entry, as a peer gets it. */
export async function transfersOf(replica: Replica): Promise<Transfer[]> {
  const transfers: Transfer[] = []
  for await (const transfer of replica.transfers(() => true)) transfers.push(transfer)
  return transfers
}

export async function transferOf(replica: Replica, id: EntryId): Promise<Transfer> {
  const transfer = await replica.transfer(id)
  if (transfer === undefined) throw new Error(`no ${id.key}`)
  return transfer
}

/** An entry as a peer gets it of whom it is too large to travel whole: change by change. */
export async function transferInChanges(replica: Replica, id: EntryId): Promise<Transfer> {
  const { chunks, ...rest } = await transferOf(replica, id)
  return { ...rest, chunks: changesIn(id, chunks) }
}

/** The changes of a whole entry, dependencies first. */
export function changesIn(id: EntryId, chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  const document = EntryDocument.create(id, 'dd'.repeat(16))
  try {
    document.apply(chunks)
    return document.changesSince([])
  } finally {
    document.free()
  }
}

/** Gives each everything of the other. */
export async function exchange(a: TestReplica, b: TestReplica): Promise<void> {
  await b.apply(await transfersOf(a), a.name)
  await a.apply(await transfersOf(b), b.name)
}

/** `applied`, or the code that says why not. */
export const verdictOf = (outcome: ApplyOutcome | undefined) =>
  outcome === undefined ? undefined : 'code' in outcome ? `${outcome.outcome} ${outcome.code}` : outcome.outcome

/** Applies transfers as if a peer had sent them; gives the verdict on each. */
export async function verdicts(replica: Replica, transfers: readonly Transfer[]): Promise<(string | undefined)[]> {
  return (await replica.apply(transfers, 'peer')).map(verdictOf)
}
