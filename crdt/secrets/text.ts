import { createAssignmentReader } from './assignments.ts'
import { beginningsOf, decodeRun } from './base64.ts'
import { createFinder, type Marks } from './finder.ts'
import { firstAfter, type Joined, joinLines } from './joined.ts'
import type { NamedValueJudge, RuleHead } from './named-values.ts'
import { mayBeCredential, NAME_WORDS, normalName } from './names.ts'
import { entropyOf, isPlaceholder } from './plausible.ts'
import { TOKEN_RULES, type TokenRule } from './rules/index.ts'

/** A credential in a text. */
export interface TextFinding {
  readonly rule: RuleHead
  /** Where it begins. */
  readonly at: number
  readonly credential: string
}

/** Whether a credential is to be told; false where it is known as a false alarm. */
export type Accept = (rule: RuleHead, credential: string) => boolean

/** The first credential of a text that is accepted. */
export type TextScanner = (text: string, accept: Accept) => TextFinding | undefined

/** How often base64 inside base64 is opened. */
const MAX_DECODED = 2
/** Longest credential that is looked for across a break: what the longest patterns take. */
const MAX_SPAN = 480
/** Most characters that patterns look at before the place at which they begin. */
const MAX_BEHIND = 48
/** Most breaks of one credential at which it may turn out to end. */
const MAX_ENDS = 16

/** A text as it stands, or with its lines put together; then only what goes across a break counts. */
interface View {
  readonly text: string
  readonly joined: Joined | undefined
  readonly decoded: number
}

export function createTextScanner(judge: NamedValueJudge): TextScanner {
  const rules = TOKEN_RULES.map((rule) => ({ ...rule, pattern: new RegExp(rule.pattern.source, 'y') }))
  const words = [...new Set([...rules.flatMap(({ starts }) => (starts === 'run' ? [] : starts)), ...NAME_WORDS])].map(
    (word) => word.toLowerCase(),
  )
  const find = createFinder(words)
  const rulesOf = words.map((word) =>
    rules.filter(({ starts }) => starts !== 'run' && starts.some((start) => start.toLowerCase() === word)),
  )
  const isName = words.map((word) => (NAME_WORDS as readonly string[]).includes(word))
  const ofRuns = rules.filter(({ starts }) => starts === 'run')
  const readAssignment = createAssignmentReader()

  function scan(text: string, accept: Accept, decoded: number): TextFinding | undefined {
    const found = scanView({ text, joined: undefined, decoded }, accept)
    if (found !== undefined) return found
    const joined = joinLines(text)
    if (joined === undefined) return undefined
    const broken = scanView({ text: joined.text, joined, decoded }, accept)
    return broken === undefined ? undefined : { ...broken, at: joined.origin(broken.at) }
  }

  function scanView(view: View, accept: Accept): TextFinding | undefined {
    const marks = find(view.text)
    if (marks.words.length === 0 && marks.runs.length === 0) return undefined
    return scanWords(view, marks, accept) ?? scanRuns(view, marks, accept)
  }

  function scanWords(view: View, { words: found }: Marks, accept: Accept): TextFinding | undefined {
    let namesFrom = 0
    for (let i = 0; i < found.length; i += 2) {
      const word = found[i] as number
      const at = found[i + 1] as number
      if (!isNearBreak(view, at)) continue
      for (const rule of rulesOf[word] as readonly TokenRule[]) {
        const credential = matchRule(view, rule, at)
        if (credential !== undefined && accept(rule, credential)) return { rule, at, credential }
      }
      if (!isName[word] || at < namesFrom) continue
      const { name, nameEnd, from, to, standing } = readAssignment(view.text, at)
      namesFrom = nameEnd
      if (from === to || !mayBeCredential(name)) continue
      const normal = normalName(name)
      for (const end of endsOf(view, from, to)) {
        const credential = view.text.slice(from, end)
        const rule = judge(normal, credential, standing)
        if (rule !== undefined && accept(rule, credential)) return { rule, at: from, credential }
      }
    }
    return undefined
  }

  function scanRuns(view: View, { runs }: Marks, accept: Accept): TextFinding | undefined {
    for (let i = 0; i < runs.length; i += 2) {
      const at = runs[i] as number
      const end = runs[i + 1] as number
      if (!spansBreak(view, at - 1, end + MAX_BEHIND)) continue
      const run = view.text.slice(at, end)
      const beginnings = beginningsOf(run)
      for (const beginning of beginnings) {
        for (const rule of ofRuns) {
          const credential = matchRule(view, rule, at + beginning)
          if (credential !== undefined && accept(rule, credential)) return { rule, at, credential }
        }
      }
      if (view.decoded === MAX_DECODED || !spansBreak(view, at, end)) continue
      const text = decodeRun(run, beginnings)
      const inside = text === undefined ? undefined : scan(text, accept, view.decoded + 1)
      if (inside !== undefined) return { ...inside, at }
    }
    return undefined
  }

  return (text, accept) => scan(text, accept, 0)
}

/** The credential that a rule finds at a place. */
function matchRule(view: View, rule: TokenRule, at: number): string | undefined {
  const { text, joined } = view
  if (!rule.glued && isAlphanumeric(text.charCodeAt(at - 1)) && !isJoin(joined, at)) return undefined
  rule.pattern.lastIndex = at
  let match = rule.pattern.exec(text)
  if (match === null) return undefined
  if (!mayEnd(view, rule, at + match[0].length)) {
    match = matchToBreak(view, rule, at, at + match[0].length)
    if (match === null) return undefined
  }
  if (!spansBreak(view, at - MAX_BEHIND, at + match[0].length)) return undefined
  const random = match.slice(1).find((group) => group !== undefined) ?? match[0]
  if (entropyOf(random) < (rule.minEntropy ?? 3)) return undefined
  if (!rule.mayRepeat && isPlaceholder(random)) return undefined
  return rule.except?.test(match[0]) ? undefined : match[0]
}

/** Where the next line was taken for a part of the credential: the match that ends with a line. */
function matchToBreak({ text, joined }: View, rule: TokenRule, at: number, end: number): RegExpExecArray | null {
  if (joined === undefined) return null
  const last = firstAfter(joined.joins, end) - 1
  for (let i = last; i >= 0 && i > last - MAX_ENDS; i--) {
    const join = joined.joins[i] as number
    if (join <= at) break
    rule.pattern.lastIndex = at
    const match = rule.pattern.exec(text.slice(0, join))
    if (match !== null && at + match[0].length === join) return match
  }
  return null
}

function mayEnd({ text, joined }: View, { end: how }: TokenRule, end: number): boolean {
  if (how === 'open' || isJoin(joined, end)) return true
  const code = text.charCodeAt(end)
  if (isAlphanumeric(code)) return false
  return how !== 'strict' || !'+/=-_'.includes(String.fromCharCode(code))
}

/** Where a value may end: as it stands; in a view of joined lines also at each break, if another lies before. */
function endsOf(view: View, from: number, to: number): readonly number[] {
  if (view.joined === undefined) return [to]
  const { joins } = view.joined
  const first = firstAfter(joins, from)
  const inside = joins.slice(first, Math.min(firstAfter(joins, to - 1), first + MAX_ENDS))
  return inside.length === 0 ? [] : [...inside.slice(1), to]
}

/** Whether a break may lie within a credential that is found at a place; always, where nothing was joined. */
function isNearBreak(view: View, at: number): boolean {
  return spansBreak(view, at - MAX_BEHIND, at + MAX_SPAN)
}

function spansBreak({ joined }: View, from: number, to: number): boolean {
  if (joined === undefined) return true
  const next = joined.joins[firstAfter(joined.joins, from)]
  return next !== undefined && next < to
}

function isJoin(joined: Joined | undefined, at: number): boolean {
  return joined !== undefined && joined.joins[firstAfter(joined.joins, at - 1)] === at
}

function isAlphanumeric(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122)
}
