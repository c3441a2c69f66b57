/** Longest part of a text that its entropy is taken of. */
const MAX_SAMPLE = 256

/** Bits a character of Shannon's entropy: 0 for one character repeated, 3.6 for 32 random hex digits. */
export function entropyOf(text: string): number {
  const length = Math.min(text.length, MAX_SAMPLE)
  const counts = new Uint16Array(128)
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i) & 127
    counts[code] = (counts[code] as number) + 1
  }
  let sum = 0
  for (const count of counts) if (count > 0) sum -= (count / length) * Math.log2(count / length)
  return sum
}

/** What stands in examples in the place of a credential. Of random texts of 40 letters and digits none look like that. */
const PLACEHOLDER = /\*{3}|\.{3}|…|(.)\1{5}|example|placeholder|redacted|change.?me|your[-_]/i
const CROSSED_OUT = /x{5}|X{5}/
/** What stands under names of credentials without being one; the second only in texts, where examples are. */
const MADE_UP = /sample|dummy|replace|insert|your|foobar/i
const MADE_UP_IN_TEXT = /x{4}|123456|abcdef|qwerty/i

export function isPlaceholder(text: string): boolean {
  return PLACEHOLDER.test(text) || CROSSED_OUT.test(text)
}

/** How a value stands under its name: as a JSON string under a member's name, or in a text, quoted or bare. */
export type Standing = 'member' | 'quoted' | 'bare'

/** Where a value comes from, not the value itself: variables, templates, stores, files, code. */
const REFERENCE =
  /^(?:\$[A-Za-z_{(]|\$\d[a-z]?\$|%[A-Za-z_(]|<|\{|\[|\(|~?\/|\.{1,2}\/|[A-Za-z]:\\|[a-z][a-z0-9+-]{1,20}:(?:\/\/)?[A-Za-z/])|\$\{|\{\{|<%|=>|process\.env|\.env\b|\(\)|^[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{2,64}$/
/** `sha512-…`, `sha256:…`: says what something else is. */
const DIGEST = /^(?:sha\d{1,3}|md5|blake\w{0,3})[-:_$]/i
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
/** Words that stand in the place of a password in every second example. */
const EXAMPLE_PASSWORD =
  /^(?:my|the|test|super|some|new|old|user|root|admin|db|top|very)?[-_]?(?:strong|secure|secret|long)?[-_]?(?:pass(?:word|wd|phrase)?|secret|token|key|letmein|admin|root|test|user|guest|welcome|abc|api[-_]?key)[-_]?\d{0,4}[!.]?$/i

/** Longest value that only its name makes suspect. */
const MAX_LENGTH = 512

/**
 * Whether what stands under the name of a password (or else of a token, secret or key) looks like one: made of more than
 * words, and no placeholder, reference, path, digest or description. In texts, which talk about credentials more than
 * they hold them, it must be longer and more random.
 */
export function looksSecret(value: string, kind: 'password' | 'token', standing: Standing): boolean {
  if (value.length > MAX_LENGTH || /\s/.test(value)) return false
  const inText = standing !== 'member'
  const least = kind === 'password' ? (inText ? 8 : 6) : inText ? 16 : 12
  if (value.length < least || REFERENCE.test(value) || DIGEST.test(value)) return false
  if (isPlaceholder(value) || MADE_UP.test(value) || (inText && MADE_UP_IN_TEXT.test(value))) return false
  if (EXAMPLE_PASSWORD.test(value) || UUID.test(value)) return false
  if (inText && /[()[\]{}<>;,|\\]|\?\./.test(value)) return false
  if (!/[A-Za-z]/.test(value)) return false
  const hasSigns = kind === 'password' && standing !== 'bare' && /[^\w.:/-]/.test(value)
  if (!/\d/.test(value) && !hasSigns) {
    return standing !== 'bare' && isRandomLetters(value)
  }
  if ((kind === 'token' || (inText && !hasSigns)) && isWordy(value)) return false
  return entropyOf(value) >= (kind === 'password' ? (inText ? 2.7 : 2.2) : inText ? 3.2 : 3)
}

/** Of both cases and not made of words: what random letters and digits are when there happens to be no digit. */
function isRandomLetters(value: string): boolean {
  return value.length >= 10 && /[a-z]/.test(value) && /[A-Z]/.test(value) && !isWordy(value) && entropyOf(value) >= 2.9
}

/** Where words end: at signs, before capitals, between letters and digits. */
const WORD_ENDS = /[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])/

/**
 * Whether a text is made of words, perhaps numbered: `my-secret-2`, `auth.token_v2`, `accessToken`. Random letters and
 * digits fall into many pieces, of which few are as words are written.
 */
export function isWordy(text: string): boolean {
  const pieces = text.slice(0, 128).split(WORD_ENDS).filter(Boolean)
  const length = (list: readonly string[]) => list.reduce((sum, piece) => sum + piece.length, 0)
  const words = pieces.filter((piece) => /^(?:[A-Z]?[a-z]{2,19}|[A-Z]{3,20})$/.test(piece))
  const numbers = pieces.filter((piece) => /^\d/.test(piece))
  return numbers.length <= 2 && length(words) >= 0.7 * length(pieces)
}
