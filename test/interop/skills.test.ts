import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ERROR, useStore } from './store.ts'

const store = useStore()

interface Row {
  readonly name: string
  readonly content: string | null
  readonly path: string | null
  readonly updated_at: number
}

const put = (name: string, more: object) => store.put('/mesh/skills', { name, source_node: 'old', ...more })

const namesIn = async (path: string) => ((await store.get(path)).body as Row[]).map(({ name }) => name)

test('a row has these fields, in a list as alone; ours adds the scope', async () => {
  const stored = await put('fields', { content: 'text' })
  expect(stored.body).toEqual({
    scope: 'mesh',
    name: 'fields',
    source_node: 'old',
    content: 'text',
    path: null,
    updated_at: expect.any(Number),
  })
  expect(await store.get('/mesh/skills/fields')).toEqual(stored)
  expect((await store.get('/mesh/skills')).body).toEqual([stored.body])
})

test('the time is in whole seconds and the store’s, whatever the caller says', async () => {
  const before = Math.floor(Date.now() / 1_000)
  const { updated_at } = (await put('time', { content: 'text', updated_at: 1, ts: 1 })).body as Row
  expect(Number.isInteger(updated_at)).toBe(true)
  expect(updated_at).toBeGreaterThanOrEqual(before)
  expect(updated_at).toBeLessThanOrEqual(Math.ceil(Date.now() / 1_000))
})

const CONTENTS: readonly [what: string, content: string][] = [
  ['front matter', '---\nname: greet\ndescription: Says hello\n---\n\n# Greet\n'],
  ['no line end', 'one line'],
  ['other line ends', 'a\r\nb\rc\n\n'],
  ['other scripts', '# Grüße 日本 🦊 e\u0301\n'],
  ['JSON', '{"name":"greet"}'],
  ['much text', 'Walk on, and look around.\n'.repeat(4_000)],
  ['little again', 'short\n'],
]

test.each(CONTENTS)('content with %s comes back to the letter, over what was there', async (_, content) => {
  const { status, body } = await put('content', { content })
  expect({ status, body }).toMatchObject({ status: 200, body: { name: 'content', content, path: null } })
  expect((await store.get('/mesh/skills/content')).body).toEqual(body)
})

test.each(['daily-report', 'daily report', 'daily_report', 'v1.2', 'Greet', 'météo', '天気', '100%'])(
  'name %j, encoded in the address',
  async (name) => {
    const { status, body } = await put(name, { content: `of ${name}` })
    expect({ status, body }).toMatchObject({ status: 200, body: { name, content: `of ${name}` } })
    expect((await store.get(`/mesh/skills/${encodeURIComponent(name)}`)).body).toEqual(body)
  },
)

test('skills of one name in two scopes are two; where none is said it is mesh', async () => {
  await put('twice', { content: 'inside' })
  expect(await put('twice', { content: 'outside', scope: 'federation' })).toMatchObject({ status: 200 })
  await put('alone', { content: 'ann’s', scope: 'user:ann' })
  for (const [query, content] of [
    ['', 'inside'],
    ['?scope=mesh', 'inside'],
    ['?scope=federation', 'outside'],
  ]) {
    expect(await store.get(`/mesh/skills/twice${query}`), query).toMatchObject({ status: 200, body: { content } })
  }
  expect(await namesIn('/mesh/skills?scope=federation')).toEqual(['twice'])
  expect(await namesIn('/mesh/skills?scope=user:ann')).toEqual(['alone'])
  expect(await namesIn('/mesh/skills?scope=mesh')).not.toContain('alone')
  expect(await store.get('/mesh/skills?scope=user:nobody')).toMatchObject({ status: 200, body: [] })
  expect(await store.get('/mesh/skills/alone')).toMatchObject({ status: 404, body: ERROR })
})

test('a path in place of content, and back', async () => {
  const byPath = await put('moves', { path: 'skills/moves.md' })
  expect(byPath).toMatchObject({ status: 200, body: { name: 'moves', source_node: 'old', path: 'skills/moves.md' } })
  expect(await store.get('/mesh/skills/moves')).toEqual(byPath)
  const byContent = await put('moves', { content: 'here' })
  expect(byContent).toMatchObject({ status: 200, body: { content: 'here', path: null } })
  expect(await store.get('/mesh/skills/moves')).toEqual(byContent)
})

const MALFORMED: readonly [what: string, body: unknown][] = [
  ['neither content nor path', { name: 'bad', source_node: 'old' }],
  ['no name', { source_node: 'old', content: 'text' }],
  ['an empty name', { name: '', source_node: 'old', content: 'text' }],
  ['content that is no text', { name: 'bad', content: { a: 1 } }],
  ['nothing', {}],
  ['no body', undefined],
  ['half of JSON', '{"name":"bad","content":'],
  ['an array', [{ name: 'bad', content: 'text' }]],
]

test.each(MALFORMED)('PUT with %s is 400 with {error}, and nothing is stored', async (_, body) => {
  expect(await store.put('/mesh/skills', body)).toMatchObject({ status: 400, body: ERROR })
  expect(await store.get('/mesh/skills/bad')).toMatchObject({ status: 404, body: ERROR })
})

test('a row can be put back as it was got, whichever of content and path it lacks', async () => {
  for (const field of ['content', 'path']) {
    const { body } = await put(`again-${field}`, { [field]: 'text' })
    const again = await store.put('/mesh/skills', body)
    expect(again).toMatchObject({ status: 200, body: { ...(body as Row), updated_at: expect.any(Number) } })
  }
})

test('source_node may be missing, and fields that the store does not know are passed over', async () => {
  const body = { name: 'bare', content: 'text', sourceNode: 'x', sig: 'y', extra: [1] }
  expect(await store.put('/mesh/skills', body)).toMatchObject({
    status: 200,
    body: { name: 'bare', source_node: expect.any(String), content: 'text' },
  })
})

// The last of the file: it stops the store, after which nothing can still be on its way.
test('a path and an address are kept as text: no file is opened and nobody is called', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mesh-interop-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  let calls = 0
  const listener = createServer((_, response) => {
    calls++
    response.end('fetched')
  })
  listener.on('connection', () => calls++)
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void listener.close())
  const address = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/greet.md`
  const file = join(folder, 'greet.md')
  await writeFile(file, 'read from the disk')
  const pipe = join(folder, 'pipe')
  execFileSync('/usr/bin/mkfifo', [pipe])

  const texts = [address, `file://${file}`, file, pipe, join(folder, 'nothing.md'), '../../greet.md', '/dev/zero']
  for (const [i, text] of texts.entries()) {
    for (const field of ['content', 'path']) {
      const name = `${field}-${i}`
      const stored = await put(name, { [field]: text })
      expect(stored, text).toMatchObject({ status: 200, body: { [field]: text } })
      expect(await store.get(`/mesh/skills/${name}`)).toEqual(stored)
    }
  }
  const listed = JSON.stringify((await store.get('/mesh/skills')).body)
  expect(listed).not.toMatch(/fetched|read from the disk/)
  // Were anybody reading the pipe, or waiting to, it could be opened for writing.
  expect(() => closeSync(openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK))).toThrow('ENXIO')
  await store.machine().stop()
  expect(calls).toBe(0)
})
