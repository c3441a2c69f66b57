import { inputError } from './errors.ts'

/** A value as it was typed, and what its author should know about how it was read. */
export interface TypedValue {
  readonly value: unknown
  /** Lines for stderr; empty when there is nothing to say. */
  readonly notes: readonly string[]
}

/**
 * Reads VALUE: JSON, else a plain string. With `text` it is always a plain string (`1.10` stays `1.10`).
 * @throws {CliError} for a number beyond what JSON's readers can hold (`1e999` would be kept as null)
 */
export function readValue(typed: string, text: boolean): TypedValue {
  if (text) return { value: typed, notes: [] }
  const notes: string[] = []
  // The third parameter, the number as it was written, is newer than the type of JSON.parse.
  const look = (_key: string, part: unknown, context?: { source?: string }): unknown => {
    if (typeof part === 'number') noteNumber(part, context?.source ?? '', notes)
    return part
  }
  try {
    const value: unknown = JSON.parse(typed, look)
    return { value, notes }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  if (/^\s*[[{"]/.test(typed)) notes.push('note: this looks like JSON but is not; kept as plain text')
  return { value: typed, notes }
}

function noteNumber(number: number, source: string, notes: string[]): void {
  if (!Number.isFinite(number)) {
    throw inputError(
      'VALUE',
      `VALUE holds a number beyond what can be kept: ${source}`,
      'use --text to keep it as text',
    )
  }
  if (
    Number.isInteger(number) &&
    !Number.isSafeInteger(number) &&
    /^-?\d+$/.test(source) &&
    String(number) !== source
  ) {
    notes.push(`note: ${source} is kept as the number ${number}; quote it, or use --text, to keep every digit`)
  }
}
