import type { Revision } from '../daemon/api/client.ts'
import { cellOf, contentOf } from './entry.ts'
import {
  age,
  bytes,
  type Column,
  escapeBlock,
  escapeLine,
  isoTime,
  type Output,
  renderTable,
  shortAge,
  shortPeer,
} from './output/index.ts'

const COLUMNS: readonly Column[] = [
  { title: 'CHANGE' },
  { title: ' ' },
  { title: 'NODE', least: 6 },
  { title: 'AGE', right: true },
  { title: 'SIGNED BY', least: 9 },
  { title: 'VALUE', least: 12 },
]

/** Letters of a hash in the table: 48 bits, which name one change of an entry for certain. */
export const SHORT_HASH = 12

/** Lines of a table of changes. @param now Unix seconds */
export function revisionTable(revisions: readonly Revision[], { paint, width }: Output, now: number): string[] {
  return renderTable({
    columns: COLUMNS,
    rows: revisions.map((revision) => {
      const unlike = isAnothersName(revision) ? paint.yellow : (text: string) => text
      return [
        { text: revision.hash.slice(0, SHORT_HASH), paint: paint.cyan },
        revision.action === 'delete' ? { text: 'delete', paint: paint.red } : revision.action,
        { text: escapeLine(revision.node_id), paint: unlike },
        { text: shortAge(revision.at, now), paint: paint.dim },
        { text: signersOf(revision).map(escapeLine).join(', ') || 'nobody', paint: unlike },
        valueCell(revision),
      ]
    }),
    width,
    paintTitle: paint.dim,
  })
}

/** A change in a paragraph, its whole value below. @param now Unix seconds */
export function revisionBlock(revision: Revision, { paint }: Output, now: number): string[] {
  const { hash, action, node_id, at, row } = revision
  const signers = signersOf(revision).map(escapeLine).join(', ') || 'nobody'
  const name = escapeLine(node_id)
  const signed = isAnothersName(revision)
    ? paint.yellow(`signed by ${signers}, not by ${name}`)
    : `signed by ${signers}`
  const content = row === null ? undefined : contentOf(row)
  const text = typeof content === 'string' ? content : JSON.stringify(content, null, 2)
  const value = content === undefined ? [] : escapeBlock(text).replace(/\n$/, '').split('\n')
  const ends = row?.expires_at === undefined ? [] : [`until   ${isoTime(row.expires_at)}`]
  return [
    paint.cyan(`change  ${hash}`),
    `${action.padEnd(6)}  by ${name}, ${signed}`,
    `time    ${isoTime(at)} (${age(at, now)})`,
    ...ends,
    '',
    ...value.map((line) => (line === '' ? '' : `    ${line}`)),
    ...(value.length > 0 ? [''] : []),
  ]
}

/** One line for programs that read lines. */
export function tabbedRevision(revision: Revision): string {
  const { hash, action, node_id, at, row } = revision
  const value = row === null ? '' : JSON.stringify(contentOf(row))
  return [hash, action, node_id, isoTime(at), signersOf(revision).join(','), value].map(escapeLine).join('\t')
}

/** Whether the name that the author gave is that of nobody who signed. */
export function isAnothersName({ node_id, signers }: Revision): boolean {
  return !signers.some((signer) => signer.node_id === node_id)
}

/** Names of those who signed; of one whom the roster does not name any more its peer id. */
function signersOf({ signers }: Revision): string[] {
  return signers.map(({ node_id, peer_id }) => node_id ?? shortPeer(peer_id))
}

/** Texts of skills all begin alike, so their size says more. */
function valueCell({ row }: Revision): string {
  if (row === null) return ''
  if (!('name' in row)) return cellOf(row.value)
  return row.content === null ? cellOf(row.path) : bytes(Buffer.byteLength(row.content))
}
