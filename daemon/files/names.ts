import { createHash } from 'node:crypto'

/**
 * Longest name of a file or folder that is written, in bytes. File systems take 255; eCryptfs, on which a Synology NAS
 * keeps its encrypted folders, takes 143.
 */
export const MAX_FILE_NAME_BYTES = 143

const ENDING = '.md'
const MAX_ENCODED_LENGTH = MAX_FILE_NAME_BYTES - ENDING.length
/** How much of a name too long stays readable before its hash. */
const READABLE_LENGTH = 64
/** Between the readable part and the hash. `%-` is no escape, so no encoded name holds it. */
const HASH_MARK = '%-'
/** Names that Windows keeps for devices, whatever follows the first dot. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/
const TOKEN = /%([0-9a-f]{2})|\+([a-z])|([a-z0-9_.-])/gy

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What each byte of UTF-8 becomes. */
const ESCAPES = Array.from({ length: 256 }, (_, byte) => {
  const letter = String.fromCharCode(byte)
  if (/[a-z0-9_.-]/.test(letter)) return letter
  if (/[A-Z]/.test(letter)) return `+${letter.toLowerCase()}`
  return escapeByte(byte)
})

/**
 * A key, scope or skill name as the name of a file (without its ending) or folder. Lower-case letters, digits, `-`,
 * `_` and `.` stay; an upper-case letter becomes `+` and the lower-case one; any other byte of UTF-8 becomes `%` and two
 * lower-case hex digits. So do a dot or hyphen in front, a dot at the end or before a last `md`, and the first letter
 * of a Windows device. Distinct texts get names that are distinct on disks that fold case or normalise Unicode; what
 * would be longer than {@link MAX_FILE_NAME_BYTES} with `.md` gets a readable part and its SHA-256.
 *
 * @param text well-formed Unicode of any length
 */
export function encodeName(text: string): string {
  const escaped = escapeText(text)
  if (escaped.length <= MAX_ENCODED_LENGTH) return escaped
  const readable = escaped.slice(0, READABLE_LENGTH).replace(/(%[0-9a-f]?|\+)$/, '')
  return readable + HASH_MARK + createHash('sha256').update(text).digest('hex')
}

/**
 * The text that {@link encodeName} made `name` of, or undefined where it made no such name or one with a hash, from
 * which there is no way back (the exact key stands in the file).
 */
export function decodeName(name: string): string | undefined {
  if (name === '%') return ''
  const bytes: number[] = []
  let read = 0
  for (const [token, hex, upper, plain] of name.matchAll(TOKEN)) {
    read += token.length
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16))
    else bytes.push((upper?.toUpperCase() ?? plain ?? '').charCodeAt(0))
  }
  if (read !== name.length) return undefined
  const text = decodeUtf8(bytes)
  return text !== undefined && encodeName(text) === name ? text : undefined
}

/** The file of a memory in its scope's folder. */
export function encodeFileName(key: string): string {
  return encodeName(key) + ENDING
}

/** The way back from {@link encodeFileName}: undefined for a foreign name and for one with a hash. */
export function decodeFileName(fileName: string): string | undefined {
  return fileName.endsWith(ENDING) ? decodeName(fileName.slice(0, -ENDING.length)) : undefined
}

function escapeText(text: string): string {
  if (text === '') return '%'
  let escaped = ''
  for (const byte of Buffer.from(text)) escaped += ESCAPES[byte]
  return escaped
    .replace(DEVICE, (device) => escapeByte(device.charCodeAt(0)) + device.slice(1))
    .replace(/^[.-]|\.$|\.(?=md$)/g, (sign) => escapeByte(sign.charCodeAt(0)))
}

function escapeByte(byte: number): string {
  return `%${byte.toString(16).padStart(2, '0')}`
}

function decodeUtf8(bytes: readonly number[]): string | undefined {
  try {
    return utf8.decode(Uint8Array.from(bytes))
  } catch {
    return undefined
  }
}
