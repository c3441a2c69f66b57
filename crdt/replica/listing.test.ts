import { describe, expect, it } from 'vitest'
import type { ListOptions } from './index.ts'
import {
  collect,
  feedOf,
  itemsIn,
  memory,
  openTestReplica,
  scopeOf,
  sharedWorkers,
  type TestReplica,
} from './lab-suite.ts'

const workers = sharedWorkers()

/** `scope key` of each listed memory, in order. */
const list = async (replica: TestReplica, options?: ListOptions) =>
  (await collect(replica.list('memory', options))).map(({ id }) => `${id.scope} ${id.key}`)

async function replicaWith(...names: readonly string[]): Promise<TestReplica> {
  const ceo = await openTestReplica('ceo', { workers })
  await Promise.all(
    names.map((name) => {
      const [scope = '', key = ''] = name.split(/ (.*)/s)
      return ceo.put(key, 1, scope)
    }),
  )
  return ceo
}

const TRICKY = [
  '%',
  '%00',
  '/a/../b',
  ' leading',
  'a',
  'a b',
  'a\nb',
  'a\u0001',
  'a\u007f',
  'a/',
  'a/b',
  'a0',
  'aa',
  'constructor',
  'é',
  'e\u0301',
  '\u202ertl',
  '\ufeffbom',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
]
const byCodePoint = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

describe('a listing', () => {
  it('is in order of scope, then of key by code points, whatever characters they hold', async () => {
    const ceo = await replicaWith(...TRICKY.flatMap((key) => [`mesh ${key}`, `node ${key}`]))
    const sorted = TRICKY.toSorted(byCodePoint)
    expect(await list(ceo)).toEqual([...sorted.map((key) => `mesh ${key}`), ...sorted.map((key) => `node ${key}`)])
    expect(await list(ceo, { scopes: [scopeOf('mesh')] })).toEqual(sorted.map((key) => `mesh ${key}`))
  })

  it('finds each of the tricky keys again, in rows, feed and items', async () => {
    const ceo = await replicaWith(...TRICKY.map((key) => `mesh ${key}`))
    for (const key of TRICKY) expect((await ceo.get(memory(key)))?.row, key).toMatchObject({ key })
    const sorted = TRICKY.toSorted()
    expect((await feedOf(ceo)).map(({ id }) => id.key).sort()).toEqual(sorted)
    expect((await itemsIn(ceo)).map(({ id }) => id.key).sort()).toEqual(sorted)
    expect((await collect(ceo.itemsSince(0, 'sec'))).map(({ id }) => id.key).sort()).toEqual(sorted)
  })

  it('by prefix holds exactly what begins with it, as text and not as a pattern', async () => {
    const ceo = await replicaWith(...TRICKY.map((key) => `mesh ${key}`))
    for (const prefix of ['', 'a', 'a/', '%', '\u{10ffff}', 'e', 'é', '\ufeff', '\uffff', 'nothing', '/a/']) {
      const wanted = TRICKY.filter((key) => key.startsWith(prefix)).toSorted(byCodePoint)
      expect(await list(ceo, { scopes: [scopeOf('mesh')], prefix }), prefix).toEqual(wanted.map((key) => `mesh ${key}`))
      expect(await list(ceo, { prefix }), prefix).toEqual(wanted.map((key) => `mesh ${key}`))
    }
  })

  it('by prefix goes through every scope, and stops at its limit across them', async () => {
    const ceo = await replicaWith('mesh a1', 'mesh b', 'node a2', 'tenant:x a3', 'tenant:x c', 'user:ann a4')
    expect(await list(ceo, { prefix: 'a' })).toEqual(['mesh a1', 'node a2', 'tenant:x a3', 'user:ann a4'])
    expect(await list(ceo, { prefix: 'a', limit: 3 })).toEqual(['mesh a1', 'node a2', 'tenant:x a3'])
    expect(await list(ceo, { limit: 1 })).toEqual(['mesh a1'])
    expect(await list(ceo, { limit: 0 })).toEqual([])
  })

  it('goes on behind any place, within its scopes, and tells what was written since', async () => {
    const clock = { seconds: 1_000 }
    const ceo = await openTestReplica('ceo', { workers, now: () => clock.seconds++ * 1000 })
    const names = ['mesh a', 'mesh b', 'mesh c', 'node a', 'tenant:x a', 'user:x b', 'user:x:y a']
    for (const name of names) await ceo.put(name.split(' ')[1] as string, 1, name.split(' ')[0] as string)
    for (const [i, name] of names.entries()) {
      const [scope = '', key = ''] = name.split(' ')
      expect(await list(ceo, { after: { scope: scopeOf(scope), key } }), name).toEqual(names.slice(i + 1))
    }
    const after = { scope: scopeOf('mesh'), key: 'b' }
    expect(await list(ceo, { after, limit: 2 })).toEqual(['mesh c', 'node a'])
    expect(await list(ceo, { after, scopes: ['user:x', 'mesh'].map(scopeOf) })).toEqual(['mesh c', 'user:x b'])
    expect(await list(ceo, { after: { scope: scopeOf('mesh'), key: 'bb' }, prefix: 'c' })).toEqual(['mesh c'])
    expect(await list(ceo, { scopes: [] })).toEqual([])
    const since = (await ceo.get(memory('a', 'tenant:x')))?.row?.updated_at
    expect(await list(ceo, { updatedSince: since })).toEqual(['tenant:x a', 'user:x b', 'user:x:y a'])
    expect(ceo.scopes().sort()).toEqual(['mesh', 'node', 'tenant:x', 'user:x', 'user:x:y'])
  })

  it('of a scope holds nothing of one whose name begins alike, nor anything for a scope that is none', async () => {
    const ceo = await replicaWith('user:a x', 'user:a:b x', 'user:ab x', 'tenant:a x')
    expect(await list(ceo, { scopes: [scopeOf('user:a')] })).toEqual(['user:a x'])
    expect(await list(ceo, { scopes: [scopeOf('user:a:b')] })).toEqual(['user:a:b x'])
    for (const scope of ['user', 'user:', 'user:a\0', 'user:a\0x', '', '*', '%'])
      expect(await list(ceo, { scopes: [scopeOf(scope)] })).toEqual([])
  })

  it('holds neither skills nor deleted entries, and its limit counts what it shows', async () => {
    const ceo = await replicaWith('mesh a', 'mesh b', 'mesh c')
    await ceo.putText('a', 'text')
    await ceo.drop(memory('a'))
    expect(await list(ceo, { limit: 2 })).toEqual(['mesh b', 'mesh c'])
    expect((await collect(ceo.list('skill'))).map(({ id }) => id.key)).toEqual(['a'])
  })

  it('is of one moment, whatever is written while it is read', async () => {
    const ceo = await replicaWith('mesh a', 'mesh c')
    const keys: string[] = []
    for await (const { id } of ceo.list('memory')) {
      if (keys.length === 0) {
        await ceo.put('b', 1)
        await ceo.drop(memory('c'))
      }
      keys.push(id.key)
    }
    expect(keys).toEqual(['a', 'c'])
    expect(await list(ceo)).toEqual(['mesh a', 'mesh b'])
  })

  it('ends when its signal says so', async () => {
    const ceo = await replicaWith('mesh a', 'mesh b')
    const abort = new AbortController()
    const reading = collect(
      (async function* () {
        for await (const entry of ceo.list('memory', { signal: abort.signal })) {
          abort.abort(new Error('enough'))
          yield entry
        }
      })(),
    )
    await expect(reading).rejects.toThrow('enough')
  })
})

describe('the feed', () => {
  it('begins behind a position, stops at a limit, and ends where it stood when it was asked', async () => {
    const ceo = await replicaWith('mesh a', 'mesh b', 'mesh c')
    const seqs = async (after: number, limit?: number) => (await collect(ceo.feed(after, limit))).map(({ seq }) => seq)
    expect(await seqs(0)).toEqual([1, 2, 3])
    expect(await seqs(1)).toEqual([2, 3])
    expect(await seqs(0, 2)).toEqual([1, 2])
    expect(await seqs(0, 0)).toEqual([])
    expect(await seqs(3)).toEqual([])
    expect(await seqs(99)).toEqual([])
    const asked = ceo.feed(0)
    await ceo.put('d', 1)
    expect((await collect(asked)).map(({ seq }) => seq)).toEqual([1, 2, 3])
  })

  it('names the peer that a change came through, and items tell what only came through it', async () => {
    const ceo = await replicaWith('mesh a')
    const sec = await openTestReplica('sec', { workers })
    await sec.put('b', 1)
    const transfer = await sec.transfer(memory('b'))
    await ceo.apply(transfer === undefined ? [] : [transfer], 'sec')
    expect((await feedOf(ceo)).map(({ via }) => via)).toEqual([undefined, 'sec'])
    const since = async (position: number, peer: string) => {
      const items = await collect(ceo.itemsSince(position, peer))
      return items.map(({ id, isTheirs, base }) => `${id.key}${isTheirs ? ' theirs' : ''}${base ? ' changed' : ''}`)
    }
    expect(await since(0, 'sec')).toEqual(['a', 'b theirs'])
    expect(await since(0, 'lab')).toEqual(['a', 'b'])
    expect(await since(1, 'sec')).toEqual(['b theirs'])
    await ceo.put('b', 2)
    expect(await since(0, 'sec')).toEqual(['a', 'b'])
    expect(await since(2, 'sec')).toEqual(['b changed'])
  })
})
