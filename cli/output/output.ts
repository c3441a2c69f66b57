import type { Writable } from 'node:stream'
import { createPaint, type Paint } from './paint.ts'
import { createProgressLine, type ProgressLine } from './progress.ts'

/** A stream that may be a terminal, as `process.stdout` is. */
export interface OutputStream extends Writable {
  readonly isTTY?: boolean
  readonly columns?: number | undefined
}

export interface OutputInit {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** One JSON document on stdout instead of words. */
  readonly json: boolean
  /** False after `--no-color`. */
  readonly color: boolean
  readonly clock: () => number
}

/** What a command says, and where: results on stdout, everything about them on stderr. */
export interface Output {
  readonly json: boolean
  /** Whether people read stdout: it is a terminal, and no JSON was asked for. */
  readonly forPeople: boolean
  /** Columns of the terminal behind stdout; 80 where there is none. */
  readonly width: number
  /** Colours for stdout. */
  readonly paint: Paint
  /** Colours for stderr. */
  readonly paintNote: Paint
  readonly progress: ProgressLine
  /** A line of the result. */
  line(text: string): void
  /** Part of the result to the letter, no line end added. */
  raw(text: string): void
  /** Words about the result, on stderr. */
  note(text: string): void
  /** The one document of a run with `--json`; `ok: true` is put in front unless it says otherwise. */
  document(value: object): void
}

/** Makes the output of one run. */
export function createOutput({ stdout, stderr, env, json, color, clock }: OutputInit): Output {
  const progress = createProgressLine({
    write: (text) => stderr.write(text),
    enabled: stderr.isTTY === true && env['TERM'] !== 'dumb' && !json,
    width: () => stderr.columns ?? 80,
    clock,
  })
  const painted = (stream: OutputStream): boolean => color && takesColor(stream, env)
  return {
    json,
    forPeople: stdout.isTTY === true && !json,
    width: stdout.columns ?? 80,
    paint: createPaint(painted(stdout) && !json),
    paintNote: createPaint(painted(stderr)),
    progress,
    line(text) {
      progress.clear()
      stdout.write(`${text}\n`)
    },
    raw(text) {
      progress.clear()
      stdout.write(text)
    },
    note(text) {
      progress.clear()
      stderr.write(`${text}\n`)
    },
    document(value) {
      progress.clear()
      stdout.write(`${JSON.stringify({ ok: true, ...value }, null, 2)}\n`)
    },
  }
}

/** Colour is for terminals that know it; `NO_COLOR` (https://no-color.org), when not empty, switches it off. */
export function takesColor(stream: OutputStream, env: OutputInit['env']): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
}
