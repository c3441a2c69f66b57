/** What counts as a word, alike for what is indexed, what is asked for, and what is marked in a snippet. */

/**
 * Scripts whose texts have no spaces between words, and Korean, whose particles cling to them. Each character is made a
 * word of its own there, so that any run of characters is found as a phrase.
 */
const UNSPACED_SCRIPTS = 'Han Hiragana Katakana Hangul Thai Lao Khmer Myanmar'.split(' ')
const UNSPACED_CHARACTERS = `[${UNSPACED_SCRIPTS.map((script) => `\\p{scx=${script}}`).join('')}]`
const UNSPACED = new RegExp(`${UNSPACED_CHARACTERS}\\p{M}*`, 'gv')
/** A word: letters, numbers, private use, and the marks that letters bear, as FTS5 is told; or an unspaced character. */
const WORD = new RegExp(`${UNSPACED.source}|[[\\p{L}\\p{N}\\p{Co}\\p{M}]--${UNSPACED_CHARACTERS}]+`, 'gv')
const LETTER = /[\p{L}\p{N}\p{Co}]/u
const ASCII_WORD = /[A-Za-z0-9]+/g
const NOT_ASCII = /[^\0-\x7f]/
const CAMEL_CASE = /\p{Ll}\p{Lu}/u
/** Longer runs of letters are data rather than names. */
const MAX_NAME_LENGTH = 40

/** A word where it stands in a text. */
export interface PlacedWord {
  readonly word: string
  readonly start: number
}

/**
 * A text as the index takes it: compatible forms made one (full-width letters, ligatures), characters of unspaced
 * scripts set apart. Case and diacritics are FTS5's.
 */
export function indexable(text: string): string {
  if (!NOT_ASCII.test(text)) return text
  return text.normalize('NFKC').replace(UNSPACED, ' $& ')
}

/** The words of a text, in order. */
export function* placedWords(text: string): Generator<PlacedWord> {
  const isAscii = !NOT_ASCII.test(text)
  for (const { 0: word, index: start } of text.matchAll(isAscii ? ASCII_WORD : WORD)) {
    // A mark that no letter bears, or punctuation of an unspaced script, is no word.
    if (isAscii || LETTER.test(word)) yield { word, start }
  }
}

export function wordsOf(text: string): string[] {
  return Array.from(placedWords(text), ({ word }) => word)
}

/** A word without what does not count: case, diacritics, forms that are compatible. */
export function bare(word: string): string {
  if (!NOT_ASCII.test(word)) return word.toLowerCase()
  return word.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
}

/** Whether a word is one character of an {@link UNSPACED} script. */
export function isUnspaced(word: string): boolean {
  return word.replace(UNSPACED, '') === ''
}

/** The parts of names that are `writtenLikeThis`, of which a word of the query may be one. */
export function nameParts(text: string): readonly string[] {
  if (!CAMEL_CASE.test(text)) return []
  return wordsOf(text)
    .filter((word) => word.length <= MAX_NAME_LENGTH && CAMEL_CASE.test(word) && /^\p{L}+$/u.test(word))
    .flatMap((word) => word.split(/(?<=\p{Ll})(?=\p{Lu})/u))
}
