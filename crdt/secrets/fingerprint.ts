import { createHmac } from 'node:crypto'

/** Bytes of a fingerprint: enough that no two texts of one machine share one, few enough to be copied by hand. */
const BYTES = 10

/**
 * What stands for a text on a list of false alarms, and may be told to anybody: 20 hex digits of HMAC-SHA-256 over the
 * rule and the text. The key keeps the text secret: of a plain hash one could tell by trying whether it belongs to a
 * weak password. So whoever lacks the key learns nothing, and under another key the same text has another fingerprint.
 */
export function fingerprintOf(key: Uint8Array, rule: string, text: string): string {
  return createHmac('sha256', key).update(`${rule}\0${text}`).digest().toString('hex', 0, BYTES)
}
