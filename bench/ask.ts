import type { Bar, Figure, Plot, Question, Round, Size, Unit } from './question.ts'
import type { Answer, DrawnPlot, JudgedBar, MeasuredFigure } from './report.ts'
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
  const answered = figures.map((figure) => measured(figure, runs))
  return {
    name,
    asks,
    size: { name: size, ...scale },
    seconds: (performance.now() - began) / 1_000,
    figures: answered,
    plots: (question.plots?.(size) ?? []).map((plot) => drawn(plot, answered)),
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
  const { id, what, unit, against = [], bars = [], cell } = figure
  const runs = [...runsOf(id)]
  const ratios = against.map((other) => {
    // Round by round: both were taken right after each other, so a busy moment of the machine is in both.
    const paired = runsOf(other).map((value, i) => (runs[i] ?? Number.NaN) / value)
    return { to: other, ...summary(paired) }
  })
  const summed = summary(runs)
  const medianTo = (to: string | undefined) => {
    const found = to === undefined ? summed : ratios.find((ratio) => ratio.to === to)
    if (found === undefined) throw new Error(`figure ${id} has a bar against ${to}, which it is not compared with`)
    return found.median
  }
  return {
    id,
    what,
    unit,
    ...summed,
    ratios,
    bars: bars.map((bar) => judged(bar, medianTo(bar.to), unit)),
    ...(cell === undefined ? {} : { cell }),
  }
}

const MOVES_WITH_THE_MACHINE: readonly Unit[] = ['µs', 'ms', '/s']

function judged(bar: Bar, measured: number, unit: Unit): JudgedBar {
  const met = bar.bound === 'at most' ? measured <= bar.value : measured >= bar.value
  return { ...bar, measured, met, absolute: bar.to === undefined && MOVES_WITH_THE_MACHINE.includes(unit) }
}

function drawn({ series, ...plot }: Plot, figures: readonly MeasuredFigure[]): DrawnPlot {
  const medians = new Map(figures.map(({ id, median }) => [id, median]))
  const at = (figure: string) => {
    const value = medians.get(figure)
    if (value === undefined) throw new Error(`plot ${plot.name} shows ${figure}, which is not measured`)
    return value
  }
  return {
    ...plot,
    series: series.map(({ label, points }) => ({ label, points: points.map(([x, figure]) => [x, at(figure)]) })),
  }
}

function summary(runs: readonly number[]) {
  return { median: median(runs), low: Math.min(...runs), high: Math.max(...runs), runs: [...runs] }
}
