import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs'
import { chmod, link, mkdir, readdir, readFile, rename, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PATIENTLY, skillText, startTrial, type Trial } from './view-suite.ts'

let trial: Trial
let victim: string

beforeEach(async () => {
  trial = await startTrial({ timing: { retryMs: 20, maxRetryMs: 50 } })
  victim = join(trial.home, 'victim')
  await mkdir(victim)
  await writeFile(join(victim, 'SKILL.md'), 'precious')
  await writeFile(join(victim, 'plan.md'), 'precious')
})
afterEach(async () => {
  await chmod(join(trial.mesh, 'memory', 'mesh'), 0o700).catch(() => undefined)
  await trial.stop()
})

/** Whether this user may mount a small disk. */
function canMount(): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/bin/mount')) return false
  const folder = mkdtempSync(join(tmpdir(), 'mesh-mount-'))
  const { status } = spawnSync('/bin/mount', ['-t', 'tmpfs', 'tmpfs', folder])
  if (status === 0) spawnSync('/bin/umount', [folder])
  rmdirSync(folder)
  return status === 0
}

function at(path: string): string {
  return join(trial.home, path)
}

async function expectVictimUntouched(): Promise<void> {
  expect((await readdir(victim)).sort()).toEqual(['SKILL.md', 'plan.md'])
  for (const file of ['SKILL.md', 'plan.md']) expect(await readFile(join(victim, file), 'utf8')).toBe('precious')
}

/** Both are there before the link is planted, so that updates, new files and deletes all meet it. */
async function fill(): Promise<void> {
  await trial.put('plan', 'first')
  await trial.putSkill('notes', skillText('notes'))
  await trial.settled()
}

describe('symbolic links are never followed (S-20)', () => {
  test.each([
    ['mesh', 'files.symlink mesh', 'error'],
    ['mesh/memory', 'files.symlink mesh/memory', 'warning'],
    ['mesh/memory/mesh', 'files.symlink mesh/memory/mesh', 'warning'],
  ])('in place of the folder %s', async (folder, finding, severity) => {
    await fill()
    await rm(at(folder), { recursive: true })
    await symlink(victim, at(folder))
    await trial.put('plan', 'second')
    await trial.put('new', 'first')
    await trial.settled()
    expect(trial.findings()).toContain(finding)
    expect(trial.view.findings()[0]).toMatchObject({ severity })
    await trial.remove('memory', 'plan')
    await trial.settled()
    await trial.view.check()
    await expectVictimUntouched()
    expect(trial.findings()).toContain(finding)
    await unlink(at(folder))
    await expect.poll(() => trial.read('mesh/memory/mesh/new.md'), PATIENTLY).toContain('first')
    await expect.poll(() => trial.findings(), PATIENTLY).toEqual([])
    expect(await trial.tree()).toEqual(['memory/mesh/new.md', 'skills/notes/SKILL.md'])
  })

  test('in place of a skill, whose delete does not reach through it either', async () => {
    await fill()
    await rm(at('mesh/skills/notes'), { recursive: true })
    await symlink(victim, at('mesh/skills/notes'))
    await trial.putSkill('notes', skillText('notes', 'second'))
    await trial.settled()
    expect(trial.findings()).toEqual(['files.symlink mesh/skills/notes'])
    await trial.remove('skill', 'notes')
    await trial.settled()
    await expectVictimUntouched()
    expect((await stat(at('mesh/skills/notes'))).isDirectory()).toBe(true)
  })

  test.each(['mesh/memory/mesh/plan.md', 'mesh/skills/notes/SKILL.md', 'mesh-memory.json'])(
    'in place of the file %s',
    async (file) => {
      await fill()
      await rm(at(file))
      await symlink(join(victim, 'plan.md'), at(file))
      await trial.put('plan', 'second')
      await trial.putSkill('notes', skillText('notes', 'second'))
      await trial.settled()
      await trial.view.check()
      expect(trial.findings()).toEqual([`files.symlink ${file}`])
      await trial.remove('memory', 'plan')
      await trial.remove('skill', 'notes')
      await trial.settled()
      await expectVictimUntouched()
    },
  )

  test('in place of the temporary file', async () => {
    await fill()
    const names = await Promise.all(
      ['plan.md', 'SKILL.md'].map(async (name) => {
        const { createHash } = await import('node:crypto')
        return `.mesh-${createHash('sha256').update(name).digest('hex').slice(0, 16)}.tmp`
      }),
    )
    await symlink(join(victim, 'plan.md'), at(`mesh/memory/mesh/${names[0]}`))
    await link(join(victim, 'SKILL.md'), at(`mesh/skills/notes/${names[1]}`))
    await trial.put('plan', 'second')
    await trial.putSkill('notes', skillText('notes', 'second'))
    await trial.settled()
    await expectVictimUntouched()
    expect(await trial.read('mesh/memory/mesh/plan.md')).toContain('second')
    expect(await trial.read('mesh/skills/notes/SKILL.md')).toContain('second')
    expect((await trial.tree()).length).toBe(2)
  })

  test('a hard link to a file of ours keeps what it had', async () => {
    await fill()
    await link(at('mesh/memory/mesh/plan.md'), at('kept'))
    await trial.put('plan', 'second')
    await trial.settled()
    expect(await trial.read('kept')).toContain('first')
    expect(await trial.read('mesh/memory/mesh/plan.md')).toContain('second')
  })
})

describe('something else in the way', () => {
  test.each(['mesh', 'mesh/skills', 'mesh/memory/mesh', 'mesh/skills/notes'])(
    'a file where the folder %s must be: said, and written when it is gone',
    async (folder) => {
      await fill()
      await rm(at(folder), { recursive: true })
      await writeFile(at(folder), 'in the way')
      await trial.put('plan', 'second')
      await trial.putSkill('notes', skillText('notes', 'second'))
      await trial.settled()
      expect(trial.findings()).toEqual([`files.blocked ${folder}`])
      expect(await trial.read(folder)).toBe('in the way')
      await unlink(at(folder))
      await expect.poll(() => trial.findings(), PATIENTLY).toEqual([])
      expect(await trial.read('mesh/memory/mesh/plan.md')).toContain('second')
      expect(await trial.read('mesh/skills/notes/SKILL.md')).toContain('second')
    },
  )

  test('a folder where a file must be', async () => {
    await mkdir(at('mesh/memory/mesh/plan.md'), { recursive: true })
    await fill()
    expect(trial.findings()).toEqual(['files.blocked mesh/memory/mesh/plan.md'])
    expect(await trial.read('mesh/skills/notes/SKILL.md')).toBe(skillText('notes'))
    await rm(at('mesh/memory/mesh/plan.md'), { recursive: true })
    await expect.poll(() => trial.read('mesh/memory/mesh/plan.md'), PATIENTLY).toContain('first')
  })

  test('what cannot be written outlives a restart', async () => {
    await mkdir(at('mesh/memory/mesh/plan.md'), { recursive: true })
    await fill()
    await trial.restart({}, async () => {
      await rm(at('mesh/memory/mesh/plan.md'), { recursive: true })
    })
    await expect.poll(() => trial.read('mesh/memory/mesh/plan.md'), PATIENTLY).toContain('first')
    await expect.poll(() => trial.findings(), PATIENTLY).toEqual([])
  })

  test.skipIf(process.getuid?.() === 0)('a folder that is read-only', async () => {
    await fill()
    await chmod(at('mesh/memory/mesh'), 0o500)
    await trial.put('plan', 'second')
    await trial.putSkill('notes', skillText('notes', 'second'))
    await trial.settled()
    expect(trial.findings()).toEqual(['files.blocked mesh/memory/mesh'])
    expect(await trial.read('mesh/skills/notes/SKILL.md')).toContain('second')
    await chmod(at('mesh/memory/mesh'), 0o700)
    await expect.poll(() => trial.read('mesh/memory/mesh/plan.md'), PATIENTLY).toContain('second')
  })

  test.runIf(canMount())('a full disk: said, nothing lost, and all is written when there is room (S-05)', async () => {
    await trial.view.stop()
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', trial.mesh])
    try {
      await trial.restart()
      await trial.put('plan', 'first')
      await trial.settled()
      for (let i = 0; i < 10; i++) await trial.put(`large-${i}`, `${i} `.repeat(100_000))
      await trial.settled()
      expect(trial.findings()).toContain('files.blocked mesh/memory/mesh')
      expect(await trial.read('mesh/memory/mesh/plan.md')).toContain('first')
      for (let i = 0; i < 9; i++) await trial.remove('memory', `large-${i}`)
      await trial.put('plan', 'second')
      await expect.poll(() => trial.read('mesh/memory/mesh/plan.md'), PATIENTLY).toContain('second')
      await expect.poll(() => trial.findings(), PATIENTLY).toEqual([])
      expect(await trial.tree()).toEqual(['memory/mesh/large-9.md', 'memory/mesh/plan.md'])
    } finally {
      await trial.view.stop()
      execFileSync('/bin/umount', [trial.mesh])
    }
  })

  test('mesh-memory.json as a folder', async () => {
    await fill()
    await unlink(at('mesh-memory.json'))
    await mkdir(at('mesh-memory.json'))
    await trial.view.check()
    expect(trial.findings()).toEqual(['files.blocked mesh-memory.json'])
    await rename(at('mesh-memory.json'), at('moved'))
    await expect.poll(() => trial.read('mesh-memory.json'), PATIENTLY).toContain('mesh:plan')
    await expect.poll(() => trial.findings(), PATIENTLY).toEqual([])
  })
})
