/**
 * A process with a replica and its search, with more written than can ever be caught up with, until it is killed.
 * `killed-child-suite.ts HOME ROUND`; it says `running` once the first entry can be found.
 */

import { join } from 'node:path'
import { pino } from 'pino'
import { MESH_SCOPE } from '../../crdt/entry/index.ts'
import { openReplica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import { createSearch } from './index.ts'

const [, , home = '', round = ''] = process.argv
const AT_ONCE = 20
const KEYS = 300

const store = await openReplica({ signer: createSigner(new Uint8Array(32).fill(7)) }, { path: join(home, 'db') })
const search = createSearch(
  { store, log: pino({ level: 'silent' }), now: Date.now },
  { path: join(home, 'search.sqlite'), timing: { followMs: 1 } },
)
const put = (key: string, value: string) => store.putMemory({ scope: MESH_SCOPE, key, value, nodeId: 'ceo' })
await search.start()
await put('start', `w${round}`)
await search.caughtUp(store.position)
process.stdout.write('running')
for (let i = 0; ; i++) {
  await Promise.all(
    Array.from({ length: AT_ONCE }, (_, j) => {
      const key = `key-${(i * AT_ONCE + j) % KEYS}`
      if ((i + j) % 7 === 3) return store.remove({ kind: 'memory', scope: MESH_SCOPE, key }, 'ceo')
      return put(key, `w${round} turn${i % 50} common`)
    }),
  )
}
