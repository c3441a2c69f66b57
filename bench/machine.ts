import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, freemem, loadavg, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Static, Type } from 'typebox'

const Count = Type.Integer({ minimum: 0 })

/** Where and of what the figures are. */
export const MachineSchema = Type.Object({
  cores: Count,
  cpu: Type.String(),
  memoryBytes: Count,
  freeMemoryBytes: Count,
  platform: Type.String(),
  node: Type.String(),
  /** Of the working tree, with `-dirty` behind it where files differ from it; null where there is no git. */
  commit: Type.Union([Type.String(), Type.Null()]),
  /** Mean number of processes that wanted a core over the last minute: before and after, to tell a busy machine. */
  load: Type.Object({ before: Type.Number(), after: Type.Number() }),
})
export type Machine = Static<typeof MachineSchema>

/** Facts of this machine. @param loadBefore the load when the run began */
export function describeMachine(loadBefore: number): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    commit: commit(),
    load: { before: loadBefore, after: currentLoad() },
  }
}

/** Load of the last minute. */
export const currentLoad = (): number => loadavg()[0] ?? 0

function commit(): string | null {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, {
        cwd: fileURLToPath(new URL('.', import.meta.url)),
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim()
    return `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '-dirty'}`
  } catch {
    return null // a packed copy, or a machine without git
  }
}
