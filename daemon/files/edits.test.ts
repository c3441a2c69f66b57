import { appendFile, cp, mkdir, readFile, rename, rm, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PATIENTLY, skillText, startTrial, type Trial } from './view-suite.ts'

const MEMORY = 'mesh/memory/mesh/plan.md'
const SKILL = 'mesh/skills/notes/SKILL.md'

let trial: Trial

beforeEach(async () => {
  trial = await startTrial({ memoryJson: false })
})
afterEach(() => trial.stop())

function at(path: string): string {
  return join(trial.home, path)
}

describe('what somebody else writes is left and said', () => {
  test('a changed memory is neither overwritten nor removed, and follows again once it is gone', async () => {
    await trial.put('plan', 'first')
    await trial.settled()
    await appendFile(at(MEMORY), 'my own words\n')
    await trial.put('plan', 'second')
    await trial.settled()
    expect(await trial.read(MEMORY)).toContain('my own words')
    expect(trial.findings()).toEqual([`files.edited ${MEMORY}`])
    await trial.restart()
    await trial.view.check()
    expect(trial.findings()).toEqual([`files.edited ${MEMORY}`])
    await trial.remove('memory', 'plan')
    await trial.settled()
    expect(await trial.read(MEMORY)).toContain('my own words')
    await trial.put('plan', 'third')
    await trial.settled()
    expect(trial.findings()).toEqual([`files.edited ${MEMORY}`])
    await unlink(at(MEMORY))
    await trial.view.check()
    expect(await trial.read(MEMORY)).toContain('third')
    expect(trial.findings()).toEqual([])
  })

  test('a skill likewise, and one that was taken over is ours again', async () => {
    await trial.putSkill('notes', skillText('notes', 'first'))
    await trial.settled()
    await writeFile(at(SKILL), skillText('notes', 'by hand'))
    await trial.view.check()
    expect(trial.findings()).toEqual([`files.edited ${SKILL}`])
    await trial.putSkill('notes', skillText('notes', 'second'))
    await trial.settled()
    expect(await trial.read(SKILL)).toContain('by hand')
    await trial.putSkill('notes', skillText('notes', 'by hand'))
    await trial.settled()
    expect(trial.findings()).toEqual([])
    await trial.putSkill('notes', skillText('notes', 'third'))
    await trial.settled()
    expect(await trial.read(SKILL)).toContain('third')
  })

  test('an edit stays when its entry is deleted, and is said until somebody removes it', async () => {
    await trial.putSkill('notes', skillText('notes'))
    await trial.settled()
    await writeFile(at(SKILL), 'by hand')
    await trial.remove('skill', 'notes')
    await trial.settled()
    expect(await trial.read(SKILL)).toBe('by hand')
    expect(trial.findings()).toEqual([`files.edited ${SKILL}`])
    await rm(at('mesh/skills/notes'), { recursive: true })
    await trial.view.check()
    expect(trial.findings()).toEqual([])
  })

  test('files that were there before are adopted where they are equal, else left', async () => {
    await trial.restart({ memoryJson: false, flatSkills: true }, async () => {
      await mkdir(at('mesh/skills/notes'), { recursive: true })
      await mkdir(at('mesh/skills/other'), { recursive: true })
      await writeFile(at(SKILL), skillText('notes'))
      await writeFile(at('mesh/skills/other/SKILL.md'), 'mine')
      await writeFile(at('mesh/skills/other.md'), 'mine too')
      await writeFile(at('mesh/skills/alone.md'), 'no skill of the mesh')
      await trial.putSkill('notes', skillText('notes'))
      await trial.putSkill('other', skillText('other'))
    })
    expect(trial.findings().sort()).toEqual([
      'files.edited mesh/skills/other.md',
      'files.edited mesh/skills/other/SKILL.md',
    ])
    expect(await trial.read('mesh/skills/other/SKILL.md')).toBe('mine')
    await trial.putSkill('notes', skillText('notes', 'changed'))
    await trial.settled()
    expect(await trial.read(SKILL)).toContain('changed')
  })

  test('other files in a folder of ours stay, and keep the folder', async () => {
    await trial.putSkill('notes', skillText('notes'))
    await trial.settled()
    await writeFile(at('mesh/skills/notes/run.sh'), 'echo')
    await writeFile(at('mesh/memory/README.md'), 'mine')
    await trial.remove('skill', 'notes')
    await trial.settled()
    await trial.view.check()
    expect(await trial.tree()).toEqual(['memory/README.md', 'skills/notes/run.sh'])
    expect(trial.findings()).toEqual([])
  })

  test('touching or copying a file without changing it is no edit', async () => {
    await trial.putSkill('notes', skillText('notes'))
    await trial.settled()
    await utimes(at(SKILL), 1, 1)
    await cp(at(SKILL), at('copy'))
    await rename(at('copy'), at(SKILL))
    await trial.view.check()
    expect(trial.findings()).toEqual([])
    await trial.putSkill('notes', skillText('notes', 'changed'))
    await trial.settled()
    expect(await trial.read(SKILL)).toContain('changed')
  })

  test('an empty file, as a power cut leaves one, is written again', async () => {
    await trial.putSkill('notes', skillText('notes'))
    await trial.settled()
    await writeFile(at(SKILL), new Uint8Array(100))
    await trial.view.check()
    expect(await trial.read(SKILL)).toBe(skillText('notes'))
    expect(trial.findings()).toEqual([])
  })
})

describe('without the index', () => {
  async function loseIndex(): Promise<void> {
    await rm(at('meshd/files-index'), { recursive: true })
  }

  test('what is as it should be is adopted, and an edit is still an edit', async () => {
    await trial.put('plan', 'first')
    await trial.put('other', 'first')
    await trial.putSkill('notes', skillText('notes'))
    await trial.settled()
    await appendFile(at('mesh/memory/mesh/other.md'), 'mine')
    await trial.restart({ memoryJson: false }, loseIndex)
    expect(trial.findings()).toEqual(['files.edited mesh/memory/mesh/other.md'])
    await trial.put('plan', 'second')
    await trial.putSkill('notes', skillText('notes', 'second'))
    await trial.settled()
    expect(await trial.read(MEMORY)).toContain('second')
    expect(await trial.read(SKILL)).toContain('second')
  })

  test('memories that changed or went meanwhile are known by their own line, of skills it is said', async () => {
    const long = 'k'.repeat(900)
    await trial.put('plan', 'first')
    await trial.put('gone', 'first')
    await trial.put(long, 'first')
    await trial.putSkill('notes', skillText('notes'))
    await trial.putSkill('gone', skillText('gone'))
    await trial.settled()
    await writeFile(at('mesh/memory/mesh/mine.md'), 'mine')
    await cp(at(MEMORY), at('mesh/memory/mesh/copy.md'))
    await trial.restart({ memoryJson: false }, async () => {
      await loseIndex()
      await trial.put('plan', 'second')
      await trial.putSkill('notes', skillText('notes', 'second'))
      await trial.remove('memory', 'gone')
      await trial.remove('memory', long)
      await trial.remove('skill', 'gone')
    })
    expect(await trial.tree()).toEqual([
      'memory/mesh/copy.md',
      'memory/mesh/mine.md',
      'memory/mesh/plan.md',
      'skills/gone/SKILL.md',
      'skills/notes/SKILL.md',
    ])
    expect(await trial.read(MEMORY)).toContain('second')
    expect(trial.findings().sort()).toEqual([`files.edited mesh/skills/gone/SKILL.md`, `files.edited ${SKILL}`])
  })

  test.each([
    ['a manifest that is gone', async (path: string) => rm(join(path, 'CURRENT'))],
    ['garbage in CURRENT', async (path: string) => writeFile(join(path, 'CURRENT'), 'garbage')],
    ['a CURRENT that names nothing', async (path: string) => writeFile(join(path, 'CURRENT'), 'MANIFEST-999999\n')],
  ])('%s: it is made again', async (_, damage) => {
    await trial.put('plan', 'first')
    await trial.settled()
    await trial.restart({ memoryJson: false }, () => damage(at('meshd/files-index')))
    await trial.put('plan', 'second')
    await trial.settled()
    expect(await trial.read(MEMORY)).toContain('second')
    expect(trial.findings()).toEqual([])
  })
})

describe('the folder removed or put back (S-34)', () => {
  async function putMany(): Promise<void> {
    for (let i = 0; i < 30; i++) await trial.put(`key-${i}`, i)
    await trial.putSkill('notes', skillText('notes'))
    await trial.settled()
  }

  test.each([
    ['while the daemon runs', false],
    ['while it does not', true],
  ])('removed %s: nothing is deleted in the mesh, all is written again and said', async (_, stopped) => {
    await putMany()
    const counts = trial.store.counts()
    const remove = () => rm(trial.mesh, { recursive: true })
    if (stopped) await trial.restart({ memoryJson: false }, remove)
    else await remove()
    await trial.view.check()
    expect(await trial.tree()).toHaveLength(31)
    expect(trial.findings()).toEqual(['files.vanished mesh'])
    expect(trial.store.counts()).toEqual(counts)
    await trial.view.check()
    expect(await trial.tree()).toHaveLength(31)
  })

  test('a home that is gone is not made; when it is back the files are too', async () => {
    const paths = {
      meshDir: at('mount/mesh'),
      memoryJsonPath: at('mount/mesh-memory.json'),
      indexPath: at('meshd/elsewhere'),
    }
    const { createFileView } = await import('./index.ts')
    const { pino } = await import('pino')
    const init = { ...paths, memoryJson: true, flatSkills: false, timing: { retryMs: 10, maxRetryMs: 20 } }
    const view = createFileView({ store: trial.store, log: pino({ level: 'silent' }) }, init)
    await view.start()
    try {
      await trial.put('plan', 'first')
      await view.settled(trial.store.position)
      expect(view.findings()).toEqual([
        expect.objectContaining({ checkId: 'files.blocked', severity: 'error', path: at('mount') }),
      ])
      await mkdir(at('mount'))
      await expect
        .poll(() => readFile(at('mount/mesh/memory/mesh/plan.md'), 'utf8').catch(() => ''), PATIENTLY)
        .toContain('first')
      await view.settled(trial.store.position)
      await expect.poll(() => view.findings(), PATIENTLY).toEqual([])
    } finally {
      await view.stop()
    }
  })

  test('put back from an older copy: memories are brought up to date, skills are said', async () => {
    await trial.put('plan', 'first')
    await trial.putSkill('notes', skillText('notes', 'first'))
    await trial.settled()
    await cp(trial.mesh, at('backup'), { recursive: true })
    await trial.put('plan', 'second')
    await trial.putSkill('notes', skillText('notes', 'second'))
    await trial.settled()
    await rm(trial.mesh, { recursive: true })
    await rename(at('backup'), trial.mesh)
    await trial.view.check()
    expect(await trial.read(MEMORY)).toContain('second')
    expect(await trial.read(SKILL)).toContain('first')
    expect(trial.findings()).toEqual([`files.edited ${SKILL}`])
    expect((await trial.store.get({ kind: 'skill', scope: 'mesh' as never, key: 'notes' }))?.row).toMatchObject({
      content: skillText('notes', 'second'),
    })
  })
})
