import {
  type Authorship,
  type Conflict,
  type EntryContent,
  type EntryDocument,
  type EntryId,
  type Kind,
  type MemoryRow,
  NODE_SCOPE,
  parseEntryId,
  parseJsonValue,
  parseNodeId,
  type Row,
  type Scope,
  type SkillRow,
} from '../entry/index.ts'
import type { SecretsGuard } from '../secrets/index.ts'
import { changeMessage, SIGNATURE_BYTES, type Signer } from '../signing.ts'
import { combine, type SymbolPrefix, subjectOf, type Window } from '../summary/index.ts'
import { newAdoption } from './adoption.ts'
import { type BackupSource, backUpView, isBetweenMeshes } from './backup.ts'
import type { Database, FrozenView } from './database.ts'
import { Documents } from './documents.ts'
import { dueAt, isExpired, type KeptView, Lapser, parseExpiry } from './expiry.ts'
import { readConflicts, readHistory, resolutionsOf } from './history.ts'
import { importDecision } from './import.ts'
import { Intake } from './intake.ts'
import { mergeBackup } from './merge-backup.ts'
import { MeshChange } from './mesh-change.ts'
import type { OpenEntry } from './open-entry.ts'
import {
  getEntry,
  getRowJson,
  listEntries,
  openItemFinder,
  readFeed,
  readItems,
  readItemsSince,
  readNews,
  readTransfer,
  readTransfers,
} from './reading.ts'
import type { ChangeSignature } from './records.ts'
import type {
  Adoption,
  ApplyOutcome,
  AuthoredRevision,
  BackupInit,
  ChangedItem,
  Commit,
  FeedRecord,
  HistoryOptions,
  ImportOutcome,
  Item,
  ItemFinder,
  ListOptions,
  MemoryPut,
  MergeOptions,
  MergeReport,
  News,
  PutOptions,
  Replica,
  ReplicaCounts,
  Resolution,
  ScopeDigest,
  SideStore,
  SkillPut,
  StoredEntry,
  Transfer,
  WriteResult,
} from './replica.ts'
import { RowCache } from './row-cache.ts'
import { Guards, refuseSecrets, type SecretsRules } from './secrets.ts'
import { parseSkillContent } from './skill-content.ts'
import { prefixOf, SymbolKeeper } from './symbol-keeper.ts'
import { readTotals, type Totals } from './totals.ts'
import { type Expectation, meets, type VersionedRow, VersionMismatch, versionOf } from './version.ts'
import type { DocumentWorkers } from './workers.ts'
import { type PendingCommit, Writer } from './writer.ts'

export interface StoreComponents {
  readonly database: Database
  readonly side: SideStore
  readonly workers: DocumentWorkers
  /** Whether they end with this replica. */
  readonly ownsWorkers: boolean
  readonly signer: Signer
  /** Unix milliseconds. */
  readonly now: () => number
  /** What the secrets guard is made with; undefined while it is off. */
  readonly secrets: SecretsRules | undefined
}

export interface StoreInit {
  readonly databaseId: string
  readonly meshId: string
  readonly totals: Totals
  readonly feedKept: number | undefined
}

/** {@link Replica} over a {@link Database}. */
export class Store implements Replica {
  readonly databaseId: string
  readonly side: SideStore
  readonly #components: StoreComponents
  readonly #documents: Documents
  readonly #rows: RowCache
  readonly #writer: Writer
  readonly #symbols: SymbolKeeper
  readonly #meshChange: MeshChange
  readonly #intake: Intake
  readonly #lapser: Lapser
  readonly #guard: SecretsGuard | undefined
  readonly #listeners = new Set<(commits: readonly Commit[]) => void>()
  #meshId: string
  #authors: readonly Uint8Array[]

  constructor(components: StoreComponents, init: StoreInit) {
    this.#components = components
    this.databaseId = init.databaseId
    this.side = components.side
    this.#meshId = init.meshId
    this.#authors = [components.signer.publicKey]
    this.#meshChange = new MeshChange(components.database, components.signer)
    this.#documents = new Documents(components.database)
    const now = () => this.#seconds()
    this.#rows = new RowCache((id) => getRowJson(components.database, id), now)
    const subject = (id: EntryId) => subjectOf(this.#meshId, id)
    this.#symbols = new SymbolKeeper({ database: components.database, subject, items: () => this.digest().items })
    this.#writer = new Writer(components.database, {
      totals: init.totals,
      feedKept: init.feedKept,
      subject,
      onCommit: (commits, items) => {
        this.#rows.forget(commits.map(({ id }) => id))
        this.#symbols.onCommits(items)
        for (const listener of this.#listeners) listener(commits)
      },
      onFailure: () => this.#documents.dropAll(),
    })
    this.#intake = new Intake({
      ...components,
      documents: this.#documents,
      meshChange: this.#meshChange,
      rules: () => ({ meshId: this.#meshId, authors: this.#authors, secrets: components.secrets }),
      commit: (entry, before, news) => this.#commit(entry, before, { ...news, signed: undefined }),
    })
    this.#guard = new Guards().for(components.secrets)
    this.#lapser = new Lapser(components.database, { now: components.now, lapse: (id) => this.#lapse(id) })
    this.#lapser.expect(0)
    components.database.onReopened(() => {
      this.#rows.forgetAll()
      this.#symbols.drop()
      this.#writer.reload(readTotals(components.database))
    })
  }

  get meshId(): string {
    return this.#meshId
  }

  get position(): number {
    return this.#writer.totals.position
  }

  get horizon(): number {
    return this.#writer.totals.horizon
  }

  get(id: EntryId): Promise<StoredEntry | undefined> {
    return getEntry(this.#components.database, id, this.#seconds())
  }

  rowJson(id: EntryId): Promise<VersionedRow | undefined> {
    return this.#rows.get(id)
  }

  scopes(): Scope[] {
    return [...this.#writer.totals.digests.keys()]
  }

  list(kind: Kind, options: ListOptions = {}): AsyncIterable<StoredEntry> {
    const scopes = options.scopes ?? this.scopes()
    return listEntries(this.#components.database, kind, scopes, { ...options, now: this.#seconds() })
  }

  feed(after: number, limit?: number): AsyncIterable<FeedRecord> {
    return readFeed(this.#components.database, after, this.position, limit)
  }

  counts(): ReplicaCounts {
    return this.#writer.totals.counts
  }

  digest(scopes?: readonly Scope[]): ScopeDigest {
    const { digests } = this.#writer.totals
    const chosen = scopes ?? [...digests.keys()].filter((scope) => scope !== NODE_SCOPE)
    const sums = chosen.flatMap((scope) => digests.get(scope) ?? [])
    return {
      digest: combine(sums.map(({ digest }) => digest)),
      items: sums.reduce((total, { items }) => total + items, 0),
    }
  }

  onCommit(listener: (commits: readonly Commit[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async putMemory(put: MemoryPut): Promise<WriteResult<MemoryRow>> {
    const id = parseEntryId('memory', put.scope, put.key)
    const content: EntryContent = { kind: 'memory', value: parseJsonValue(put.value) }
    return (await this.#put(id, content, put)) as WriteResult<MemoryRow>
  }

  async putSkill(put: SkillPut): Promise<WriteResult<SkillRow>> {
    const id = parseEntryId('skill', put.scope, put.name)
    const content: EntryContent = { kind: 'skill', ...parseSkillContent(put) }
    return (await this.#put(id, content, put)) as WriteResult<SkillRow>
  }

  async remove(id: EntryId, nodeId: string, expect?: Expectation): Promise<boolean> {
    const author = this.#author(nodeId)
    const remove = (document: EntryDocument, { view }: OpenEntry) =>
      this.#isShown(view) ? document.remove(author) : undefined
    return (await this.#change(id, remove, expect)) !== undefined
  }

  async resolve(
    id: EntryId,
    resolutions: readonly Resolution[] | undefined,
    nodeId: string,
    expect?: Expectation,
  ): Promise<WriteResult | undefined> {
    for (const resolution of resolutions ?? []) refuseSecrets(this.#guard, id, contentOf(id, resolution))
    const author = this.#author(nodeId)
    const resolve = (document: EntryDocument, { view }: OpenEntry) =>
      this.#isShown(view) ? document.resolve(resolutionsOf(document, resolutions), author) : undefined
    const done = await this.#change(id, resolve, expect)
    return done && written(done)
  }

  async importMemory(put: MemoryPut, at: number | undefined): Promise<ImportOutcome> {
    const id = parseEntryId('memory', put.scope, put.key)
    return this.#import(id, { kind: 'memory', value: parseJsonValue(put.value) }, put, at)
  }

  async importSkill(put: SkillPut, at: number | undefined): Promise<ImportOutcome> {
    const id = parseEntryId('skill', put.scope, put.name)
    return this.#import(id, { kind: 'skill', ...parseSkillContent(put) }, put, at)
  }

  history(id: EntryId, options: HistoryOptions = {}): Promise<AuthoredRevision[]> {
    return readHistory(this.#components.database, this.#meshId, id, options)
  }

  async conflicts(id: EntryId): Promise<Conflict[]> {
    return (await this.get(id))?.row === undefined ? [] : readConflicts(this.#components.database, id)
  }

  setAuthors(publicKeys: readonly Uint8Array[]): void {
    this.#authors = publicKeys
  }

  items(): AsyncIterable<readonly Item[]> {
    return readItems(this.#components.database)
  }

  itemsSince(position: number, peer: string): AsyncIterable<ChangedItem> {
    return readItemsSince(this.#components.database, this.#meshId, { after: position, until: this.position, peer })
  }

  openItemFinder(): Promise<ItemFinder> {
    return openItemFinder(this.#components.database)
  }

  symbols(window: Window): Promise<SymbolPrefix> {
    if (window === 0) return this.#symbols.copy()
    return this.#components.database.frozen((view) => prefixOf(view, { window, items: this.digest().items }))
  }

  transfers(wanted: (id: EntryId) => boolean): AsyncIterable<Transfer> {
    return readTransfers(this.#components.database, wanted)
  }

  async transfer(id: EntryId): Promise<Transfer | undefined> {
    return id.scope === NODE_SCOPE ? undefined : readTransfer(this.#components.database, id)
  }

  async news(id: EntryId, isKnown: (item: Uint8Array) => boolean, reach: number): Promise<News | undefined> {
    if (id.scope === NODE_SCOPE) return undefined
    return readNews(this.#components.database, this.#meshId, id, { isKnown, reach })
  }

  apply(transfers: readonly Transfer[], via: string): Promise<ApplyOutcome[]> {
    return this.#intake.apply(transfers, { via })
  }

  async *backup(init: BackupInit): AsyncGenerator<Uint8Array> {
    const { database, signer } = this.#components
    for (let isMade = false; !isMade; ) {
      while (this.#meshChange.isRunning) await this.#meshChange.settled()
      isMade = yield* database.frozenPieces((view) => this.#backUp(view, { ...init, publicKey: signer.publicKey }))
    }
  }

  mergeBackup(path: string, options: MergeOptions): Promise<MergeReport> {
    // Its own, so that it is pushed like anything that is written here.
    const apply = (transfers: readonly Transfer[]) =>
      this.#intake.apply(transfers, { via: undefined, takesNodeScope: options.isOwn, takesStored: true })
    const { database } = this.#components
    return mergeBackup(path, { database, meshId: () => this.#meshId, apply }, options)
  }

  adopt(adoption: Adoption, onProgress?: (done: number, total: number) => void): Promise<number> {
    return this.#meshChange.run(() => this.#adopt(adoption, onProgress))
  }

  async close(): Promise<void> {
    await this.#lapser.close()
    await this.#documents.idle()
    await this.#writer.drained()
    await this.#symbols.save()
    if (this.#components.ownsWorkers) await this.#components.workers.close()
    this.#documents.close()
    this.#rows.forgetAll()
    await this.#components.database.close()
  }

  /** Returns false where a change of mesh has begun since it was waited for: half of what there is is signed for each. */
  async *#backUp(view: FrozenView, init: Omit<BackupSource, 'createdAt'>): AsyncGenerator<Uint8Array, boolean> {
    if (this.#meshChange.isRunning && isBetweenMeshes(view)) return false
    yield* backUpView(view, { ...init, createdAt: this.#seconds() })
    return true
  }

  async #adopt(adoption: Adoption, onProgress?: (done: number, total: number) => void): Promise<number> {
    await this.#documents.idle()
    await this.#writer.drained()
    const { counts, position, horizon } = this.#writer.totals
    const total = counts.memory + counts.skills + counts.deleted + counts.expired
    const { digests, entries } = await this.#meshChange.adopt(newAdoption(adoption, position), (done) =>
      onProgress?.(done, total),
    )
    // What is open holds signatures for the old mesh.
    this.#documents.dropAll()
    this.#symbols.drop()
    this.#meshId = adoption.meshId
    this.#writer.reset({ counts, position, horizon, digests })
    return entries
  }

  async #put(
    id: EntryId,
    content: EntryContent,
    { nodeId, expiresAt: at, expect }: PutOptions & { readonly nodeId: string },
  ): Promise<WriteResult> {
    refuseSecrets(this.#guard, id, content)
    const author = this.#author(nodeId)
    const expiresAt = at === undefined ? undefined : parseExpiry(at, this.#seconds())
    const done = await this.#change(id, (document) => document.put({ ...content, expiresAt }, author), expect)
    if (done === undefined) throw new Error('impossible: a put always makes a change')
    return written(done)
  }

  async #import(
    id: EntryId,
    given: EntryContent,
    put: Pick<MemoryPut, 'nodeId' | 'expiresAt'>,
    at: number | undefined,
  ): Promise<ImportOutcome> {
    refuseSecrets(this.#guard, id, given)
    const now = this.#seconds()
    const name = parseNodeId(put.nodeId)
    const { expiresAt } = put
    if (expiresAt !== undefined && expiresAt <= now) return 'expired'
    const content = expiresAt === undefined ? given : { ...given, expiresAt: parseExpiry(expiresAt, now) }
    let decision: ReturnType<typeof importDecision> | undefined
    await this.#change(id, (document, { view }) => {
      decision = importDecision(this.#isShown(view) ? view : view && { ...view, row: undefined }, content, at, now)
      return decision.outcome === 'taken' ? document.putDerived(content, { nodeId: name, at: decision.at }) : undefined
    })
    return decision?.outcome ?? 'older'
  }

  #author(nodeId: string): Authorship {
    return { nodeId: parseNodeId(nodeId), at: this.#seconds() }
  }

  /** Unix seconds. */
  #seconds(): number {
    return Math.floor(this.#components.now() / 1000)
  }

  #isShown(view: KeptView | undefined): view is KeptView & { readonly row: Row } {
    return view?.row !== undefined && !isExpired(view.row, this.#seconds())
  }

  /**
   * Lets `change` write; resolves when that is durable, or with undefined when it wrote nothing.
   * @throws {VersionMismatch} where the entry is not as expected
   */
  async #change(
    id: EntryId,
    change: (document: EntryDocument, entry: OpenEntry) => string | undefined,
    expect: Expectation = {},
  ) {
    // No await between this and the entry's queue: an adoption that begins waits for what is queued.
    while (this.#meshChange.isRunning) await this.#meshChange.settled()
    const written = await this.#documents.withEntry(id, (entry) => {
      const before = entry.view
      if (!meets(expect, this.#isShown(before) ? versionOf(before.heads) : undefined)) return { found: entry.settled }
      let hash: string | undefined
      const changes = entry.update((document) => {
        hash = change(document, entry)
      })
      if (hash === undefined || entry.view === undefined) {
        entry.view = before
        return undefined
      }
      const { signature, signed } = this.#sign(id, hash)
      const news = { changes, signatures: [signature], signed, via: undefined }
      return { view: entry.view, seq: this.#commit(entry, before, news) }
    })
    if (written === undefined) return undefined
    if (written.view !== undefined) return { view: written.view, seq: await written.seq }
    // What it found may not be durable yet: nobody may be told of that.
    await written.found
    throw new VersionMismatch(await this.rowJson(id))
  }

  /** Commits that an entry has expired, where it has. */
  async #lapse(id: EntryId): Promise<void> {
    while (this.#meshChange.isRunning) await this.#meshChange.settled()
    const written = await this.#documents.withEntry(id, (entry) => {
      const before = entry.view
      if (before?.lapsed || before?.row === undefined || this.#isShown(before)) return undefined
      const news = { changes: [], signatures: [], signed: undefined, via: undefined }
      return { seq: this.#commit(entry, before, news) }
    })
    await written?.seq
  }

  /** Where others wait for the disk, other threads sign meanwhile; whoever writes alone would wait for them. */
  #sign(id: EntryId, hash: string): { signature: ChangeSignature; signed: Promise<unknown> | undefined } {
    const { signer } = this.#components
    const { publicKey } = signer
    const change = Buffer.from(hash, 'hex')
    const message = changeMessage(this.#meshId, id, change)
    if (!this.#writer.isBusy) {
      return { signature: { change, publicKey, signature: signer.signChange(message) }, signed: undefined }
    }
    const signature = new Uint8Array(SIGNATURE_BYTES)
    const signed = signer.signChangeLater(message).then((bytes) => signature.set(bytes))
    signed.catch(() => {}) // the commit fails with it
    return { signature: { change, publicKey, signature }, signed }
  }

  #commit(
    entry: OpenEntry,
    before: OpenEntry['view'],
    { changes, signatures, ...news }: Pick<Commit, 'changes' | 'signatures' | 'via'> & Pick<PendingCommit, 'signed'>,
  ) {
    if (entry.view === undefined) throw new Error('impossible: a commit has a version')
    // What comes when it has expired already is never shown, and so never counted.
    const { lapsed: _, ...view } = entry.view
    const after: KeptView = view.row === undefined || this.#isShown(view) ? view : { ...view, lapsed: true }
    entry.view = after
    const due = dueAt(after)
    if (due !== undefined) this.#lapser.expect(due)
    const write = changes.length + signatures.length === 0 ? undefined : entry.write(changes, signatures)
    return entry.track(this.#writer.commit({ id: entry.id, before, after, form: entry.form, write, ...news }))
  }
}

/** What a resolution writes, to be looked at. Whether it fits its place is for later. */
function contentOf({ kind }: EntryId, { path, value }: Resolution): EntryContent {
  if (kind === 'memory') return { kind, value }
  return { kind, [path === 'path' ? 'path' : 'content']: String(value) }
}

function written({ view, seq }: { view: KeptView; seq: number }): WriteResult {
  return { row: view.row as Row, version: versionOf(view.heads), seq }
}
