import { mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import type { Scope } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import { until } from '../../test/support/until.ts'
import { MAX_LIMIT } from './search.ts'
import { startTrial } from './search-suite.ts'

const checks = (findings: readonly { checkId: string }[]) => findings.map(({ checkId }) => checkId)

describe('a search follows the mesh', () => {
  test('through puts, changes and deletes, of memories and skills', async () => {
    const trial = await startTrial()
    await trial.put('project/deadline', { date: 'Friday', owner: 'ann' })
    await trial.putSkill('weather', '# Weather\n\nTake an umbrella on Friday.')
    await trial.put('other', 'nothing')
    expect((await trial.find('friday')).sort()).toEqual(['mesh/project/deadline', 'mesh/weather'])
    await trial.put('project/deadline', { date: 'Monday' })
    expect(await trial.find('friday')).toEqual(['mesh/weather'])
    expect(await trial.find('monday -ann')).toEqual(['mesh/project/deadline'])
    await trial.remove('skill', 'weather')
    expect(await trial.find('friday')).toEqual([])
    expect(trial.search.status()).toMatchObject({ state: 'following', entries: 2, position: trial.store.position })
  })

  test('through a restart, going on from where it was', async () => {
    const trial = await startTrial()
    await trial.put('a', 'first plan')
    await trial.put('b', 'second plan')
    expect(await trial.find('plan')).toHaveLength(2)
    await trial.restart(async () => {
      await trial.put('c', 'third plan')
      await trial.remove('memory', 'a')
    })
    expect((await trial.find('plan')).sort()).toEqual(['mesh/b', 'mesh/c'])
    expect(trial.lines.filter((line) => line.includes('making the search index'))).toHaveLength(1)
  })

  test('and shows what an entry holds now, with the words marked', async () => {
    const trial = await startTrial()
    await trial.put('k', { title: 'The plan', when: 'on Friday' })
    await trial.find('x')
    const { hits, isComplete, position } = await trial.search.search({ text: 'friday' })
    expect({ isComplete, position }).toEqual({ isComplete: true, position: trial.store.position })
    const snippet = { text: 'title: The plan, when: on Friday', marks: [[26, 32]] }
    expect(hits).toEqual([{ kind: 'memory', scope: 'mesh', key: 'k', snippet, score: expect.any(Number) }])
  })

  test('and finds what was written before it began', async () => {
    const trial = await startTrial()
    await trial.restart(async () => {
      for (let i = 0; i < 600; i++) await trial.put(`k${i}`, `plan ${i}`)
      await rm(trial.path)
    })
    expect(await trial.find('599')).toEqual(['mesh/k599'])
    expect(trial.search.status()).toMatchObject({ entries: 600, bytes: expect.any(Number) })
  })
})

describe('nobody is shown', () => {
  test('what is in no scope that they may read', async () => {
    const trial = await startTrial()
    await trial.put('a', 'plan', { scope: 'tenant:x' })
    await trial.put('b', 'plan', { scope: 'tenant:y' })
    const scopes = ['tenant:x'] as Scope[]
    expect(await trial.find('plan', { scopes })).toEqual(['tenant:x/a'])
    expect(await trial.find('plan', { scopes, scope: 'tenant:y' as Scope })).toEqual([])
    expect(await trial.find('plan', { scope: 'tenant:y' as Scope })).toEqual(['tenant:y/b'])
    expect(await trial.find('plan', { scopes: [] })).toEqual([])
  })

  test('what has expired, though the feed does not say so yet', async () => {
    const trial = await startTrial()
    await trial.put('a', 'plan', { expiresAt: Math.floor(Date.now() / 1_000) + 600 })
    expect(await trial.find('plan')).toEqual(['mesh/a'])
    const { position } = trial.store
    trial.clock.ahead = 601_000
    const { hits } = await trial.search.search({ text: 'plan' })
    expect({ hits, position: trial.store.position }).toEqual({ hits: [], position })
  })

  test('what was deleted, though the index still has it; others come in its place', async () => {
    const trial = await startTrial()
    for (let i = 0; i < 5; i++) await trial.put(`k${i}`, 'plan')
    await trial.find('plan')
    const gone = new Set(['k4', 'k3'])
    const { store } = trial
    await trial.restart(undefined, { rowJson: async (id) => (gone.has(id.key) ? undefined : store.rowJson(id)) })
    expect(await trial.find('plan', { limit: 3 })).toEqual(['mesh/k2', 'mesh/k1', 'mesh/k0'])
  })
})

describe('the index is made anew', () => {
  async function withPlan() {
    const trial = await startTrial()
    await trial.put('a', 'plan')
    await trial.put('b', 'plan')
    expect(await trial.find('plan')).toHaveLength(2)
    return trial
  }

  const made = (lines: readonly string[]) => lines.filter((line) => line.includes('the search index is made')).length

  test('for another database', async () => {
    const trial = await withPlan()
    await trial.restart(undefined, { databaseId: 'f'.repeat(32) })
    expect(await trial.find('plan')).toHaveLength(2)
    expect(made(trial.lines)).toBe(2)
  })

  test('where the feed does not reach back to where it is', async () => {
    const trial = await withPlan()
    // What was deleted meanwhile stands in no feed any more.
    await trial.restart(() => trial.remove('memory', 'a'), { horizon: 3 })
    expect(await trial.find('plan')).toEqual(['mesh/b'])
    expect(made(trial.lines)).toBe(2)
  })

  test('where it is ahead of the replica, which then is not the one it was made from', async () => {
    const trial = await withPlan()
    await trial.restart(() => {
      const database = new DatabaseSync(trial.path)
      database.exec("UPDATE meta SET value = 99 WHERE name = 'position'")
      database.close()
    })
    expect(await trial.find('plan')).toHaveLength(2)
    expect(trial.search.status().position).toBe(2)
  })

  test('when an operator wants it, and is told when it is done', async () => {
    const trial = await withPlan()
    await trial.restart(() => {
      const database = new DatabaseSync(trial.path)
      // Not what the mesh holds.
      database.exec("UPDATE entries SET expires_at = 1 WHERE key = 'a'")
      database.close()
    })
    expect(await trial.find('plan')).toEqual(['mesh/b'])
    await Promise.all([trial.search.rebuild(), trial.search.rebuild()])
    expect(await trial.find('plan')).toHaveLength(2)
    expect(trial.search.findings()).toEqual([])
  })

  test('where its file is damaged at the start, which log and doctor say', async () => {
    const trial = await withPlan()
    await trial.restart(() => writeFile(trial.path, 'no database at all'.repeat(500)))
    expect(await trial.find('plan')).toHaveLength(2)
    expect(checks(trial.search.findings())).toEqual(['search.damaged'])
    expect(trial.lines.join('')).toContain('search.damaged')
  })

  test('where its file turns out to be damaged while it is searched', async () => {
    const trial = await startTrial()
    for (let i = 0; i < 300; i++) await trial.put(`k${i}`, `plan ${i}`)
    await trial.find('plan')
    await trial.restart(() => {
      const database = new DatabaseSync(trial.path)
      database.enableDefensive(false)
      database.exec("UPDATE words_data SET block = x'ffffffffffffffff' WHERE id > 10")
      database.close()
    })
    await expect(trial.search.search({ text: 'plan' })).rejects.toMatchObject({ code: 'SEARCH_NOT_READY' })
    const found = await until('found again', () => trial.search.search({ text: 'plan', limit: 100 }))
    expect(found.hits).toHaveLength(100)
    expect(checks(trial.search.findings())).toEqual(['search.damaged'])
  })

  test('by way of the feed where the list of entries ends at a damaged one', async () => {
    const trial = await withPlan()
    const { store } = trial
    const corrupt = () => new MeshError('STORAGE_CORRUPT', 'damaged')
    await trial.restart(() => rm(trial.path), {
      // biome-ignore lint/correctness/useYield: it fails before it gives anything
      async *list() {
        throw corrupt()
      },
      rowJson: async (id) => {
        if (id.key === 'a') throw corrupt()
        return store.rowJson(id)
      },
    })
    expect(await trial.find('plan')).toEqual(['mesh/b'])
    expect(checks(trial.search.findings())).toEqual(['search.unreadable'])
  })
})

describe('while the index cannot be used', () => {
  test('a search says so, and so does the doctor; it goes on by itself', async () => {
    const trial = await startTrial()
    await trial.put('a', 'plan')
    await trial.restart(async () => {
      await rm(trial.path)
      await mkdir(trial.path)
    })
    const asked = trial.search.search({ text: 'plan' })
    await expect(asked).rejects.toMatchObject({ code: 'SEARCH_NOT_READY', hint: expect.any(String) })
    expect(trial.search.status().state).toBe('stalled')
    expect(checks(trial.search.findings())).toEqual(['search.stalled'])
    await rm(trial.path, { recursive: true })
    expect(await trial.find('plan')).toEqual(['mesh/a'])
    expect(trial.search.findings()).toEqual([])
  })

  test('because it is being made, a search finds what is there and says that it is not all', async () => {
    const trial = await startTrial()
    for (let i = 0; i < 300; i++) await trial.put(`k${String(i).padStart(3, '0')}`, 'plan')
    await trial.putSkill('last', 'plan')
    const { store } = trial
    const goOn = Promise.withResolvers<void>()
    const stuck = Promise.withResolvers<void>()
    await trial.restart(() => rm(trial.path), {
      async *list(kind) {
        if (kind === 'skill') {
          stuck.resolve()
          await goOn.promise
        }
        yield* store.list(kind)
      },
    })
    await stuck.promise
    const result = await until('something is found', () => trial.search.search({ text: 'plan', limit: 100 }))
    expect(result).toMatchObject({ isComplete: false, hits: { length: 100 } })
    expect(trial.search.status()).toMatchObject({ state: 'rebuilding', progress: { total: 301 } })
    expect(checks(trial.search.findings())).toEqual(['search.rebuilding'])
    goOn.resolve()
    expect(await trial.find('last')).toEqual(['mesh/last'])
    expect(trial.search.findings()).toEqual([])
  })
})

describe('a search is refused', () => {
  test.each([
    [{ text: '' }, 'QUERY_INVALID', 'q'],
    [{ text: 'plan', limit: 0 }, 'REQUEST_INVALID', 'limit'],
    [{ text: 'plan', limit: MAX_LIMIT + 1 }, 'REQUEST_INVALID', 'limit'],
  ])('%j', async (query, code, field) => {
    const trial = await startTrial()
    await expect(trial.search.search(query)).rejects.toMatchObject({ code, field })
  })

  test('while very many wait', async () => {
    const trial = await startTrial()
    await trial.put('a', 'plan')
    await trial.find('plan')
    const asked = Array.from({ length: 150 }, () => trial.search.search({ text: 'plan' }))
    const answers = await Promise.allSettled(asked)
    const refused = answers.filter(({ status }) => status === 'rejected')
    expect(refused).toHaveLength(50)
    expect(refused[0]).toMatchObject({ reason: { code: 'TOO_MANY_REQUESTS' } })
    expect(await trial.find('plan')).toEqual(['mesh/a'])
  })

  test('when its asker has gone', async () => {
    const trial = await startTrial()
    const signal = AbortSignal.abort()
    await expect(trial.search.search({ text: 'plan' }, { signal })).rejects.toBe(signal.reason)
    await expect(trial.search.caughtUp(1, { signal })).rejects.toBe(signal.reason)
    const later = new AbortController()
    const waiting = trial.search.caughtUp(1, { signal: later.signal })
    later.abort()
    await expect(waiting).rejects.toBe(later.signal.reason)
  })

  test('once it was stopped, and whoever waits is told', async () => {
    const trial = await startTrial()
    const waiting = trial.search.caughtUp(1)
    const told = expect(waiting).rejects.toMatchObject({ code: 'STOPPING' })
    await trial.search.stop()
    await trial.search.stop()
    await told
    for (const call of [
      () => trial.search.search({ text: 'plan' }),
      () => trial.search.caughtUp(0),
      () => trial.search.rebuild(),
      () => trial.search.start(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'STOPPING' })
    }
  })
})

test('neither log nor findings quote what is in entries, keys or queries', async () => {
  const trial = await startTrial()
  const secret = ['s3', 'cr3t'].join('')
  await trial.put(`key-${secret}`, { password: secret })
  await trial.putSkill('weather', secret)
  expect(await trial.find(secret)).toHaveLength(2)
  await trial.search.search({ text: `"${secret} -` })
  await expect(trial.search.search({ text: `-${secret}` })).rejects.toThrow('nothing to search for')
  const said: string[] = []
  for (const damage of [() => truncate(trial.path, 4_096), () => rm(trial.path)]) {
    await trial.restart(damage)
    await trial.find(secret)
    said.push(JSON.stringify(trial.search.findings()))
  }
  await trial.stop()
  expect(trial.lines.length).toBeGreaterThan(3)
  expect([...trial.lines, ...said].join('')).not.toContain(secret)
})
