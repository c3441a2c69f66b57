import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { MachineSchema } from './machine.ts'
import { SIZES } from './question.ts'

const Summary = {
  median: Type.Number(),
  low: Type.Number(),
  high: Type.Number(),
  /** Every round that counted, in order. */
  runs: Type.Array(Type.Number(), { minItems: 1 }),
}

const JudgedBarSchema = Type.Object({
  bound: Type.Enum(['at most', 'at least']),
  value: Type.Number(),
  /** Judges the ratio to this figure. */
  to: Type.Optional(Type.String()),
  /** The median that was judged. */
  measured: Type.Number(),
  met: Type.Boolean(),
  /** Whether it is a time or a rate by itself: such bars are meant for an idle machine with 2 cores. */
  absolute: Type.Boolean(),
})
export type JudgedBar = Static<typeof JudgedBarSchema>

const DrawnPlotSchema = Type.Object({
  name: Type.String(),
  title: Type.String(),
  x: Type.String(),
  y: Type.String(),
  series: Type.Array(
    Type.Object({ label: Type.String(), points: Type.Array(Type.Tuple([Type.Number(), Type.Number()])) }),
  ),
})
/** A plot with medians in place of figures. */
export type DrawnPlot = Static<typeof DrawnPlotSchema>

export const MeasuredFigureSchema = Type.Object({
  id: Type.String(),
  what: Type.String(),
  unit: Type.String(),
  ...Summary,
  /** The figure divided by others of its question, round by round. */
  ratios: Type.Array(Type.Object({ to: Type.String(), ...Summary })),
  /** What it has to be. */
  bars: Type.Array(JudgedBarSchema),
  /** Its place in the question's grid. */
  cell: Type.Optional(Type.Object({ row: Type.String(), column: Type.String() })),
})
export type MeasuredFigure = Static<typeof MeasuredFigureSchema>

export const AnswerSchema = Type.Object({
  name: Type.String(),
  asks: Type.String(),
  /** The size's name, and what it stands for in numbers. */
  size: Type.Intersect([
    Type.Object({ name: Type.Enum([...SIZES]), rounds: Type.Integer(), warmUps: Type.Integer() }),
    Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
  ]),
  /** How long the question took in all. */
  seconds: Type.Number(),
  figures: Type.Array(MeasuredFigureSchema, { minItems: 1 }),
  plots: Type.Array(DrawnPlotSchema),
})
export type Answer = Static<typeof AnswerSchema>

/** What a run of the bench writes as JSON. A change that breaks readers counts `version` up. */
export const ReportSchema = Type.Object({
  version: Type.Literal(2),
  /** When the run ended, ISO 8601. */
  date: Type.String(),
  machine: MachineSchema,
  answers: Type.Array(AnswerSchema),
  /** Questions that failed, with the reason. */
  failures: Type.Array(Type.Object({ name: Type.String(), message: Type.String() })),
})
export type Report = Static<typeof ReportSchema>

/**
 * Reads what {@link writeReport} wrote.
 * @throws Error where there is none, or it is of another version
 */
export async function readReport(path: string): Promise<Report> {
  const report: unknown = JSON.parse(await readFile(path, 'utf8'))
  if (Value.Check(ReportSchema, report)) return report
  throw new Error(`${path} holds no report of this version of the bench: run it again`)
}

/** Writes the report; its folder is made where it is missing. */
export function writeReport(path: string, report: Report): Promise<void> {
  return writeText(path, `${JSON.stringify(report, null, 2)}\n`)
}

/** Writes a file; its folder is made where it is missing. */
export async function writeText(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}
