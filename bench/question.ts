/** What a bench is made of: questions, each a folder, which all look the same to whoever runs and prints them. */

/** `tiny` proves that everything runs; its figures mean nothing. `small` takes minutes, `full` as long as it takes. */
export const SIZES = ['tiny', 'small', 'full'] as const
export type Size = (typeof SIZES)[number]

export type Unit = 'µs' | 'ms' | '/s' | 'bytes' | 'MB' | 'round trips' | 'pushes' | '%'

/** What a figure has to be, judged by its median. */
export interface Bar {
  readonly bound: 'at most' | 'at least'
  readonly value: number
  /** Judges the ratio to this figure, one of those it is shown against, in place of the figure itself. */
  readonly to?: string
}

/** One thing that every round measures. */
export interface Figure {
  /** Unique within its question; stable, so that runs can be compared. */
  readonly id: string
  /** In words, for a table. */
  readonly what: string
  readonly unit: Unit
  /** Ids of figures of the same question and unit that it is shown as a ratio to: limits, or another way. */
  readonly against?: readonly string[]
  readonly bars?: readonly Bar[]
  /** Its place in the question's grid, where the question has one: a row for each case, a column for what is measured. */
  readonly cell?: { readonly row: string; readonly column: string }
}

/** A picture of some figures over what they depend on. Both axes are logarithmic; what is not above 0 is left out. */
export interface Plot {
  /** Name of its file, without the ending; unique among all questions. */
  readonly name: string
  readonly title: string
  /** What the axes show, with units. */
  readonly x: string
  readonly y: string
  readonly series: readonly {
    readonly label: string
    /** Places on the x axis with the ids of the figures that stand there. */
    readonly points: readonly (readonly [x: number, figure: string])[]
  }[]
}

/** What a size of a question stands for: numbers by name, so that a report says what was run. */
export interface Scale {
  /** Rounds that count. */
  readonly rounds: number
  /** Rounds before them that do not: until code is compiled and caches are filled. */
  readonly warmUps: number
  readonly [name: string]: number
}

/** What was measured in one round, by id of its figure. */
export type Round = Readonly<Record<string, number>>

/** A question made ready to be asked. */
export interface Subject {
  /**
   * Measures every figure once, what is compared right after each other.
   * @param index counts from 0, warm-ups included: what must be new in each round is named after it
   */
  round(index: number): Promise<Round>
  /** Stops and removes everything that it needed. */
  close(): Promise<void>
}

export interface Question {
  /** Its folder's name. */
  readonly name: string
  /** The question itself, in one line. */
  readonly asks: string
  /** What each round of this size measures, in the order in which it is shown. */
  figures(size: Size): readonly Figure[]
  /** Pictures of what a size measures; none where it is absent. */
  plots?(size: Size): readonly Plot[]
  readonly sizes: Readonly<Record<Size, Scale>>
  open(size: Size): Promise<Subject>
}
