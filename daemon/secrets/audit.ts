import { createHmac } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { type EntryId, NODE_SCOPE } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { SecretsRules, StoredEntry } from '../../crdt/replica/index.ts'
import { createSecretsGuard, type Finding, type ScannedEntry, type SecretsGuard } from '../../crdt/secrets/index.ts'
import { nextTurn } from '../../crdt/turns.ts'
import { FoundSecrets } from './found-secrets.ts'
import type { AuditPace, SecretsAudit, SecretsAuditComponents, SecretsAuditInit } from './index.ts'
import { checkingFinding, storedFinding } from './report.ts'
import { scannedPlace, scannedRow } from './scanned.ts'
import { type AuditState, readStored, type StoredSecret, type Walk, writeStored } from './stored-secrets.ts'

/** A hundred thousand entries take some seconds of work; nobody waits for it, and requests go first. */
const DEFAULT_PACE: AuditPace = { sliceMs: 4, share: 0.1 }
/** Longest pause between two looks, in milliseconds: what took long was one entry, or a machine that was busy. */
const MAX_REST_MS = 250
/** Entries, or commits, after which it is written down how far it is: so many are looked at again after a kill. */
const SAVE_AFTER = 4_096
/** Most entries that are kept as found, or a few more. With so many the search pauses until some are mended. */
const MAX_FOUND = 1_000
/** Commits that are asked of the feed at once. */
const FEED_BATCH = 256
/** Wait before it is tried again after a failure, in milliseconds. */
const RETRY_MS = 60_000

/** Touches nothing until it is started. */
export function createSecretsAudit(
  { store, log }: SecretsAuditComponents,
  { rules, version, pace = DEFAULT_PACE }: SecretsAuditInit,
): SecretsAudit {
  const stopping = new AbortController()
  const rulesName = nameOfRules(rules, version)
  /** What is committed from here on the replica's own guard has seen. */
  const guardedFrom = store.position
  const found = new FoundSecrets(lookUp)
  let state: AuditState | undefined
  /** As it was last written. */
  let saved: AuditState | undefined
  /** Entries that were looked at since the start, and since it was last written how far it is. */
  let looked = 0
  let unsavedLooks = 0
  let isTold = false
  let guard: SecretsGuard | undefined
  let wake = Promise.withResolvers<void>()
  let loop: Promise<void> | undefined
  let stopped: Promise<void> | undefined

  const isBehind = ({ walk, position }: AuditState) => walk !== undefined || position < guardedFrom
  const isPaused = () => found.size >= MAX_FOUND

  /** Making a guard takes some 16 ms: none is made where there is nothing to look at. */
  const scan = (entry: ScannedEntry): Finding | undefined => {
    guard ??= createSecretsGuard({ key: rules.key, allowed: new Set(rules.allowed) })
    return guard.scan(entry)
  }

  /** Looks at an entry as it is now. One that is damaged is for others to tell of. */
  async function lookUp(id: EntryId): Promise<StoredSecret | undefined> {
    try {
      const entry = await store.get(id)
      return entry && (await secretIn(entry))
    } catch (error) {
      if (isCorrupt(error)) return undefined
      throw error
    }
  }

  async function secretIn({ id, row, conflicts }: StoredEntry): Promise<StoredSecret | undefined> {
    if (row === undefined) return undefined
    const finding = scan(scannedRow(id, row))
    if (finding !== undefined) return { id, finding }
    if (conflicts === 0) return undefined
    // What is in conflict and not shown is there all the same: others may show it, and anybody may ask for it.
    for (const { path, values } of await store.conflicts(id)) {
      for (const { value } of values) {
        const hidden = scan(scannedPlace(id, path, value))
        if (hidden !== undefined) return { id, finding: hidden, isHidden: true }
      }
    }
    return undefined
  }

  function note(secret: StoredSecret | undefined): void {
    looked++
    unsavedLooks++
    if (secret !== undefined) found.add(secret)
  }

  async function load(): Promise<AuditState> {
    const left = await readStored(store.side)
    const { state: earlier } = left
    const holds =
      earlier?.databaseId === store.databaseId &&
      earlier.rules === rulesName &&
      earlier.position <= guardedFrom &&
      earlier.position >= store.horizon
    if (holds) {
      found.keep(left.found)
      saved = earlier
      return earlier
    }
    found.forget(left.found.keys())
    const walk = { kind: 'memory', after: undefined } as const
    return { databaseId: store.databaseId, rules: rulesName, position: guardedFrom, walk }
  }

  /** Looks at some of what has not been looked at yet. */
  async function advance(from: AuditState): Promise<AuditState> {
    if (from.walk === undefined) return { ...from, position: await followSome(from.position) }
    try {
      return { ...from, walk: await walkSome(from.walk) }
    } catch (error) {
      if (!isCorrupt(error)) throw error
      // A list ends at the first damaged entry. The feed leads to the others, as far as it reaches back.
      return { ...from, walk: undefined, position: store.horizon }
    }
  }

  async function walkSome({ kind, after }: Walk): Promise<Walk | undefined> {
    const until = performance.now() + pace.sliceMs
    const scopes = store.scopes().filter((scope) => scope !== NODE_SCOPE)
    for await (const entry of store.list(kind, { scopes, after })) {
      note(await secretIn(entry))
      const { id } = entry
      if (performance.now() >= until) return { kind, after: { scope: id.scope, key: id.key } }
    }
    return kind === 'memory' ? { kind: 'skill', after: undefined } : undefined
  }

  async function followSome(after: number): Promise<number> {
    const until = performance.now() + pace.sliceMs
    let reached = after
    for await (const { seq, id } of store.feed(after, Math.min(FEED_BATCH, guardedFrom - after))) {
      reached = seq
      if (!found.doubt(id) && id.scope !== NODE_SCOPE) note(await lookUp(id))
      if (performance.now() >= until) return reached
    }
    // Where the feed has less than it was said to, nothing more comes of it.
    return reached === after ? guardedFrom : reached
  }

  async function save(now: AuditState): Promise<void> {
    await found.check()
    // All that came after the start has been guarded.
    const next = isBehind(now) ? now : { ...now, position: store.position }
    await found.saved((changed) => writeStored(store.side, next, changed))
    saved = next
    state = next
    unsavedLooks = 0
  }

  /** Whether so much is not written down yet that it should be. */
  function isSaveDue(now: AuditState): boolean {
    if (isBehind(now) && !isPaused()) return unsavedLooks >= SAVE_AFTER
    if (unsavedLooks > 0 || found.isChanged || saved === undefined || isBehind(saved) !== isBehind(now)) return true
    return !isBehind(now) && store.position - saved.position >= SAVE_AFTER
  }

  /** One step; returns whether there was anything to do. */
  async function step(): Promise<boolean> {
    state ??= await load()
    await found.check()
    const isWorking = isBehind(state) && !isPaused()
    if (isWorking) {
      await nextTurn()
      const began = performance.now()
      state = await advance(state)
      await rest(Math.min((performance.now() - began) * (1 / pace.share - 1), MAX_REST_MS))
    }
    const isDue = isSaveDue(state)
    if (isDue) await save(state)
    if (!isTold && !isBehind(state)) tell()
    return isWorking || isDue
  }

  const rest = (ms: number) => setTimeout(ms, undefined, { signal: stopping.signal, ref: false }).catch(() => {})

  function tell(): void {
    isTold = true
    const level = looked > 0 ? 'info' : 'debug'
    log[level]({ entries: looked }, 'what was stored earlier has been looked through for secrets')
    if (found.size === 0) return
    const message = 'entries hold what looks like a secret: see mesh doctor'
    log.warn({ checkId: 'secrets.stored', entries: found.size }, message)
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        wake = Promise.withResolvers()
        if (!(await step())) await wake.promise
      } catch (err) {
        if (stopping.signal.aborted) return
        log.warn({ err }, 'what is stored could not be looked through for secrets; it is tried again')
        await rest(RETRY_MS)
      }
    }
  }

  const unsubscribe = store.onCommit((commits) => {
    // Each is asked: some would end at the first.
    const doubted = commits.filter(({ id }) => found.doubt(id))
    if (doubted.length > 0 || (state !== undefined && isSaveDue(state))) wake.resolve()
  })

  async function stop(): Promise<void> {
    stopping.abort()
    unsubscribe()
    wake.resolve()
    await loop
    if (state === undefined) return
    const isSaved = unsavedLooks === 0 && !found.isChanged && saved?.position === store.position
    if (!isSaved) {
      await save(state).catch((err: unknown) => log.warn({ err }, 'how far the search for secrets is was not kept'))
    }
  }

  return {
    start() {
      loop ??= run()
    },
    async findings() {
      await found.check()
      const isWorking = state !== undefined && isBehind(state) && !isPaused()
      return [
        ...(found.size === 0 ? [] : [storedFinding(found.list(), !isPaused())]),
        ...(isWorking && looked > 0 ? [checkingFinding(looked)] : []),
      ]
    },
    stop() {
      stopped ??= stop()
      return stopped
    },
  }
}

/** Tells nothing of what it names. */
function nameOfRules({ key, allowed }: SecretsRules, version: string): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([version, [...allowed].sort()]))
    .digest('hex')
}

function isCorrupt(error: unknown): boolean {
  return error instanceof MeshError && error.code === 'STORAGE_CORRUPT'
}
