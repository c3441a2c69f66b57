/**
 * A value as the text that `mesh put KEY -` reads back as this very value, once a line end is added: plain text where it
 * is taken for nothing else, JSON otherwise.
 */
export function textToPut(value: unknown): string {
  return typeof value === 'string' && staysText(value) ? value : JSON.stringify(value)
}

function staysText(text: string): boolean {
  // A put drops the last line end, and a carriage return before it is part of that.
  if (text.endsWith('\r')) return false
  try {
    JSON.parse(text)
    return false
  } catch {
    return true
  }
}
