/** A line as bash has it up to the cursor, taken apart. */
export interface BashLine {
  /** Words before the current one, behind the command's name, without their quotes. */
  readonly before: readonly string[]
  /** The word under the cursor, without quotes. */
  readonly current: string
  /** What is to stand in the place of the part that bash replaces; undefined for what cannot be written there. */
  insert(candidate: string): string | undefined
}

/** Letters that mean nothing to bash wherever they stand in a word. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]$/

interface Word {
  text: string
  /** Letters of `text` that stand before what bash replaces: up to the last word break, or the quote that is open. */
  kept: number
  /** The quote that is open at its end. */
  open: '' | "'" | '"'
  /** Whether a quote was closed in it: what bash replaces then cannot be said for certain. */
  mixed: boolean
}

/**
 * Takes a line apart by bash's rules of quoting (bash manual, 3.1.2); nothing in it is expanded.
 * @param breaks `COMP_WORDBREAKS`: what bash replaces begins behind the last of these letters in the word
 * @returns undefined where no argument of the command stands at the cursor: behind `>` or `|`, or within an escape
 */
export function readBashLine(breaks: string, line: string): BashLine | undefined {
  const words: Word[] = []
  let word: Word | undefined
  const current = (): Word => {
    word ??= { text: '', kept: 0, open: '', mixed: false }
    return word
  }
  const letters = [...line]
  for (let at = 0; at < letters.length; at++) {
    const letter = letters[at] ?? ''
    const open = word?.open ?? ''
    if (letter === '\\' && open !== "'") {
      const next = letters[++at]
      if (next === undefined) return undefined
      // Within double quotes a backslash stands for itself, save before these.
      current().text += open === '"' && !'$`"\\'.includes(next) ? `\\${next}` : next
    } else if (open !== '') {
      if (letter === open) Object.assign(current(), { open: '', mixed: true })
      else current().text += letter
    } else if (letter === "'" || letter === '"') {
      const here = current()
      Object.assign(here, { open: letter, kept: here.text.length })
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (';|&()<>'.includes(letter)) {
      return undefined
    } else {
      const here = current()
      here.text += letter
      if (breaks.includes(letter)) here.kept = here.text.length
    }
  }
  // The first word is the command itself, which nobody asks us to complete.
  if (words.length === 0) return undefined
  const last = current()
  return {
    before: words.slice(1).map(({ text }) => text),
    current: last.text,
    insert: (candidate) =>
      last.mixed || !candidate.startsWith(last.text) ? undefined : quote(candidate.slice(last.kept), last.open),
  }
}

function quote(text: string, open: Word['open']): string | undefined {
  if (open === "'") return text.includes("'") ? undefined : text
  // An exclamation mark is the history's, also within double quotes, where nothing takes that from it.
  if (open === '"') return text.includes('!') ? undefined : text.replace(/[$`"\\]/g, '\\$&')
  return [...text].map((letter) => (PLAIN.test(letter) || letter > '\x7f' ? letter : `\\${letter}`)).join('')
}
