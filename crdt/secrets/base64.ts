/** Shortest text that is worth looking at once decoded, in bytes. */
const MIN_TEXT = 16
/** So many bytes at the beginning must be printable ASCII: of random ones, one beginning in 10,000 is. */
const PROBE = 9
/** Most places of a run at which something may begin. */
const MAX_BEGINNINGS = 16

/**
 * Where something may begin in a run of letters, digits, `+`, `/`, `-` and `_`: where it begins itself, and behind such
 * signs, as in `notes/…` and `id-…`.
 */
export function beginningsOf(run: string): readonly number[] {
  const beginnings = [0]
  for (const { index } of run.matchAll(/[/_+-]/g)) {
    if (beginnings.length === MAX_BEGINNINGS || run.length - index <= MIN_TEXT) break
    beginnings.push(index + 1)
  }
  return beginnings
}

/**
 * The text that a run holds in base64 or base64url, undefined where it holds none; up to three characters of something
 * else may stand before it.
 */
export function decodeRun(run: string, beginnings: readonly number[]): string | undefined {
  for (const beginning of beginnings) {
    for (let shift = 0; shift < 4; shift++) {
      const text = decodeText(run, beginning + shift)
      // What lies in the rest of the run was decoded with it.
      if (text !== undefined) return text
    }
  }
  return undefined
}

function decodeText(run: string, from: number): string | undefined {
  if (!beginsAsText(run, from)) return undefined
  const bytes = Buffer.from(run.slice(from), 'base64')
  const end = bytes.findIndex((byte) => !isPrintable(byte) && byte < 128)
  const text = end < 0 ? bytes : bytes.subarray(0, end)
  return text.length < MIN_TEXT ? undefined : text.toString('latin1')
}

/** Decodes just enough by hand: nearly all runs are something else, and end here. */
function beginsAsText(run: string, from: number): boolean {
  for (let at = from, left = PROBE; left > 0; at += 4, left -= 3) {
    const bits =
      (sextet(run, at) << 18) | (sextet(run, at + 1) << 12) | (sextet(run, at + 2) << 6) | sextet(run, at + 3)
    if (!isPrintable((bits >> 16) & 255) || !isPrintable((bits >> 8) & 255) || !isPrintable(bits & 255)) return false
  }
  return true
}

/** The value of a character of base64 or base64url. */
function sextet(run: string, at: number): number {
  const code = run.charCodeAt(at)
  if (code >= 97) return code - 71
  if (code === 95) return 63
  if (code >= 65) return code - 65
  if (code >= 48) return code + 4
  return code === 43 || code === 45 ? 62 : 63
}

/** Printable ASCII, tab and line ends. */
const isPrintable = (byte: number) => (byte >= 32 && byte < 127) || byte === 10 || byte === 13 || byte === 9
