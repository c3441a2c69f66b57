import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { inFolder, startDaemon, type TestDaemon } from '../harness-suite.ts'

let ceo: TestDaemon

beforeAll(async () => {
  ceo = await startDaemon('ceo')
})

afterAll(() => ceo?.stop())

describe('skills', () => {
  const text = '---\nname: weather\ndescription: Tells the weather.\n---\n\n# Weather\r\nLast line without end'

  test('put from a folder, a file and standard input; get gives it byte for byte', async () => {
    await inFolder(async (folder) => {
      await mkdir(join(folder, 'weather'))
      await writeFile(join(folder, 'weather/SKILL.md'), text)
      const put = await ceo.run(['skill', 'put', join(folder, 'weather')])
      expect(put).toEqual({ exit: EXIT.ok, stdout: 'skill weather put (ceo, just now)\n', stderr: '' })
      expect((await ceo.run(['skill', 'get', 'weather'])).stdout).toBe(text)
      await ceo.run(['skill', 'put', 'second', join(folder, 'weather/SKILL.md')])
      expect((await ceo.run(['skill', 'get', 'second'])).stdout).toBe(text)
      await ceo.run(['skill', 'put', 'third', '-'], { input: 'no front matter\n' })
      expect((await ceo.run(['skill', 'get', 'third'])).stdout).toBe('no front matter\n')
    })
  })

  test('a skill that OpenClaw would pass over is taken, and its author told', async () => {
    const { exit, stderr } = await ceo.run(['skill', 'put', 'bare', '-'], { input: '# Bare\n' })
    expect(exit).toBe(EXIT.ok)
    expect(stderr).toContain('no description')
  })

  test('ls and rm', async () => {
    await ceo.run(['skill', 'put', 'ls-me', '-'], { input: text })
    const { stdout } = await ceo.run(['skill', 'ls', 'ls-'])
    expect(stdout.split('\t').slice(0, 4)).toEqual(['mesh', 'ls-me', String(Buffer.byteLength(text)), 'ceo'])
    expect((await ceo.json(['skill', 'ls', 'ls-']))['skills']).toMatchObject([{ name: 'ls-me', content: text }])
    expect(await ceo.run(['skill', 'rm', 'ls-me'])).toMatchObject({ exit: EXIT.ok, stdout: 'skill ls-me deleted\n' })
    expect(await ceo.run(['skill', 'rm', 'ls-me'])).toMatchObject({ exit: EXIT.notFound })
    expect(await ceo.run(['skill', 'get', 'ls-me'])).toMatchObject({ exit: EXIT.notFound, stdout: '' })
  })

  test.each([
    ['a name and no file', ['weather-x'], EXIT.usage],
    ['a file that is not there', ['x', 'no-such-file'], EXIT.notFound],
    ['a name that is none (S-19)', ['../x', '-'], EXIT.refused],
  ])('%s', async (_what, args, exit) => {
    expect(await ceo.run(['skill', 'put', ...args], { input: 'x' })).toMatchObject({ exit, stdout: '' })
  })
})
