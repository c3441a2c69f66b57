import { resolve } from 'node:path'
import type { Logger } from 'pino'
import type { Finding } from '../../transports/mesh.ts'
import { Obstacle } from './obstacle.ts'

/** Of one kind so many are listed, and the rest counted: a terminal is no place for 10,000. */
const MAX_LISTED = 100
/** Of one kind so many are remembered: a stranger may have changed a million files. */
const MAX_MET = 1000

/** Entries that the replica holds and cannot read. */
export const UNREADABLE = {
  checkId: 'files.unreadable',
  severity: 'error',
  message: 'the database holds entries that are damaged: what shows them is left as it is',
  path: '.',
  fixHint: 'another member of the mesh still has them',
} as const

/** What `mesh doctor` says of the files. */
export interface FileFindings {
  /** Something in the way of writing, from now to a pass of {@link endPass} that does not meet it. */
  obstacle(obstacle: Obstacle): void
  /** A file or entry that needs a person, kept likewise or until {@link resolved}. `path` is absolute or below the root. */
  met(finding: Finding & { readonly path: string }): void
  resolved(checkId: string, path: string): void
  /** What there is to say of a unit, instead of what was said before. */
  note(unit: string, findings: readonly Finding[]): void
  /** A finding of which there is one, or undefined when it is over. `path` as for {@link met}. */
  state(checkId: string, finding: Omit<Finding, 'checkId'> | undefined): void
  /** What {@link state} was told last. */
  stated(checkId: string): Finding | undefined
  /** Why nothing can be done at present, or undefined when work goes on. */
  stalled(error: unknown): void
  /** Begins to try everything again that is not as it should be. */
  beginPass(): void
  /** Drops what was not met again since. */
  endPass(): void
  /** Whether something is in the way that may go away by itself or by a person's hand elsewhere. */
  readonly blocked: boolean
  list(): Finding[]
}

/** @param root the mesh folder, for paths that are relative to it */
export function createFindings(root: string, log: Logger): FileFindings {
  const met = new Map<string, { finding: Finding; pass: number }>()
  /** Kinds of which more were met than are remembered, with the pass in which they were. */
  const beyond = new Map<string, number>()
  const notes = new Map<string, readonly Finding[]>()
  const states = new Map<string, Finding>()
  let stalled: Finding | undefined
  let pass = 0

  function say(finding: Finding, known: boolean): void {
    if (known) return
    const { checkId, severity, message, path } = finding
    log[severity === 'info' ? 'info' : 'warn']({ checkId, path }, message)
  }

  function meet(finding: Finding & { readonly path: string }): void {
    const path = resolve(root, finding.path)
    const key = `${finding.checkId} ${path}`
    if (!met.has(key) && countMet(finding.checkId) >= MAX_MET) {
      beyond.set(finding.checkId, pass)
      return
    }
    say(finding, met.has(key))
    met.set(key, { finding: { ...finding, path }, pass })
  }

  function countMet(checkId: string): number {
    if (met.size < MAX_MET) return met.size
    return met.values().reduce((count, { finding }) => count + Number(finding.checkId === checkId), 0)
  }

  return {
    obstacle: (obstacle) => meet(findingOf(obstacle)),
    met: meet,
    resolved: (checkId, path) => void met.delete(`${checkId} ${resolve(root, path)}`),
    note(unit, findings) {
      const before = notes.get(unit) ?? []
      for (const finding of findings)
        say(
          finding,
          before.some(({ checkId }) => checkId === finding.checkId),
        )
      if (findings.length === 0) notes.delete(unit)
      else notes.set(unit, findings)
    },
    state(checkId, finding) {
      if (finding === undefined) {
        states.delete(checkId)
        return
      }
      const stated = absolute(root, { checkId, ...finding })
      say(stated, states.get(checkId)?.message === stated.message)
      states.set(checkId, stated)
    },
    stated: (checkId) => states.get(checkId),
    stalled(error) {
      const before = stalled
      stalled = error === undefined ? undefined : stallOf(error)
      if (stalled !== undefined) say(stalled, before?.message === stalled.message)
    },
    beginPass() {
      pass++
    },
    endPass() {
      for (const [key, entry] of met) if (entry.pass < pass) met.delete(key)
      for (const [checkId, last] of beyond) if (last < pass) beyond.delete(checkId)
    },
    get blocked() {
      return met
        .values()
        .some(({ finding }) => finding.checkId === 'files.blocked' || finding.checkId === 'files.symlink')
    },
    list() {
      const noted = [...notes.values()].flat().map((finding) => absolute(root, finding))
      const now = stalled === undefined ? [] : [stalled]
      return shorten([...now, ...states.values(), ...[...met.values()].map(({ finding }) => finding), ...noted], beyond)
    },
  }
}

function absolute(root: string, finding: Finding): Finding {
  return finding.path === undefined ? finding : { ...finding, path: resolve(root, finding.path) }
}

function shorten(findings: readonly Finding[], beyond: ReadonlyMap<string, unknown>): Finding[] {
  return Object.entries(Object.groupBy(findings, ({ checkId }) => checkId)).flatMap(([checkId, all = []]) => {
    const first = all[0]
    if (first === undefined || all.length <= MAX_LISTED) return all
    const { severity } = first
    const rest = `${beyond.has(checkId) ? 'at least ' : ''}${all.length - MAX_LISTED}`
    return [...all.slice(0, MAX_LISTED), { checkId, severity, message: `and ${rest} more of these` }]
  })
}

/** Messages name paths, which {@link encodeName} made of plain letters, and never keys: terminals show them as they are. */
function findingOf({ kind, path, errno, cause }: Obstacle): Finding & { readonly path: string } {
  if (kind === 'symlink') {
    const message = 'a symbolic link stands where the mesh writes files: nothing is written or removed through it'
    return { checkId: 'files.symlink', severity: 'warning', message, path, fixHint: 'remove the link' }
  }
  const severity = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'error' : 'warning'
  const blocked = { checkId: 'files.blocked', severity, path } as const
  if (kind === 'not-folder') {
    return { ...blocked, message: 'something else stands where a folder must be', fixHint: 'move it away' }
  }
  if (kind === 'not-file') {
    return { ...blocked, message: 'something else stands where a file must be', fixHint: 'move it away' }
  }
  const reason = cause instanceof Error ? cause.message : String(cause)
  return { ...blocked, message: `cannot write here: ${reason}; it is tried again`, fixHint: hintFor(errno) }
}

function stallOf(error: unknown): Finding {
  if (error instanceof Obstacle) return { ...findingOf(error), severity: 'error' }
  return {
    checkId: 'files.stalled',
    severity: 'error',
    message: `the files do not follow the mesh: ${error instanceof Error ? error.message : String(error)}; it is tried again`,
    fixHint: 'the log of the daemon says more',
  }
}

function hintFor(errno: string | undefined): string {
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return 'free some disk space'
  if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS') return 'let the user of the daemon write here'
  if (errno === 'EMFILE' || errno === 'ENFILE') return 'allow more open files (ulimit -n)'
  if (errno === 'ENOENT') return 'make the folder, or mount what belongs here'
  return 'look after the disk that this path is on'
}
