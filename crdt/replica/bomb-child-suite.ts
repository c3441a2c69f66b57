/**
 * A process that makes a document whose few bytes become much: it takes itself what it costs to open one, and gives it
 * back by ending. Prints the document in base64 and the hash of its bomb.
 */

import { newHandle } from '../entry/automerge.ts'
import { type EntryId, firstChange, inspectChange } from '../entry/index.ts'
import { operationBomb } from './bomb-suite.ts'

const [kind, count] = process.argv.slice(2)
const id: EntryId = { kind: 'memory', scope: 'mesh' as EntryId['scope'], key: 'k' }
const first = firstChange(id, { kind: 'memory', value: 1 })
const handle = newHandle('5e'.repeat(16))
handle.applyChanges([first])
if (kind === 'operations') handle.applyChanges([operationBomb(inspectChange(first).hash, Number(count)).change])
else {
  handle.put('_root', '/x', 'x'.repeat(Number(count)), 'str')
  handle.put('_root', 'live', 1, 'int')
  handle.commit('sec', 1_000)
}
const [hash = ''] = handle.getHeads()
process.stdout.write(JSON.stringify({ hash, document: Buffer.from(handle.save()).toString('base64') }))
