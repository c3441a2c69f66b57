import type { JsonValue } from '../entry/index.ts'
import { fingerprintOf } from './fingerprint.ts'
import { joinLines } from './joined.ts'
import { createNamedValueJudge, type RuleHead } from './named-values.ts'
import { mayBeCredential, normalName } from './names.ts'
import { type Accept, createTextScanner } from './text.ts'
import type { Finding, ScannedEntry, SecretsGuard, SecretsGuardInit } from './types.ts'

/** Shortest text that can hold a credential: a URL with a password. */
const MIN_TEXT = 10
/** Shortest value that a name can make one. */
const MIN_NAMED = 6
/** How often JSON inside a string is opened. */
const MAX_PARSED = 2
/** Deepest nesting that is walked, above what a value may have; of what lies deeper only the text counts. */
const MAX_LEVELS = 200
/** Longest part of a name that says what stands under it: its end. */
const MAX_NAME = 128
/** How many of the names around a value say with its own what it is. */
const NAMES_AROUND = 3
/** Longest part of a path that is told of one name. */
const MAX_STEP = 64
/** Names of lists of credentials: what is in them need not be named so itself. */
const CONTAINER = /(?:^|_)(?:passwords|secrets|credentials|tokens|(?:api|access|secret)_?keys)$/

/** Names that leave it to the one above to say what they hold. */
const FILLER = /^(?:value|val|data|raw|plain|text|b64|base64)$/i

/** Where something was found. */
interface Place {
  readonly path: readonly (string | number)[]
  readonly inName: boolean
  readonly line: number
  readonly rule: RuleHead
  readonly credential: string
}

/** Makes a guard. Its rules are made ready here, in some milliseconds: keep it. */
export function createSecretsGuard({ key, allowed }: SecretsGuardInit): SecretsGuard {
  const judge = createNamedValueJudge()
  const scanText = createTextScanner(judge)
  const accept: Accept = (rule, credential) =>
    allowed.size === 0 || !allowed.has(fingerprintOf(key, rule.id, credential))

  function inText(text: string, path: Place['path'], inName = false): Place | undefined {
    if (text.length < MIN_TEXT) return undefined
    const found = scanText(text, accept)
    if (found === undefined) return undefined
    const { rule, at, credential } = found
    return { path: [...path], inName, line: lineOf(text, at), rule, credential }
  }

  function inValue(value: JsonValue, walk: Walk): Place | undefined {
    if (typeof value === 'string') return inString(value, walk)
    if (typeof value !== 'object' || value === null || walk.path.length > MAX_LEVELS) return undefined
    return Array.isArray(value) ? inArray(value, walk) : inObject(value as JsonObject, walk)
  }

  function inString(value: string, walk: Walk): Place | undefined {
    const name = value.length < MIN_NAMED ? undefined : nameOf(walk)
    if (name !== undefined) {
      // As it stands, and as one where it is broken over lines.
      for (const credential of [value, joinLines(value.trim())?.text]) {
        const rule = credential === undefined ? undefined : judge(name, credential, 'member')
        if (rule === undefined || credential === undefined || !accept(rule, credential)) continue
        return { path: [...walk.path], inName: false, line: 1, rule, credential }
      }
    }
    const found = inText(value, walk.path)
    if (found !== undefined || walk.parsed === MAX_PARSED) return found
    const inside = parseObject(value)
    if (inside === undefined) return undefined
    const within = inValue(inside, { ...walk, path: [], names: [...walk.names], parsed: walk.parsed + 1 })
    return within && { ...within, path: [...walk.path], inName: false }
  }

  function inArray(values: readonly JsonValue[], walk: Walk): Place | undefined {
    let pieces = 0
    for (let index = 0; index < values.length; index++) {
      const item = values[index] as JsonValue
      if (typeof item === 'string') pieces++
      walk.path.push(index)
      const found = inValue(item, walk)
      walk.path.pop()
      if (found !== undefined) return found
    }
    return pieces < 2 ? undefined : inText(values.filter((item) => typeof item === 'string').join('\n'), walk.path)
  }

  function inObject(value: JsonObject, walk: Walk): Place | undefined {
    const names = walk.ordered ? Object.keys(value).sort() : Object.keys(value)
    for (const name of names) {
      const found = inText(name, walk.path, true)
      if (found !== undefined) return found
    }
    const told = toldName(value)
    for (const name of names) {
      walk.path.push(name)
      walk.names.push((name === 'value' && told !== undefined ? told : name).slice(-MAX_NAME))
      const found = inValue(value[name] as JsonValue, walk)
      walk.names.pop()
      walk.path.pop()
      if (found !== undefined) return found
    }
    return undefined
  }

  function tell(where: Finding['where'], { path, inName, line, rule, credential }: Place): Finding {
    const fingerprint = fingerprintOf(key, rule.id, credential)
    return { rule: rule.id, name: rule.name, where, path: pointer(path), inName, line, fingerprint }
  }

  function scan(entry: ScannedEntry): Finding | undefined {
    const key = inText(entry.key, [])
    if (key !== undefined) return tell('key', key)
    if (entry.kind === 'skill') {
      const content = entry.content === null ? undefined : inText(entry.content, [])
      if (content !== undefined) return tell('content', content)
      const path = entry.path === null ? undefined : inText(entry.path, [])
      return path && tell('path', path)
    }
    const walk = (ordered: boolean): Walk => ({ path: [], names: [entry.key.slice(-MAX_NAME)], parsed: 0, ordered })
    if (inValue(entry.value, walk(false)) === undefined) return undefined
    const found = inValue(entry.value, walk(true))
    return found && tell('value', found)
  }

  return { scan }
}

type JsonObject = { readonly [name: string]: JsonValue }

/** How far a value has been walked; both lists grow and shrink on the way. */
interface Walk {
  readonly path: (string | number)[]
  /** Names of what it lies in, the entry's key first, its own last. */
  readonly names: string[]
  readonly parsed: number
  /** Whether members are taken by the order of their names, so that of several findings always the same is told. */
  readonly ordered: boolean
}

/** The name by which a value is judged, with those around it; undefined where none promises a credential. */
function nameOf({ names }: Walk): string | undefined {
  const own = names[names.length - 1] as string
  const outer = names.length > 1 ? (names[names.length - 2] as string) : ''
  const inList = mayBeCredential(outer) && CONTAINER.test(normalName(outer))
  if (!mayBeCredential(own) && !inList && !(FILLER.test(own) && mayBeCredential(outer))) return undefined
  return normalName([...names.slice(-NAMES_AROUND), ...(inList ? ['secret'] : [])].join('_'))
}

/** `{"name":"API_KEY","value":"…"}`, as lists of variables are written, stands for a member of that name. */
function toldName(value: JsonObject): string | undefined {
  const told = Object.hasOwn(value, 'value') ? (value['name'] ?? value['key']) : undefined
  return typeof told === 'string' ? told : undefined
}

function parseObject(text: string): JsonValue | undefined {
  if (!/^\s{0,8}[[{]/.test(text)) return undefined
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return undefined
  }
}

/** RFC 6901, with long names cut short. */
function pointer(path: readonly (string | number)[]): string {
  const steps = path.map((step) => {
    const name = String(step).replaceAll('~', '~0').replaceAll('/', '~1')
    return name.length > MAX_STEP ? `${name.slice(0, MAX_STEP)}…` : name
  })
  return steps.map((step) => `/${step}`).join('')
}

function lineOf(text: string, at: number): number {
  let line = 1
  for (let end = text.indexOf('\n'); end >= 0 && end < at; end = text.indexOf('\n', end + 1)) line++
  return line
}
