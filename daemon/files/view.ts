import type { Logger } from 'pino'
import type { Finding } from '../../transports/mesh.ts'
import type { FileSource } from './exporter.ts'

export interface FileViewComponents {
  readonly store: FileSource
  readonly log: Logger
}

export interface FileViewInit {
  /** The folder that agents read, absolute. It is made if its parent exists. */
  readonly meshDir: string
  /** Absolute path of `mesh-memory.json`. */
  readonly memoryJsonPath: string
  /** Folder of the view's own database, absolute; all in it can be made again. */
  readonly indexPath: string
  readonly memoryJson: boolean
  /** Whether skills are also written as `skills/<name>.md`. */
  readonly flatSkills: boolean
  readonly timing?: Partial<FileViewTiming>
}

/** In milliseconds. */
export interface FileViewTiming {
  /**
   * How long commits gather before they are followed, where nobody waits for their files; and the longest pause where so
   * many come one after another that following them would take too much of the time.
   */
  readonly followMs: number
  readonly maxFollowMs: number
  /** Between looks at all files for what somebody changed or removed; a look at very many may itself take longer. */
  readonly auditMs: number
  /** How long who asks for a look waits for it. */
  readonly maxCheckMs: number
  /** Before what could not be written is tried again; twice as long after each failure, up to {@link maxRetryMs}. */
  readonly retryMs: number
  readonly maxRetryMs: number
  /**
   * How long there must be no new memory before `mesh-memory.json` is written, and how long that may be put off; longer
   * where writing it takes long.
   */
  readonly memoryJsonMs: number
  readonly maxMemoryJsonMs: number
}

/** The mesh as files, one way. What goes wrong with files is a finding, and never stops the daemon. */
export interface FileView {
  /** Begins to follow the replica; what was missed is caught up with afterwards. @throws {MeshError} `STOPPING` */
  start(): Promise<void>
  /** Ends after the group of files in work. Idempotent, also before {@link start}. */
  stop(): Promise<void>
  findings(): Finding[]
  /**
   * Looks at all files now, so that {@link findings} is up to date. Where that takes too long it goes on afterwards, and
   * one of the findings says so. @throws {MeshError} `STOPPING`
   */
  check(): Promise<void>
  /**
   * Resolves when the files show every commit up to a feed position; what could not be written stands in
   * {@link findings} then. @throws {MeshError} `STOPPING`
   */
  settled(position: number): Promise<void>
}

export const DEFAULT_TIMING: FileViewTiming = {
  followMs: 100,
  maxFollowMs: 10_000,
  auditMs: 60_000,
  maxCheckMs: 3_000,
  retryMs: 1_000,
  maxRetryMs: 60_000,
  memoryJsonMs: 500,
  maxMemoryJsonMs: 5_000,
}
