import type { Peer } from '../daemon/api/client.ts'
import { age, type Column, escapeLine, isoTime, type Output, renderTable, shortPeer } from './output/index.ts'

const COLUMNS: readonly Column[] = [
  { title: ' ' },
  { title: 'NAME', least: 6 },
  { title: 'PEER ID' },
  { title: 'EQUAL' },
  { title: 'LAST SYNC' },
  { title: 'ADDRESS', least: 12 },
]

/** Lines of a table of members: ● connected, ○ not; what is wrong with one stands below it. @param now Unix seconds */
export function peerTable(peers: readonly Peer[], { paint, width }: Output, now: number): string[] {
  const lines = renderTable({
    columns: COLUMNS,
    rows: peers.map((peer) => [
      peer.connected ? { text: '●', paint: paint.green } : { text: '○', paint: paint.dim },
      { text: escapeLine(peer.nodeId), paint: paint.bold },
      shortPeer(escapeLine(peer.peerId)),
      peer.equal ? { text: 'yes', paint: paint.green } : { text: 'no', paint: paint.yellow },
      peer.lastSync === null ? 'never' : age(peer.lastSync / 1000, now),
      { text: escapeLine(peer.address ?? ''), paint: paint.dim },
    ]),
    width,
    paintTitle: paint.dim,
  })
  return lines.flatMap((line, index) => [line, ...troubles(peers[index - 1]).map((text) => `   ${paint.yellow(text)}`)])
}

/** One line for programs that read lines. */
export function tabbedPeer({ nodeId, peerId, connected, equal, lastSync, address, error }: Peer): string {
  const synced = lastSync === null ? '' : isoTime(Math.floor(lastSync / 1000))
  const state = [connected ? 'connected' : 'offline', equal ? 'equal' : 'unequal', synced]
  return [nodeId, peerId, ...state, address ?? '', error ?? ''].map(escapeLine).join('\t')
}

function troubles(peer: Peer | undefined): string[] {
  if (peer === undefined) return []
  const waiting = `${peer.incomplete} of its entries could not be opened within limits and wait to be tried again`
  const refused = `${peer.refused} entries are refused between this node and it, and left out`
  return [
    ...(peer.incomplete > 0 ? [waiting] : []),
    ...(peer.refused > 0 ? [refused] : []),
    ...(peer.error === null ? [] : [escapeLine(peer.error)]),
  ]
}
