import { MeshError } from '../../crdt/errors.ts'

/**
 * Deepest nesting of a body: the 64 levels that a value may have, and what a request wraps around it. A value that is
 * a little too deep is left to the store, which names it; this only bounds the work here.
 */
export const MAX_BODY_LEVELS = 72

/** A fault's path is shown up to this many characters. */
const MAX_FIELD_CHARACTERS = 256
/** Integers of so many digits are exact in a JSON number. */
const EXACT_DIGITS = 15

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/

/**
 * Parses a request body: JSON as RFC 8259 has it, and nothing that would change on its way through. Refused are names
 * that stand twice, `__proto__` as a name, lone surrogates, numbers too large for a double, integers that a double
 * would round, nesting beyond {@link MAX_BODY_LEVELS} and bytes that are not UTF-8.
 *
 * @throws {MeshError} `JSON_INVALID`, with the path of the fault (`value.prefs[2].name`) as `field`
 */
export function parseStrictJson(body: Uint8Array | string): unknown {
  return new StrictJsonParser(typeof body === 'string' ? body : decodeUtf8(body)).parse()
}

function decodeUtf8(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (cause) {
    throw new MeshError('JSON_INVALID', 'body: is not UTF-8', { field: 'body', hint: 'send JSON as UTF-8', cause })
  }
}

class StrictJsonParser {
  readonly #text: string
  #at = 0
  /** Names and indices that lead to the value being read. Its length is the level. */
  readonly #path: (string | number)[] = []

  constructor(text: string) {
    this.#text = text
  }

  parse(): unknown {
    this.#skipSpace()
    const value = this.#value()
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#unexpected('the end of the body')
    return value
  }

  #value(): unknown {
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object()
      case '[':
        return this.#array()
      case '"':
        return this.#string('text')
      case 't':
        return this.#word('true', true)
      case 'f':
        return this.#word('false', false)
      case 'n':
        return this.#word('null', null)
      default:
        return this.#number()
    }
  }

  #object(): object {
    const object: Record<string, unknown> = {}
    this.#descend()
    if (this.#take('}')) return object
    do {
      this.#skipSpace()
      if (this.#text[this.#at] !== '"') throw this.#unexpected('a name in double quotes')
      const name = this.#string('the name')
      this.#path.push(name)
      if (name === '__proto__') throw this.#refuse('"__proto__" is not allowed as a name')
      if (Object.hasOwn(object, name)) throw this.#refuse('this name stands twice in its object')
      this.#skipSpace()
      if (!this.#take(':')) throw this.#unexpected('":"')
      this.#skipSpace()
      object[name] = this.#value()
      this.#path.pop()
      this.#skipSpace()
    } while (this.#take(','))
    if (!this.#take('}')) throw this.#unexpected('"," or "}"')
    return object
  }

  #array(): unknown[] {
    const array: unknown[] = []
    this.#descend()
    if (this.#take(']')) return array
    do {
      this.#skipSpace()
      this.#path.push(array.length)
      array.push(this.#value())
      this.#path.pop()
      this.#skipSpace()
    } while (this.#take(','))
    if (!this.#take(']')) throw this.#unexpected('"," or "]"')
    return array
  }

  /** Steps over the opening bracket. The bound makes the recursion safe. */
  #descend(): void {
    if (this.#path.length >= MAX_BODY_LEVELS) throw this.#refuse(`nested deeper than ${MAX_BODY_LEVELS} levels`)
    this.#at++
    this.#skipSpace()
  }

  #string(what: string): string {
    const start = this.#at
    let escaped = false
    for (let end = start + 1; end < this.#text.length; end++) {
      const code = this.#text.charCodeAt(end)
      if (code === 0x5c) {
        escaped = true
        end++
      } else if (code === 0x22) {
        this.#at = end + 1
        const text = escaped ? this.#unescape(start, end + 1) : this.#text.slice(start + 1, end)
        if (!text.isWellFormed()) throw this.#refuse(`${what} holds a lone surrogate, which is no Unicode text`)
        return text
      } else if (code < 0x20) {
        this.#at = end
        throw this.#unexpected('an escape: control characters may not stand in text as they are')
      }
    }
    throw this.#unexpected('a closing double quote')
  }

  #unescape(start: number, end: number): string {
    try {
      return JSON.parse(this.#text.slice(start, end)) as string
    } catch {
      this.#at = start
      throw this.#unexpected('only the escapes that JSON knows')
    }
  }

  #number(): number {
    NUMBER.lastIndex = this.#at
    const match = NUMBER.exec(this.#text)
    if (match === null) throw this.#unexpected('a value')
    const [text, fraction, exponent] = match
    const value = Number(text)
    if (!Number.isFinite(value)) throw this.#refuse(`${shorten(text)} is too large for a number`)
    const integer = fraction === undefined && exponent === undefined
    if (integer && text.length > EXACT_DIGITS && String(value) !== text && BigInt(value) !== BigInt(text)) {
      throw this.#refuse(`${shorten(text)} cannot be kept exactly as a number`, 'send it as text, in double quotes')
    }
    this.#at += text.length
    return value
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected('a value')
    this.#at += word.length
    return value
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at++
    }
  }

  #refuse(what: string, hint?: string): MeshError {
    const field = this.#field()
    return new MeshError('JSON_INVALID', `${field}: ${what}`, hint === undefined ? { field } : { field, hint })
  }

  #unexpected(wanted: string): MeshError {
    const before = this.#text.slice(0, this.#at).split('\n')
    const place = `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`
    const found = this.#at < this.#text.length ? JSON.stringify(this.#text[this.#at]) : 'the end of the body'
    const field = this.#field()
    return new MeshError('JSON_INVALID', `${field}: no JSON at ${place}: found ${found}, expected ${wanted}`, { field })
  }

  #field(): string {
    if (this.#path.length === 0) return 'body'
    let field = ''
    for (const step of this.#path) {
      if (typeof step === 'number') field += `[${step}]`
      else if (IDENTIFIER.test(step)) field += field === '' ? step : `.${step}`
      else field += `[${JSON.stringify(step)}]`
      if (field.length > MAX_FIELD_CHARACTERS) return `${field.slice(0, MAX_FIELD_CHARACTERS).toWellFormed()}…`
    }
    return field
  }
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 37)}…` : text
}
