// Controls, format characters (bidi marks, tags, joiners, soft hyphen), line and paragraph separators, lone surrogates
// and private use. The zero-width joiner stays: emoji are made with it, and it neither moves nor reorders anything.
const UNSAFE = /(?!\u200d)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escapeCharacter(character: string): string {
  const named = NAMED[character]
  if (named !== undefined) return named
  let escaped = ''
  for (let index = 0; index < character.length; index++) {
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`
  }
  return escaped
}

/**
 * Text that came from entries, peers or files, safe for one line of a terminal: whatever could end the line, move the
 * cursor, change colours or reorder text becomes a visible escape (`\n`, `\u202e`). The escapes are those of JSON, so
 * JSON stays JSON.
 */
export function escapeLine(text: string): string {
  return text.replace(UNSAFE, escapeCharacter)
}

/** As {@link escapeLine}, for text of many lines: line ends and tabs stay. */
export function escapeBlock(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(UNSAFE, (character) => (character === '\n' || character === '\t' ? character : escapeCharacter(character)))
}
