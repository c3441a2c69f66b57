import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { startDaemon, type TestDaemon } from '../harness-suite.ts'

let ceo: TestDaemon

beforeAll(async () => {
  ceo = await startDaemon('ceo')
})

afterAll(() => ceo?.stop())

const refused = { exit: EXIT.refused, ok: false, error: { type: 'VERSION_MISMATCH' } }

describe('put', () => {
  test('--ttl says when the entry ends, and a put without it lets the entry stay', async () => {
    const before = Math.floor(Date.now() / 1000)
    const { stdout } = await ceo.run(['put', 'lock', 'ceo', '--ttl', '2h'])
    expect(stdout).toMatch(/^mesh\/lock put \(ceo, just now, until 20\d\d-\d\d-\d\dT[\d:]{8}Z\)\n$/)
    const row = (await ceo.json(['get', 'lock'])) as { expires_at?: number }
    expect(row.expires_at).toBeGreaterThanOrEqual(before + 7200)
    expect(row.expires_at).toBeLessThanOrEqual(Date.now() / 1000 + 7200)
    expect(await ceo.json(['put', 'lock', 'ceo'])).not.toHaveProperty('expires_at')
    expect(await ceo.json(['put', 'lock', 'ceo', '--ttl', '1w'])).toMatchObject({
      exit: EXIT.usage,
      error: { type: 'USAGE', field: '--ttl' },
    })
  })

  test('--new: of two who create an entry one does', async () => {
    expect((await ceo.run(['put', 'leader', 'a', '--new'])).exit).toBe(EXIT.ok)
    expect(await ceo.json(['put', 'leader', 'b', '--new'])).toMatchObject(refused)
    expect((await ceo.run(['get', 'leader'])).stdout).toBe('a\n')
  })

  test('--if-match: who comes too late overwrites nothing; an etag may have lost its quotes', async () => {
    const { etag } = (await ceo.json(['put', 'counter', '1'])) as { etag?: string }
    const second = (await ceo.json(['put', 'counter', '2', '--if-match', etag ?? ''])) as { etag?: string }
    expect(second).toMatchObject({ ok: true, value: 2 })
    expect(await ceo.json(['put', 'counter', '3', '--if-match', etag ?? ''])).toMatchObject(refused)
    const bare = second.etag?.replaceAll('"', '') ?? ''
    expect(await ceo.json(['put', 'counter', '3', '--if-match', bare])).toMatchObject({ ok: true, value: 3 })
    expect(await ceo.json(['put', 'nowhere', '1', '--if-match', '*'])).toMatchObject(refused)
    for (const wrong of [
      ['--if-match', 'two words'],
      ['--new', '--if-match', '*'],
    ]) {
      expect(await ceo.json(['put', 'counter', '4', ...wrong])).toMatchObject({ exit: EXIT.usage })
    }
    expect((await ceo.run(['get', 'counter'])).stdout).toBe('3\n')
  })

  test('skills take the same', async () => {
    const put = (text: string, ...more: string[]) => ceo.json(['skill', 'put', 'w', '-', ...more], { input: text })
    const { etag, expires_at } = (await put('a', '--new', '--ttl', '1d')) as { etag?: string; expires_at?: number }
    expect(expires_at).toBeGreaterThan(Date.now() / 1000 + 86_000)
    expect(await put('b', '--new')).toMatchObject(refused)
    expect(await put('b', '--if-match', etag ?? '')).toMatchObject({ ok: true, content: 'b' })
    expect(await put('c', '--if-match', etag ?? '')).toMatchObject(refused)
    const { stdout } = await ceo.run(['skill', 'put', 'w', '-', '--ttl', '90s'], { input: 'd' })
    expect(stdout).toMatch(/^skill w put \(ceo, just now, until 20/)
  })
})
