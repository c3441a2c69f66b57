import { ask } from './ask.ts'
import { currentLoad, describeMachine } from './machine.ts'
import type { Question, Size } from './question.ts'
import type { Report } from './report.ts'

export interface RunInit {
  readonly say?: (line: string) => void
  /** Called with what is known after each question, so that a run that is cut short leaves something. */
  readonly keep?: (report: Report) => Promise<void>
}

/** Asks questions one after the other. One that fails is reported; the others are asked all the same. */
export async function runAll(
  questions: readonly Question[],
  size: Size,
  { say = () => {}, keep = async () => {} }: RunInit = {},
): Promise<Report> {
  const before = currentLoad()
  const answers: Report['answers'] = []
  const failures: Report['failures'] = []
  const report = (): Report => ({
    version: 2,
    date: new Date().toISOString(),
    machine: describeMachine(before),
    answers,
    failures,
  })
  for (const question of questions) {
    try {
      answers.push(await ask(question, size, (done, total) => say(`${question.name}: round ${done + 1} of ${total}`)))
    } catch (error) {
      say(`${question.name} failed: ${error instanceof Error ? error.stack : error}`)
      failures.push({ name: question.name, message: error instanceof Error ? error.message : String(error) })
    }
    await keep(report())
  }
  return report()
}
