import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Static, Type } from 'typebox'
import { MachineSchema } from './machine.ts'
import { SIZES } from './question.ts'

const Summary = {
  median: Type.Number(),
  low: Type.Number(),
  high: Type.Number(),
  /** Every round that counted, in order. */
  runs: Type.Array(Type.Number(), { minItems: 1 }),
}

export const MeasuredFigureSchema = Type.Object({
  id: Type.String(),
  what: Type.String(),
  unit: Type.String(),
  ...Summary,
  /** The figure divided by others of its question, round by round. */
  ratios: Type.Array(Type.Object({ to: Type.String(), ...Summary })),
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
})
export type Answer = Static<typeof AnswerSchema>

/** What a run of the bench writes as JSON. A change that breaks readers counts `version` up. */
export const ReportSchema = Type.Object({
  version: Type.Literal(1),
  /** When the run ended, ISO 8601. */
  date: Type.String(),
  machine: MachineSchema,
  answers: Type.Array(AnswerSchema),
  /** Questions that failed, with the reason. */
  failures: Type.Array(Type.Object({ name: Type.String(), message: Type.String() })),
})
export type Report = Static<typeof ReportSchema>

/** Writes the report; its folder is made where it is missing. */
export async function writeReport(path: string, report: Report): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`)
}
