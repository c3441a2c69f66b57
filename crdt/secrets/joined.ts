/** A text without its line breaks and what stands around them. */
export interface Joined {
  readonly text: string
  /** Positions in {@link text} at which something was taken out, ascending. */
  readonly joins: readonly number[]
  /** The place in the original that a place in {@link text} comes from. */
  origin(at: number): number
}

/**
 * Where a text may have been broken: a line break, one written as `\n` inside a string, `" + "`, or a character that
 * nobody sees.
 */
const BREAK = /\n|\\n|["'`][ \t]{0,4}[+&][ \t]{0,4}["'`]|[\u00ad\u200b-\u200d\u2060\ufeff]/g
/** Most blanks that are taken out on either side of a break; more is no broken word. */
const MAX_BLANKS = 64

/**
 * Puts together again what was broken over lines: by indentation, a backslash at the end of a line, pieces in quotes
 * with or without `+`, `.` or `&` between them, the marks of quotations and comments. Undefined where nothing is broken.
 */
export function joinLines(text: string): Joined | undefined {
  if (text.search(BREAK) < 0) return undefined
  const parts: string[] = []
  const joins: number[] = []
  const removed: number[] = []
  let kept = 0
  let length = 0
  for (const { 0: found, index } of text.matchAll(BREAK)) {
    if (index < kept) continue
    const isLine = found === '\n' || found === '\\n'
    const from = isLine ? leftOf(text, index, kept) : index
    const to = isLine ? rightOf(text, index + found.length) : index + found.length
    parts.push(text.slice(kept, from))
    length += from - kept
    joins.push(length)
    removed.push(to - length)
    kept = to
  }
  parts.push(text.slice(kept))
  const origin = (at: number) => {
    const before = firstAfter(joins, at) - 1
    return at + (before < 0 ? 0 : (removed[before] as number))
  }
  return { text: parts.join(''), joins, origin }
}

/** Index of the first that is greater, in an ascending list. */
export function firstAfter(ascending: readonly number[], value: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ascending[middle] as number) > value) high = middle
    else low = middle + 1
  }
  return low
}

function leftOf(text: string, end: number, least: number): number {
  let at = skipBack(text, end, least)
  if (at - 1 > least && text[at - 1] === 'r' && text[at - 2] === '\\') at = skipBack(text, at - 2, least)
  if (at > least && text[at - 1] === '\\') return at - 1
  // An operator goes only with the quote before it: `+` may as well belong to base64.
  const operator = at > least && '+.&'.includes(text[at - 1] as string) ? skipBack(text, at - 1, least) : at
  if (operator > least && isQuote(text[operator - 1])) {
    return operator - 1 > least && text[operator - 2] === '\\' ? operator - 2 : operator - 1
  }
  return at
}

function rightOf(text: string, begin: number): number {
  let at = skip(text, begin)
  // Marks of quotations, lists and comments, which a blank follows.
  const mark = text.startsWith('//', at) ? 2 : '>#*|'.includes(text[at] ?? ' ') ? 1 : 0
  if (mark > 0 && isBlank(text.charCodeAt(at + mark))) at = skip(text, at + mark)
  const operator = '+.&'.includes(text[at] ?? ' ') ? skip(text, at + 1) : at
  const quote = text[operator] === '\\' ? operator + 1 : operator
  return isQuote(text[quote]) ? quote + 1 : at
}

function skipBack(text: string, end: number, least: number): number {
  let at = end
  while (at > least && end - at < MAX_BLANKS && isBlank(text.charCodeAt(at - 1))) at--
  return at
}

function skip(text: string, begin: number): number {
  let at = begin
  while (at - begin < MAX_BLANKS && isBlank(text.charCodeAt(at))) at++
  return at
}

/** Space, tab, carriage return. */
const isBlank = (code: number) => code === 32 || code === 9 || code === 13
const isQuote = (character: string | undefined) => character === '"' || character === "'" || character === '`'
