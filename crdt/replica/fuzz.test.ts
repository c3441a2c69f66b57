import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import { EntryDocument, type EntryId, inspectChange } from '../entry/index.ts'
import { audit } from './audit-suite.ts'
import { FIRST, forge, leaf, signHash } from './forge-suite.ts'
import { packOffered, type Transfer } from './index.ts'
import {
  authorsOf,
  changesIn,
  MEMBERS,
  memory,
  openTestReplica,
  sharedWorkers,
  skill,
  type TestReplica,
  transferInChanges,
  transferOf,
  verdictOf,
} from './lab-suite.ts'

const workers = sharedWorkers()
const CASES = LONG ? 100_000 : 1_000
/** A document takes longer to forge than a change. */
const DOCUMENT_CASES = LONG ? 100_000 : 500
const BATCH = 100
const SEED = LONG ? Date.now() % 1_000_000 : 1

const ALLOWED = [
  'applied',
  'known',
  'refused CHANGE_MALFORMED',
  'refused CHANGE_UNSIGNED',
  'refused CHANGE_TOO_LARGE',
  'incomplete CHANGE_INCOMPLETE',
  'incomplete WORKER_LIMIT',
]

/** The same numbers for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

type Random = ReturnType<typeof numbers>

const HEADER_BYTES = 10

/** A change with some of its bytes changed, left out, doubled or replaced by those of another. */
function mutate(change: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const bytes = Buffer.from(change)
  // The first bytes say "a change": most cases go further than that.
  const at = random(20) === 0 ? random(bytes.length) : HEADER_BYTES + random(Math.max(1, bytes.length - HEADER_BYTES))
  const length = 1 + random(8)
  switch (random(7)) {
    case 0:
      bytes[at] = random(256)
      return bytes
    case 1:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8))
      return bytes
    case 2:
      return bytes.subarray(0, at)
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 4:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)])
    case 5:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(other).subarray(random(other.length))])
    default:
      return Buffer.from(Array.from({ length: random(120) }, () => random(256)))
  }
}

/** With its length and checksum made to fit again, so that what is inside is looked at. */
function mend(broken: Uint8Array, type = 1): Uint8Array {
  const contents = broken.subarray(HEADER_BYTES)
  const length = contents.length < 128 ? [contents.length] : [(contents.length & 127) | 128, contents.length >> 7]
  const chunk = Buffer.concat([Buffer.of(type, ...length), contents])
  return Buffer.concat([FIRST.subarray(0, 4), createHash('sha256').update(chunk).digest().subarray(0, 4), chunk])
}

/** A transfer with one change in it that is none any more, signed by a member all the same. */
function mutated(sources: readonly Transfer[], n: number, random: Random): Transfer {
  const source = sources[random(sources.length)] as Transfer
  const other = sources[random(sources.length)] as Transfer
  const chunks = [...source.chunks]
  const which = random(chunks.length)
  const change = mutate(chunks[which] as Uint8Array, other.chunks.at(-1) as Uint8Array, random)
  chunks[which] = random(3) === 0 ? change : mend(change)
  const id: EntryId = random(2) === 0 ? source.id : { ...source.id, key: `fuzz-${n}` }
  const signatures = chunks.map((one) =>
    signHash(id, createHash('sha256').update(one.subarray(8)).digest('hex'), 'sec'),
  )
  const packed = packOffered(signatures)
  return { id, chunks, signatures: random(10) === 0 ? packed.subarray(random(packed.length)) : packed }
}

/** An entry as it travels whole, with something wrong with it. Its signatures are those of what it was. */
function mutatedWhole(sources: readonly Transfer[], n: number, random: Random): Transfer {
  const source = sources[random(sources.length)] as Transfer
  const other = sources[random(sources.length)] as Transfer
  const whole = source.chunks[0] as Uint8Array
  const id: EntryId = random(3) === 0 ? source.id : { ...source.id, key: `whole-${n}` }
  const changes = changesIn(other.id, other.chunks)
  const own = changesIn(source.id, source.chunks).map((one) => signHash(id, inspectChange(one).hash, 'sec'))
  const foreign = changes.map((one) => signHash(id, inspectChange(one).hash, 'sec'))
  const signatures = packOffered(random(2) === 0 ? own : [...own, ...foreign])
  const at = random(whole.length)
  const broken = mutate(whole, other.chunks[0] as Uint8Array, random)
  const chunks: Uint8Array[][] = [
    [random(4) === 0 ? broken : mend(broken, random(20) === 0 ? random(5) : 0)],
    [whole, mend(mutate(changes.at(-1) as Uint8Array, whole, random))],
    [Buffer.concat([whole, changes[random(changes.length)] as Uint8Array])],
    [Buffer.concat([whole, ...changes]).subarray(0, -random(40) - 1)],
    [whole, other.chunks[0] as Uint8Array],
    [whole.subarray(0, at), whole.subarray(at)],
    [changes[0] as Uint8Array, whole],
    [whole, ...changes, ...changes],
  ]
  return { id, chunks: chunks[random(12)] ?? (chunks[0] as Uint8Array[]), signatures }
}

/** Entries of both kinds, with text, deletes, merges and large and nested values. */
async function sourcesOf(sec: TestReplica): Promise<Transfer[]> {
  await sec.put('plan', { a: 1, b: [1, 2], c: 'text', d: 1.5, e: null, f: { g: 2 ** 60 } })
  await sec.put('plan', { a: 2 })
  await sec.drop(memory('plan'))
  await sec.putText('deploy', 'one\ntwo\nthree\n')
  await sec.putText('deploy', 'one\n2\nthree\n')
  await sec.put('large', Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`name-${i}`, i])))
  const ids = [memory('plan'), skill('deploy'), memory('large')]
  const odd = forge(memory('odd'), (handle) => {
    leaf('/x')(handle)
    handle.putObject('_root', 'list', [])
    handle.put('_root', 'count', 1, 'counter')
    handle.put('_root', 'at', new Date(0), 'timestamp')
  })
  return [...(await Promise.all(ids.map((id) => transferInChanges(sec, id)))), odd]
}

/** Whether a document, written out anew, opens again as the same version. */
function isLasting({ id, chunks }: Transfer): boolean {
  const document = EntryDocument.create(id, 'dd'.repeat(16))
  document.apply(chunks)
  const again = EntryDocument.load(id, document.save(), 'dd'.repeat(16))
  const lasts = again.heads.join() === document.heads.join()
  document.free()
  again.free()
  return lasts
}

it(`S-16: ${DOCUMENT_CASES} broken documents (seed ${SEED}) have an outcome each, and what is taken in can be opened for ever`, {
  timeout: 1_800_000,
}, async () => {
  const [ceo, sec] = [await openTestReplica('ceo', { workers }), await openTestReplica('sec', { workers })]
  const inChanges = await sourcesOf(sec)
  await sec.apply(inChanges, 'ceo')
  const sources = await Promise.all(inChanges.map(({ id }) => transferOf(sec, id)))
  const random = numbers(SEED)
  const counts = new Map<string, number>()
  const taken: EntryId[] = []
  for (let n = 0; n < DOCUMENT_CASES; n += BATCH) {
    const transfers = Array.from({ length: BATCH }, (_, i) => mutatedWhole(sources, n + i, random))
    const outcomes = await ceo.apply(transfers, 'sec')
    for (const verdict of outcomes.map(verdictOf)) counts.set(`${verdict}`, (counts.get(`${verdict}`) ?? 0) + 1)
    taken.push(...outcomes.flatMap(({ id, outcome }) => (outcome === 'applied' ? [id] : [])))
  }
  expect([...counts.keys()].filter((verdict) => !ALLOWED.includes(verdict))).toEqual([])
  expect(counts.get('applied')).toBeGreaterThan(DOCUMENT_CASES / 100)
  expect(counts.get('refused CHANGE_MALFORMED')).toBeGreaterThan(DOCUMENT_CASES / 10)
  expect(counts.get('refused CHANGE_UNSIGNED')).toBeGreaterThan(DOCUMENT_CASES / 100)
  for (const id of taken) expect(isLasting(await transferOf(ceo, id)), id.key).toBe(true)
  for (const { key, kind } of taken.slice(0, 200)) if (kind === 'memory') await ceo.put(key, 'still writable')
  await ceo.close()
  expect((await audit(ceo.path, authorsOf(MEMBERS))).faults).toEqual([])
  if (LONG) process.stdout.write(`${JSON.stringify([...counts])}\n`)
})

it(`S-16: ${CASES} broken changes (seed ${SEED}) have an outcome each, and none does harm`, {
  timeout: 1_800_000,
}, async () => {
  const [ceo, sec] = [await openTestReplica('ceo', { workers }), await openTestReplica('sec', { workers })]
  const sources = await sourcesOf(sec)
  await ceo.apply(sources, 'sec')
  const random = numbers(SEED)
  const counts = new Map<string, number>()
  for (let n = 0; n < CASES; n += BATCH) {
    const transfers = Array.from({ length: BATCH }, (_, i) => mutated(sources, n + i, random))
    const outcomes = await ceo.apply(transfers, 'sec')
    expect(outcomes.map(({ id }) => id)).toEqual(transfers.map(({ id }) => id))
    for (const verdict of outcomes.map(verdictOf)) counts.set(`${verdict}`, (counts.get(`${verdict}`) ?? 0) + 1)
  }
  expect([...counts.keys()].filter((verdict) => !ALLOWED.includes(verdict))).toEqual([])
  // It must not be that all fail alike: then only the outermost check would have been tried.
  expect(counts.get('applied')).toBeGreaterThan(0)
  expect(counts.get('refused CHANGE_MALFORMED')).toBeGreaterThan(CASES / 10)
  for (const { id } of sources) await ceo.put(id.kind === 'memory' ? id.key : 'other', 'still writable')
  await ceo.close()
  expect((await audit(ceo.path, authorsOf(MEMBERS))).faults).toEqual([])
  if (LONG) process.stdout.write(`${JSON.stringify([...counts])}\n`)
})
