import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pino } from 'pino'
import type { JsonValue, Scope } from '../../crdt/entry/index.ts'
import { createReplica, openReplica, type Replica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import { createFileView, type FileView, type FileViewInit } from './index.ts'

export type TrialOptions = Partial<Pick<FileViewInit, 'memoryJson' | 'flatSkills' | 'timing'>>

/** For what comes by itself in a moment: a busy machine may need longer. */
export const PATIENTLY = { timeout: 10_000, interval: 10 }

/** A home in a temporary folder with a real replica and a running file view. */
export interface Trial {
  readonly home: string
  /** The mesh folder. */
  readonly mesh: string
  readonly store: Replica
  readonly view: FileView
  /** What the view logged, as parsed lines. */
  readonly lines: readonly Record<string, unknown>[]
  put(key: string, value: JsonValue, scope?: string): Promise<void>
  putSkill(name: string, content: string, scope?: string): Promise<void>
  remove(kind: 'memory' | 'skill', key: string, scope?: string): Promise<void>
  /** Waits until the files show all that was written. */
  settled(): Promise<void>
  /** Content of a file, its path relative to the home; undefined where there is none. */
  read(path: string): Promise<string | undefined>
  /** Paths of all files in the mesh folder, relative to it, in order. */
  tree(): Promise<string[]>
  /** `checkId path` of each finding, the path relative to the home. */
  findings(): string[]
  /** Stops the view and begins anew, as after a restart; `between` runs while nothing does. */
  restart(options?: TrialOptions, between?: () => Promise<void>): Promise<void>
  stop(): Promise<void>
}

/** Sets a trial up; `before` runs in the home before the view is started. */
export async function startTrial(options: TrialOptions = {}, before?: (home: string) => Promise<void>): Promise<Trial> {
  const home = await mkdtemp(join(tmpdir(), 'mesh-files-'))
  const database = join(home, 'meshd', 'db')
  await mkdir(join(home, 'meshd'))
  await createReplica(database, { meshId: 'a'.repeat(32), records: [] })
  const store = await openReplica({ signer: createSigner(new Uint8Array(32).fill(7)) }, { path: database })
  await before?.(home)
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  let view = await startView(options)

  async function startView({ memoryJson = true, flatSkills = false, timing }: TrialOptions): Promise<FileView> {
    const created = createFileView(
      { store, log },
      { ...viewPaths(home), memoryJson, flatSkills, ...(timing && { timing }) },
    )
    await created.start()
    // Past the first look at all files, so that no other comes while a test changes them.
    await created.check()
    return created
  }

  return {
    home,
    mesh: join(home, 'mesh'),
    store,
    lines,
    get view() {
      return view
    },
    async put(key, value, scope = 'mesh') {
      await store.putMemory({ scope: scope as Scope, key, value, nodeId: 'ceo' })
    },
    async putSkill(name, content, scope = 'mesh') {
      await store.putSkill({ scope: scope as Scope, name, content, nodeId: 'ceo' })
    },
    async remove(kind, key, scope = 'mesh') {
      await store.remove({ kind, scope: scope as Scope, key }, 'ceo')
    },
    settled: () => view.settled(store.position),
    read: (path) => readFile(join(home, path), 'utf8').catch(() => undefined),
    tree: () => filesBelow(join(home, 'mesh')),
    findings: () => view.findings().map(({ checkId, path = '' }) => `${checkId} ${path.slice(home.length + 1)}`),
    async restart(again = options, between = async () => {}) {
      await view.stop()
      await between()
      view = await startView(again)
      await view.settled(store.position)
    },
    async stop() {
      await view.stop()
      await store.close()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** Where a view works in a home. */
export function viewPaths(home: string): Pick<FileViewInit, 'meshDir' | 'memoryJsonPath' | 'indexPath'> {
  return {
    meshDir: join(home, 'mesh'),
    memoryJsonPath: join(home, 'mesh-memory.json'),
    indexPath: join(home, 'meshd', 'files-index'),
  }
}

/** Paths of all files below a folder, relative to it, in order. */
export async function filesBelow(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true })
  return found
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}

/** SKILL.md as OpenClaw takes it. */
export function skillText(name: string, body = 'Do it well.'): string {
  return `---\nname: ${name}\ndescription: About ${name}\n---\n\n${body}\n`
}
