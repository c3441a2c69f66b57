import { createHash } from 'node:crypto'
import { eachLimited } from './each-limited.ts'
import type { FileRecord, FilesIndex, IndexChange } from './files-index.ts'
import type { FileFindings } from './findings.ts'
import type { GuardedFolder, Looks } from './guarded-folder.ts'
import { Obstacle } from './obstacle.ts'
import type { Plan, WantedFile } from './plan.ts'
import { unitKey } from './units.ts'

export interface ReconcileComponents {
  readonly index: FilesIndex
  readonly folder: GuardedFolder
  readonly findings: FileFindings
}

export interface ReconcileOptions {
  /** Whether files are compared also where the index says that they are as they should be. */
  readonly force: boolean
  /** Written together with what became of the files. */
  readonly changes: readonly IndexChange[]
}

/** Files in work at once. Node works on files with four threads, and one is left for the database. */
const CONCURRENCY = 3
/** Up to so many files are forced to the disk one by one; of a larger export a look finds what a power cut took. */
const MAX_SYNCED = 32
/** While a file is being written, how many contents are taken for ours: crashes may have left any of the last. */
const MAX_OPEN_SHAS = 3

interface Job {
  readonly plan: Plan
  readonly file: WantedFile
  readonly before: FileRecord | undefined
  readonly sha: string | undefined
}

/**
 * Makes the files of some plans what they should be and records it. What is about to be written stands in the index
 * before the file is touched, so that after a crash our own file is not taken for somebody's edit. A file that cannot be
 * written is a finding and stays to be done.
 *
 * @throws {Obstacle} one that every other file would meet as well; nothing is recorded as done then
 */
export async function reconcile(
  plans: readonly Plan[],
  { index, folder, findings }: ReconcileComponents,
  { force, changes }: ReconcileOptions,
): Promise<void> {
  const files = plans.flatMap((plan) => plan.files.map((file) => ({ plan, file })))
  const records = await index.files(files.map(({ file }) => file.path))
  const jobs = files
    .map(({ plan, file }, i): Job => ({ plan, file, before: records[i], sha: file.bytes && shaOf(file.bytes) }))
    .filter((job) => force || !isShown(job))

  const opened = jobs.flatMap((job) => openRecord(job))
  if (opened.length > 0) await index.write(opened, { sync: true })

  const failed = new Set<Plan>()
  const done: IndexChange[] = []
  const looks: Looks = new Map()
  const options = { sync: opened.length <= MAX_SYNCED, looks }
  await eachLimited(jobs, CONCURRENCY, async (job) => {
    try {
      const shown = await show(job)
      done.push({ file: job.file.path, record: shown.record })
      if (!shown.ours) failed.add(job.plan)
    } catch (error) {
      if (!(error instanceof Obstacle) || error.everywhere) throw error
      failed.add(job.plan)
      findings.obstacle(error)
    }
  })

  for (const plan of plans) {
    const unit = unitKey(plan.unit)
    findings.note(unit, plan.notes)
    done.push(...plan.changes, { todo: unit, open: failed.has(plan) })
  }
  await index.write([...done, ...changes])

  async function show({ plan, file, before, sha }: Job): Promise<{ ours: boolean; record: FileRecord | undefined }> {
    const isOurs = (bytes: Buffer) => (before?.shas.includes(shaOf(bytes)) ?? false) || file.isOurs(bytes)
    let ours = true
    let record: FileRecord | undefined
    if (file.bytes === undefined || sha === undefined) {
      ours = (await folder.drop(file.path, isOurs, looks)) !== 'foreign'
      if (!ours) record = before
    } else {
      const replaced = await folder.replace(file.path, file.bytes, isOurs, options)
      ours = replaced.outcome !== 'foreign'
      const now = { shas: [sha], seq: file.seq, unit: unitKey(plan.unit) }
      record = replaced.outcome === 'foreign' ? before : { ...now, ...replaced.stamp }
    }
    if (ours) findings.resolved('files.edited', file.path)
    else findings.met(edited(plan, file))
    return { ours, record }
  }
}

export function shaOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64url')
}

function isShown({ file, before, sha }: Job): boolean {
  if (before === undefined) return sha === undefined && !file.deleted
  return sha !== undefined && before.shas[0] === sha && before.open === undefined
}

function openRecord({ plan, file, before, sha }: Job): IndexChange[] {
  // A removal needs none: a file that is gone says everything.
  if (sha === undefined) return []
  const shas = [sha, ...(before?.shas ?? []).filter((other) => other !== sha)].slice(0, MAX_OPEN_SHAS)
  return [{ file: file.path, record: { shas, seq: file.seq, unit: unitKey(plan.unit), open: true } }]
}

function edited({ unit }: Plan, file: WantedFile) {
  const command = unit.kind === 'memory' ? 'mesh put' : 'mesh skill put'
  const gone = file.bytes === undefined
  return {
    checkId: 'files.edited',
    severity: 'warning',
    message: gone
      ? 'the mesh no longer has this entry, but the file was made or changed by somebody else: it is left'
      : 'the file was made or changed by somebody else: it is left, and does not follow the mesh',
    path: file.path,
    fixHint: gone
      ? `bring it back with \`${command}\`, or delete the file`
      : `take the change over with \`${command}\`, or delete the file to have it written again`,
  } as const
}
