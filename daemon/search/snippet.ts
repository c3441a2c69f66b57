import type { Term } from './query.ts'
import { bare, placedWords } from './words.ts'

/** A short piece of an entry's text. */
export interface Snippet {
  /** One line without control characters; `…` stands where the text goes on. */
  readonly text: string
  /** Where matches begin and end in {@link text}, in UTF-16 code units, in order, not overlapping. */
  readonly marks: readonly (readonly [start: number, end: number])[]
}

/** Most characters of a text that are shown, the `…` apart. */
export const SNIPPET_LENGTH = 200
/** So much stands before the first match. */
const LEAD = 40
/** Matches are looked for in so many characters from the first on: enough to choose from, little to look through. */
const LOOK_LENGTH = 64 * 1024
const MAX_MATCHES = 200

/**
 * What must not reach a terminal or page: controls, what turns the direction of writing, what is not seen. It becomes a
 * space, as white space does.
 */
const UNSAFE = /[\s\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]+/gu

interface Match {
  readonly start: number
  readonly end: number
  /** Which of the terms it is one of. */
  readonly term: number
}

/** What is looked for, made ready: words without case and diacritics. */
interface Sought {
  readonly words: readonly string[]
  readonly isPrefix: boolean
}

/** Finds the terms of a query in texts, about as the index does. */
export interface Marker {
  /** The part of the text in which most terms stand, the first of several; its beginning where none is found. */
  snippetOf(text: string): Snippet
}

export function createMarker(terms: readonly Term[]): Marker {
  const sought: Sought[] = terms.map(({ words, isPrefix }) => ({ words: words.map(bare), isPrefix }))
  const anywhere = new RegExp(terms.map(({ words }) => escaped(words[0] as string)).join('|'), 'iu')

  /** From where to look in a text that is too long to look through. */
  function lookFrom(text: string): number {
    if (matchesIn(text.slice(0, LOOK_LENGTH), sought).length > 0) return 0
    return Math.max(0, text.search(anywhere) - SNIPPET_LENGTH)
  }

  return {
    snippetOf(text) {
      const from = text.length <= LOOK_LENGTH ? 0 : characterStart(text, lookFrom(text))
      const looked = text.slice(from, from + LOOK_LENGTH)
      const more = { before: from > 0, after: from + LOOK_LENGTH < text.length }
      return cut(looked, matchesIn(looked, sought), more)
    },
  }
}

function matchesIn(text: string, sought: readonly Sought[]): Match[] {
  const words = Array.from(placedWords(text), ({ word, start }) => ({
    bare: bare(word),
    start,
    end: start + word.length,
  }))
  const matches: Match[] = []
  for (let i = 0; i < words.length && matches.length < MAX_MATCHES; ) {
    const term = sought.findIndex((one) => standsAt(one, words, i))
    const length = sought[term]?.words.length ?? 1
    const [first, last] = [words[i], words[i + length - 1]]
    if (term >= 0 && first !== undefined && last !== undefined)
      matches.push({ start: first.start, end: last.end, term })
    i += length
  }
  return matches
}

function standsAt({ words, isPrefix }: Sought, text: readonly { readonly bare: string }[], at: number): boolean {
  return words.every((word, i) => {
    const found = text[at + i]?.bare
    return found === word || (isPrefix && i === words.length - 1 && found?.startsWith(word) === true)
  })
}

function cut(text: string, matches: readonly Match[], more: { before: boolean; after: boolean }): Snippet {
  const best = bestStart(matches)
  // Nothing is left out at the beginning that there is room for at the end.
  const wanted = Math.min(best - LEAD, text.length - SNIPPET_LENGTH)
  const start = wanted <= 0 ? 0 : wordStart(text, wanted, best)
  const end = text.length - start <= SNIPPET_LENGTH ? text.length : wordEnd(text, start + SNIPPET_LENGTH)
  const marks: [number, number][] = []
  let shown = start > 0 || more.before ? '…' : ''
  let at = start
  const show = (to: number) => {
    shown += text.slice(at, to).replace(UNSAFE, ' ')
    at = to
  }
  for (const match of matches) {
    if (match.start < start || match.end > end) continue
    show(match.start)
    const begins = shown.length
    show(match.end)
    marks.push([begins, shown.length])
  }
  show(end)
  return { text: end < text.length || more.after ? `${shown}…` : shown, marks }
}

/** Where the match stands that has most terms in the reach of a snippet. */
function bestStart(matches: readonly Match[]): number {
  let best = { start: 0, terms: 0 }
  for (const [i, { start }] of matches.entries()) {
    const near = new Set<number>()
    for (let j = i; j < matches.length; j++) {
      const match = matches[j] as Match
      if (match.end > start + SNIPPET_LENGTH - LEAD) break
      near.add(match.term)
    }
    if (near.size > best.terms) best = { start, terms: near.size }
  }
  return best.start
}

/** The beginning of a word from `at` up to `limit`; where there is no space, of a character. */
function wordStart(text: string, at: number, limit: number): number {
  const space = text.slice(at, limit).search(/\s/)
  return space >= 0 ? at + space + 1 : characterStart(text, at)
}

/** The end of a word some way before `at`; where there is no space, of a character. */
function wordEnd(text: string, at: number): number {
  const space = text.slice(at - LEAD, at + 1).search(/\s\S*$/)
  return space >= 0 ? at - LEAD + space : characterStart(text, at)
}

/** Goes back over marks and the second half of a pair, so that no character is torn. */
function characterStart(text: string, at: number): number {
  for (let start = at; start > Math.max(0, at - LEAD); start--) {
    const code = text.codePointAt(start)
    if (code === undefined || !/^[\p{M}\p{Cs}]$/u.test(String.fromCodePoint(code))) return start
  }
  return at
}

const escaped = (word: string) => word.replace(/[$()*+.?[\\\]^{|}/-]/u, '\\$&')
