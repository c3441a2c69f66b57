/** Words further off than this share of their letters are no slip of the keyboard. */
const MAX_SHARE = 0.5

/** The known word that is fewest letters away, or undefined where none is near. Case does not count. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase().slice(0, 100), candidate.toLowerCase())
    if (distance < least && distance <= candidate.length * MAX_SHARE) {
      best = candidate
      least = distance
    }
  }
  return best
}

/** Levenshtein: insertions, deletions and replacements, each one. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replace, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    above = row
  }
  return above[b.length] ?? 0
}
