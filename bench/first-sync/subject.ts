import { setTimeout as delay } from 'node:timers/promises'
import { free, load as loadDocument } from '@automerge/automerge'
import { EntryDocument, MESH_SCOPE } from '../../crdt/entry/index.ts'
import { ACTOR } from '../bare-automerge.ts'
import { type DaemonProcess, startDaemon } from '../daemon-process.ts'
import { openHomes } from '../homes/index.ts'
import { rateOfSync } from '../measure.ts'
import type { Round, Subject } from '../question.ts'
import { benchValue } from '../values.ts'
import type { VitalSigns } from '../vitals.ts'

/** How often the new node is asked whether it has everything. */
const LOOK_MS = 20
/** Documents loaded before it counts: until the code is compiled. */
const WARM_UP = 2_000
const LONGEST_MS = 15 * 60_000

export async function openFirstSync({ entries }: { readonly entries: number }): Promise<Subject> {
  await using parts = new AsyncDisposableStack()
  const homes = await openHomes(parts, entries)
  // It has no files to write: only those of the new one are of interest here.
  const full = await startDaemon({ nodeId: 'ceo', home: homes.ceo, fileView: false })
  parts.defer(() => full.stop())
  await full.quiet()
  const kept = parts.move()
  return {
    close: () => kept.disposeAsync(),
    round: async (index) => ({
      ...(await join(full, { id: 'plain', nodeId: `plain${index}`, fileView: false })),
      ...(await join(full, { id: 'usual', nodeId: `usual${index}`, fileView: true })),
      'load.rate': loadRate(entries),
    }),
  }
}

interface Newcomer {
  readonly id: string
  readonly nodeId: string
  readonly fileView: boolean
}

async function join(full: DaemonProcess, { id, nodeId, fileView }: Newcomer): Promise<Round> {
  const empty = await startDaemon({ nodeId, fileView })
  try {
    await full.quiet()
    const { ticket } = await full.client.invite()
    const { digest, entries } = await full.client.status()
    const began = performance.now()
    const seen: VitalSigns[] = []
    const work = async () => {
      await empty.client.join(ticket)
      await hasDigest(empty, digest)
    }
    let ms = 0
    seen.push(
      await full.during(async () => {
        seen.push(await empty.during(work))
        ms = performance.now() - began
      }),
    )
    const worst = (what: 'stallP99' | 'stallLongest') => Math.max(...seen.map((one) => one[what]))
    return {
      [`${id}.rate`]: (entries / ms) * 1_000,
      [`${id}.cpu`]: (seen.reduce((sum, { cpu }) => sum + cpu, 0) / entries) * 1_000,
      [`${id}.stall.p99`]: worst('stallP99'),
      [`${id}.stall.longest`]: worst('stallLongest'),
      [`${id}.rss`]: (seen[0]?.rss ?? Number.NaN) / 1e6,
    }
  } finally {
    await full.client.removePeer(nodeId).catch(() => {})
    await empty.stop()
  }
}

async function hasDigest({ client }: DaemonProcess, digest: string): Promise<void> {
  const began = performance.now()
  while ((await client.status()).digest !== digest) {
    if (performance.now() - began > LONGEST_MS) throw new Error('the new node does not get everything')
    await delay(LOOK_MS)
  }
}

/** How many documents such as the entries have bare Automerge loads a second on one core. */
function loadRate(entries: number): number {
  const document = EntryDocument.create({ kind: 'memory', scope: MESH_SCOPE, key: 'entry/0' }, ACTOR)
  document.put({ kind: 'memory', value: benchValue(0) }, { nodeId: 'ceo', at: 1 })
  const bytes = document.save()
  document.free()
  const loaded = () => free(loadDocument(bytes))
  rateOfSync(WARM_UP, loaded)
  return rateOfSync(entries, loaded)
}
