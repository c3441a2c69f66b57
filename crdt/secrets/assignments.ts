import type { Standing } from './plausible.ts'

/** `name: value` as a text says it, in the ways of shells, JSON, YAML, INI, XML and programs. */
export interface Assignment {
  readonly name: string
  /** Where the name ends, for whoever goes on searching. */
  readonly nameEnd: number
  /** Where the value stands. Equal where there is none. */
  readonly from: number
  readonly to: number
  readonly standing: Standing
}

/** Most characters of a name before the word that it was found by, and behind its beginning. */
const MAX_BEFORE = 64
const MAX_AFTER = 96
/** Longest value that is looked at. */
const MAX_VALUE = 512

const IS =
  /\\?["'`\]]{0,2}[ \t]{0,16}(?:=>|:=|={1,3}|:|>|(?<=[ \t])(?:is|was)(?=[ \t]))[ \t]{0,16}(?:[rbfu]{1,2}(?=["']))?(\\?["'`])?/y
/** `--password value` */
const OPTION = /[ \t]{1,4}(["'])?(?=[^\s-])/y
const QUOTED = `[^"'\`\\n\\\\]{1,${MAX_VALUE}}`
const BARE = `(?:(?:Bearer|Basic|Token|Bot|ApiKey|bearer|basic|token) {1,4})?[^\\s"'\`,;<>&\\\\]{1,${MAX_VALUE}}`

/** Reads the assignment to the name that holds what stands at a place. */
export type AssignmentReader = (text: string, at: number) => Assignment

export function createAssignmentReader(): AssignmentReader {
  const is = new RegExp(IS.source, 'y')
  const option = new RegExp(OPTION.source, 'y')
  const quoted = new RegExp(QUOTED, 'y')
  const bare = new RegExp(BARE, 'y')
  const signAt = (text: string, start: number, nameEnd: number) =>
    matchAt(is, text, nameEnd) ?? (text.startsWith('--', start) ? matchAt(option, text, nameEnd) : null)
  return (text, at) => {
    let start = at
    while (start > 0 && at - start < MAX_BEFORE && isNamePart(text.charCodeAt(start - 1))) start--
    let nameEnd = at
    while (nameEnd < text.length && nameEnd - at < MAX_AFTER && isNamePart(text.charCodeAt(nameEnd))) nameEnd++
    const name = text.slice(start, nameEnd)
    const sign = nameEnd - at === MAX_AFTER ? null : signAt(text, start, nameEnd)
    if (sign === null) return { name, nameEnd, from: nameEnd, to: nameEnd, standing: 'bare' }
    const from = nameEnd + sign[0].length
    const standing = sign[1] === undefined && !isShellStyle(name, sign[0]) ? 'bare' : 'quoted'
    const length = matchAt(sign[1] === undefined ? bare : quoted, text, from)?.[0].length ?? 0
    // `>` says something only between the tags of an element.
    const isSaid = sign[0] !== '>' || (text[start - 1] === '<' && text.startsWith('</', from + length))
    return { name, nameEnd, from, to: isSaid && length < MAX_VALUE ? from + length : from, standing }
  }
}

/** `DB_PASSWORD=…`, as in files of environment variables, where quotes are rare. */
function isShellStyle(name: string, sign: string): boolean {
  return sign === '=' && name === name.toUpperCase()
}

function matchAt(sticky: RegExp, text: string, at: number): RegExpExecArray | null {
  sticky.lastIndex = at
  return sticky.exec(text)
}

/** Letters, digits, `_`, `-` and `.` */
function isNamePart(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95 ||
    code === 45 ||
    code === 46
  )
}
