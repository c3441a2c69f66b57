import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openTokenFile } from './token.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'token-'))
  path = join(folder, 'token')
})
afterEach(() => rm(folder, { recursive: true }))

const rightsOf = async () => (await stat(path)).mode & 0o777

test('the first opening makes 32 random bytes that only this user can read', async () => {
  const token = await openTokenFile(path)
  const text = (await readFile(path, 'utf8')).trim()
  expect(Buffer.from(text, 'base64url')).toHaveLength(32)
  expect(await rightsOf()).toBe(0o600)
  expect(token.matches(text)).toBe(true)
  expect((await openTokenFile(path)).matches(text)).toBe(true)
})

test('nothing but the token matches', async () => {
  const token = await openTokenFile(path)
  const text = (await readFile(path, 'utf8')).trim()
  for (const other of ['', text.slice(0, -1), `${text}A`, text.toUpperCase(), 'x'.repeat(100_000)]) {
    expect(token.matches(other)).toBe(false)
  }
})

test('an operator’s own token of the greatest length matches alone', async () => {
  const text = 'a'.repeat(256)
  await writeFile(path, text)
  const token = await openTokenFile(path)
  expect(token.matches(text)).toBe(true)
  for (const more of ['a', '\0', 'ÿ', '日', '👍', '\ud800', 'a'.repeat(100)])
    expect(token.matches(text + more)).toBe(false)
  for (const other of ['', text.slice(1), `${text.slice(1)}b`]) expect(token.matches(other)).toBe(false)
})

test('rotating replaces the token in the file and kills the old one', async () => {
  const token = await openTokenFile(path)
  const old = (await readFile(path, 'utf8')).trim()
  await token.rotate()
  const now = (await readFile(path, 'utf8')).trim()
  expect(now).not.toBe(old)
  expect(token.matches(old)).toBe(false)
  expect(token.matches(now)).toBe(true)
  expect(await rightsOf()).toBe(0o600)
  expect(await readdir(folder)).toEqual(['token'])
})

test('what an interrupted rotation left behind is in nobody’s way', async () => {
  const token = await openTokenFile(path)
  await writeFile(`${path}.0123456789ab`, 'half')
  const before = await readFile(path, 'utf8')
  await token.rotate()
  expect(await readFile(path, 'utf8')).not.toBe(before)
  // The next start of the daemon sweeps it away.
  expect(await readdir(folder)).toEqual(['token', 'token.0123456789ab'])
})

test('rights that are too wide are taken back', async () => {
  await openTokenFile(path)
  await chmod(path, 0o644)
  await openTokenFile(path)
  expect(await rightsOf()).toBe(0o600)
})

test('a file that holds no token is refused, and named', async () => {
  for (const text of ['', 'short', `${'a'.repeat(43)} ${'b'.repeat(43)}`]) {
    await writeFile(path, text)
    await expect(openTokenFile(path)).rejects.toMatchObject({ code: 'TOKEN_UNREADABLE', field: path })
  }
})

test('a failed rotation leaves the old token valid', async () => {
  const token = await openTokenFile(path)
  const old = (await readFile(path, 'utf8')).trim()
  await rm(folder, { recursive: true })
  await expect(token.rotate()).rejects.toMatchObject({ code: 'TOKEN_UNWRITABLE' })
  expect(token.matches(old)).toBe(true)
  await expect(openTokenFile(path)).rejects.toMatchObject({ code: 'TOKEN_UNWRITABLE' })
  folder = await mkdtemp(join(tmpdir(), 'token-'))
})
