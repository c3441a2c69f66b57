/**
 * A process that writes to a replica until it is killed, and says on standard output, line by line, what was
 * acknowledged. `writer-child-suite.ts PATH hold|write|adopt ARGUMENT`.
 */

import { createHash } from 'node:crypto'
import type { Scope } from '../entry/index.ts'
import { createSigner } from '../signing.ts'
import { openReplica, type Replica } from './index.ts'

/** An acknowledged write: who said it is unique, and so found again in the entry's history. */
export interface Acknowledged {
  readonly kind: 'memory' | 'skill'
  readonly scope: string
  readonly key: string
  readonly nodeId: string
  readonly action: 'put' | 'delete'
}

const [, , path = '', mode = '', argument = ''] = process.argv

const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`)

/** Several writers at once, on few entries, so that groups of commits are cut short in every place. */
async function write(replica: Replica, round: string): Promise<void> {
  let n = 0
  const writer = async (w: number) => {
    for (;;) {
      const nodeId = `w-${round}-${w}-${n++}`
      // One of the writers stays at few entries, so that they are stored in several parts.
      const key = w === 0 ? 'hot' : `key-${n % 13}`
      const scope = ['mesh', 'node', 'user:ann'][n % 3] as Scope
      const kind = n % 5 === 0 ? 'skill' : 'memory'
      if (n % 11 === 0) {
        if (await replica.remove({ kind, scope, key }, nodeId)) say({ kind, scope, key, nodeId, action: 'delete' })
        continue
      }
      const text = `${nodeId}\n`.repeat(1 + (n % 40))
      if (kind === 'skill') await replica.putSkill({ scope, name: key, nodeId, content: text })
      else await replica.putMemory({ scope, key, nodeId, value: { [`m${n % 7}`]: { n, text } } })
      say({ kind, scope, key, nodeId, action: 'put' } satisfies Acknowledged)
    }
  }
  await Promise.all([0, 1, 2, 3, 4, 5].map(writer))
}

say('begun')
const signer = createSigner(createHash('sha256').update('ceo').digest())
const replica = await openReplica({ signer }, { path })
say('open')
if (mode === 'hold') setInterval(() => {}, 1_000)
else if (mode === 'write') await write(replica, argument)
else {
  const records = [{ namespace: 'roster', key: argument, value: Buffer.from('new') }]
  await replica.adopt({ meshId: argument, forget: ['roster', 'peers'], records }, (done) => say({ done }))
  say('adopted')
  await replica.close()
}
