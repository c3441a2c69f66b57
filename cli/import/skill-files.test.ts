import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findSkills, skillNameOf } from './skill-files.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mesh-skills-'))
})

afterEach(() => rm(root, { recursive: true, force: true }))

async function write(path: string): Promise<void> {
  await mkdir(join(root, path, '..'), { recursive: true })
  await writeFile(join(root, path), path)
}

const namesIn = async () => (await findSkills(root)).files.map(({ name, path }) => [name, path.slice(root.length + 1)])

test('folders with a SKILL.md and flat files are skills; the rest is counted', async () => {
  for (const path of ['weather/SKILL.md', 'weather/scripts/run.sh', 'weather/icon.png', 'notes.md', 'list.txt'])
    await write(path)
  for (const path of ['README.md', 'LICENSE', 'tool.py', 'empty/other.md']) await write(path)
  const { ignored, notes } = await findSkills(root)
  expect(await namesIn()).toEqual([
    ['list', 'list.txt'],
    ['notes', 'notes.md'],
    ['weather', 'weather/SKILL.md'],
  ])
  // README.md, LICENSE, tool.py, empty/, and icon.png and scripts/ beside the SKILL.md.
  expect({ ignored, notes }).toEqual({ ignored: 6, notes: [] })
})

test('a folder with a SKILL.md is that one skill', async () => {
  await write('SKILL.md')
  await write('extra.md')
  const { files, ignored } = await findSkills(root)
  expect(files.map(({ path }) => path)).toEqual([join(root, 'SKILL.md')])
  expect(ignored).toBe(1)
})

test('of two files of one name the folder wins, then .md, and it is said', async () => {
  for (const path of ['a/SKILL.md', 'a.md', 'b.txt', 'b.md']) await write(path)
  expect(await namesIn()).toEqual([
    ['a', 'a/SKILL.md'],
    ['b', 'b.md'],
  ])
  expect((await findSkills(root)).notes).toEqual([
    'a.md passed over: a/SKILL.md has the same name',
    'b.txt passed over: b.md has the same name',
  ])
})

test('links that lead out are not followed, those inside are (S-20)', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'mesh-outside-'))
  try {
    await writeFile(join(outside, 'SKILL.md'), 'secret')
    await write('real/SKILL.md')
    await write('half/icon.png')
    await symlink(join(outside, 'SKILL.md'), join(root, 'secret.md'))
    await symlink(outside, join(root, 'stolen'))
    await symlink(join(outside, 'SKILL.md'), join(root, 'half/SKILL.md'))
    await symlink('nowhere', join(root, 'broken.md'))
    await symlink('real', join(root, 'alias'))
    expect(await namesIn()).toEqual([
      ['alias', 'alias/SKILL.md'],
      ['real', 'real/SKILL.md'],
    ])
    expect((await findSkills(root)).notes).toEqual([
      'half/SKILL.md passed over: a link that leads out of the folder',
      'secret.md passed over: a link that leads out of the folder',
      'stolen passed over: a link that leads out of the folder',
    ])
  } finally {
    await rm(outside, { recursive: true, force: true })
  }
})

test('the name of a skill from the path of its file', () => {
  expect(skillNameOf('/s/weather/SKILL.md')).toBe('weather')
  expect(skillNameOf('/s/weather.md')).toBe('weather')
  expect(skillNameOf('/s/v1.2.txt')).toBe('v1.2')
})
