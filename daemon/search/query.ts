import { MeshError } from '../../crdt/errors.ts'
import { indexable, isUnspaced, wordsOf } from './words.ts'

/** Longest query, in bytes of UTF-8. */
export const MAX_QUERY_BYTES = 1024
/** Most words of a query, those of phrases and excluded ones included. Each costs a look through all that hold it. */
export const MAX_QUERY_WORDS = 32
/** Most `beginnings*` of a query: each stands for all words that begin so, which may be very many. */
const MAX_PREFIXES = 4
/** Shortest beginning of a word that `beginning*` searches for: one letter begins a large part of all words. */
const MIN_PREFIX_LENGTH = 2

/** One word or phrase that is to be found. */
export interface Term {
  /** One after the other in the text. */
  readonly words: readonly string[]
  /** Whether the last word may go on. */
  readonly isPrefix: boolean
}

/** What a person typed, understood. No term is there twice. */
export interface ParsedQuery {
  /** All of these. */
  readonly wanted: readonly Term[]
  /** None of these. */
  readonly excluded: readonly Term[]
  /**
   * Whether the index ranks what it finds, for which it looks through everything that holds a word once more. Beyond so
   * many words that takes too long where all of them are in every entry, and what changed last comes first.
   */
  readonly isRanked: boolean
}

/** A beginning costs about as much as so many words. */
const PREFIX_COST = 5
const MAX_RANKED_COST = 12

/** `-` excludes; a phrase in quotes, whose end may be missing, or what stands between spaces; `*` goes on. */
const TERM = /(?<excludes>-?)(?:"(?<phrase>[^"]*)"?|(?<plain>[^\s"]+))(?<star>\*?)/gu

/**
 * Reads what a person types: words that must all be there, `"phrases"`, `beginnings*`, and `-words` that must not. All
 * else only separates words: what is typed never reaches the database as syntax.
 * @throws {MeshError} `QUERY_INVALID`: nothing to search for, or too much
 */
export function parseQuery(text: string): ParsedQuery {
  if (Buffer.byteLength(text) > MAX_QUERY_BYTES) {
    throw invalid(`longer than ${MAX_QUERY_BYTES} bytes of UTF-8`, 'search for a few words of it')
  }
  const wanted = new Map<string, Term>()
  const excluded = new Map<string, Term>()
  for (const { groups = {} } of text.matchAll(TERM)) {
    const { excludes, phrase, plain = '', star } = groups
    const words = wordsOf(indexable(phrase ?? plain))
    const last = words.at(-1)
    if (last === undefined) continue
    const isPrefix = star === '*' || (phrase === undefined && plain.endsWith('*'))
    if (isPrefix && [...last].length < MIN_PREFIX_LENGTH && !isUnspaced(last)) {
      throw invalid(`${JSON.stringify(`${last}*`)} is too short`, `give at least ${MIN_PREFIX_LENGTH} letters before *`)
    }
    const term = { words, isPrefix: isPrefix && !isUnspaced(last) }
    ;(excludes === '-' ? excluded : wanted).set(quoted(term).toLowerCase(), term)
  }
  return within({ wanted: [...wanted.values()], excluded: [...excluded.values()] })
}

function within(terms: Pick<ParsedQuery, 'wanted' | 'excluded'>): ParsedQuery {
  const all = [...terms.wanted, ...terms.excluded]
  const words = all.reduce((sum, term) => sum + term.words.length, 0)
  const prefixes = all.filter(({ isPrefix }) => isPrefix).length
  if (terms.wanted.length === 0) throw invalid('nothing to search for', 'give at least one word that is to be found')
  if (words > MAX_QUERY_WORDS) {
    throw invalid(`${words} words, at most ${MAX_QUERY_WORDS}`, 'search for the rarest of them')
  }
  if (prefixes > MAX_PREFIXES) {
    throw invalid(`${prefixes} beginnings, at most ${MAX_PREFIXES}`, 'write some of the words out')
  }
  return { ...terms, isRanked: words + prefixes * PREFIX_COST <= MAX_RANKED_COST }
}

/**
 * A query as FTS5 takes it: words are letters and digits in quotes, so there is nothing to escape. No AND between them:
 * with it, a word in which FTS5 sees no letter (its table of them is an older one) would keep all else from being found.
 */
export function toExpression({ wanted, excluded }: Pick<ParsedQuery, 'wanted' | 'excluded'>): string {
  return [`(${wanted.map(quoted).join(' ')})`, ...excluded.map(quoted)].join(' NOT ')
}

function quoted({ words, isPrefix }: Term): string {
  return `"${words.join(' ')}"${isPrefix ? ' *' : ''}`
}

function invalid(what: string, hint: string): MeshError {
  return new MeshError('QUERY_INVALID', `q: ${what}`, { field: 'q', hint })
}
