import type { Figure, Question, Round, Size } from './question.ts'
import type { Answer, MeasuredFigure } from './report.ts'
import { median } from './statistics.ts'

/**
 * Asks a question at a size: warm-ups, then the rounds that count.
 * @param onRound called before each round
 * @throws Error when a round does not give every figure as a finite number
 */
export async function ask(
  question: Question,
  size: Size,
  onRound: (done: number, total: number) => void = () => {},
): Promise<Answer> {
  const scale = question.sizes[size]
  const began = performance.now()
  const subject = await question.open(size)
  const rounds: Round[] = []
  try {
    const total = scale.warmUps + scale.rounds
    for (let index = 0; index < total; index++) {
      onRound(index, total)
      const round = await subject.round(index)
      if (index >= scale.warmUps) rounds.push(round)
    }
  } finally {
    await subject.close()
  }
  const { name, asks } = question
  const figures = question.figures(size)
  const runs = new Map(figures.map((figure) => [figure.id, rounds.map((round) => valueIn(round, figure))]))
  return {
    name,
    asks,
    size: { name: size, ...scale },
    seconds: (performance.now() - began) / 1_000,
    figures: figures.map((figure) => measured(figure, runs)),
  }
}

function valueIn(round: Round, { id }: Figure): number {
  const value = round[id]
  if (value === undefined || !Number.isFinite(value)) throw new Error(`figure ${id}: measured ${value}`)
  return value
}

function measured(figure: Figure, all: ReadonlyMap<string, readonly number[]>): MeasuredFigure {
  const runsOf = (id: string): readonly number[] => {
    const runs = all.get(id)
    if (runs === undefined) throw new Error(`figure ${figure.id} is compared with ${id}, which is not measured`)
    return runs
  }
  const { id, what, unit, against = [] } = figure
  const runs = [...runsOf(id)]
  const ratios = against.map((other) => {
    // Round by round: both were taken right after each other, so a busy moment of the machine is in both.
    const paired = runsOf(other).map((value, i) => (runs[i] ?? Number.NaN) / value)
    return { to: other, ...summary(paired) }
  })
  return { id, what, unit, ...summary(runs), ratios }
}

function summary(runs: readonly number[]) {
  return { median: median(runs), low: Math.min(...runs), high: Math.max(...runs), runs: [...runs] }
}
