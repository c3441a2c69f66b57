import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeFileName } from './names.ts'
import { skillText, startTrial, type Trial } from './view-suite.ts'

let trial: Trial

beforeEach(async () => {
  trial = await startTrial()
})
afterEach(() => trial.stop())

describe('memories', () => {
  test('each is a file in the folder of its scope, of this node too', async () => {
    await trial.put('project-plan', 'Ship on Friday')
    await trial.put('prefs/short', { a: 1 }, 'user:alice')
    await trial.put('here', true, 'node')
    await trial.settled()
    expect(await trial.tree()).toEqual([
      'memory/mesh/project-plan.md',
      'memory/node/here.md',
      'memory/user%3aalice/prefs%2fshort.md',
    ])
    expect(await trial.read('mesh/memory/mesh/project-plan.md')).toMatch(/^# project-plan\n\nShip on Friday\n\n<!--/)
    expect(await trial.read('mesh/memory/user%3aalice/prefs%2fshort.md')).toContain('"a": 1')
    expect(trial.findings()).toEqual([])
  })

  test('files are for their user alone', async () => {
    await trial.put('a', 1)
    await trial.settled()
    for (const folder of ['mesh', 'mesh/memory', 'mesh/memory/mesh']) {
      expect((await lstat(join(trial.home, folder))).mode & 0o777).toBe(0o700)
    }
    for (const file of ['mesh/memory/mesh/a.md', 'mesh-memory.json']) {
      expect((await lstat(join(trial.home, file))).mode & 0o777).toBe(0o600)
    }
  })

  test('a change shows, a delete removes the file and a folder that is empty then', async () => {
    await trial.put('a', 'first', 'tenant:x')
    await trial.put('b', 'other')
    await trial.settled()
    await trial.put('a', 'second', 'tenant:x')
    await trial.settled()
    expect(await trial.read('mesh/memory/tenant%3ax/a.md')).toContain('second')
    await trial.remove('memory', 'a', 'tenant:x')
    await trial.settled()
    expect(await readdir(join(trial.mesh, 'memory'))).toEqual(['mesh'])
    await trial.put('a', 'third', 'tenant:x')
    await trial.settled()
    expect(await trial.read('mesh/memory/tenant%3ax/a.md')).toContain('third')
  })

  test('keys that look alike or dangerous have files of their own, and nothing outside is touched (S-19)', async () => {
    const keys = [
      '../x',
      '/x',
      '..',
      '.',
      'A',
      'a',
      'é',
      'e\u0301',
      'x/../../y',
      'nul',
      'y'.repeat(300),
      '~',
      '-rf',
      'a\nb',
    ]
    for (const key of keys) await trial.put(key, `value of ${key}`)
    await trial.settled()
    const tree = await trial.tree()
    expect(tree).toEqual(keys.map((key) => `memory/mesh/${encodeFileName(key)}`).sort())
    expect(new Set(tree.map((path) => path.toLowerCase().normalize('NFC'))).size).toBe(keys.length)
    for (const key of keys) {
      expect(await trial.read(`mesh/memory/mesh/${encodeFileName(key)}`)).toContain(`\n\nvalue of ${key}\n`)
    }
    expect((await readdir(trial.home)).sort()).toEqual(['mesh', 'mesh-memory.json', 'meshd'])
  })
})

describe('skills', () => {
  test('SKILL.md is the content byte for byte', async () => {
    const content = `\ufeff${skillText('notes').replaceAll('\n', '\r\n')}\u{1f680}`
    await trial.putSkill('notes', content)
    await trial.settled()
    expect(await trial.tree()).toEqual(['skills/notes/SKILL.md'])
    expect(await trial.read('mesh/skills/notes/SKILL.md')).toBe(content)
    expect(trial.findings()).toEqual([])
    await trial.remove('skill', 'notes')
    await trial.settled()
    expect(await readdir(join(trial.mesh, 'skills'))).toEqual([])
  })

  test('one that is only a path is not written', async () => {
    await trial.store.putSkill({ scope: 'mesh' as never, name: 'far', path: '/etc/passwd', nodeId: 'ceo' })
    await trial.put('a', 1)
    await trial.settled()
    expect(await trial.tree()).toEqual(['memory/mesh/a.md'])
    await trial.putSkill('far', skillText('far'))
    await trial.settled()
    await trial.store.putSkill({ scope: 'mesh' as never, name: 'far', path: '/etc/passwd', nodeId: 'ceo' })
    await trial.settled()
    expect(await trial.tree()).toEqual(['memory/mesh/a.md'])
  })

  test('of one name the mesh comes first, then federation, tenants, users, this node', async () => {
    const scopes = ['node', 'user:bob', 'user:alice', 'tenant:x', 'federation', 'mesh']
    for (const scope of scopes) {
      await trial.putSkill('notes', skillText('notes', `from ${scope}`), scope)
      await trial.settled()
      expect(await trial.read('mesh/skills/notes/SKILL.md')).toContain(`from ${scope}`)
    }
    expect(trial.findings()).toEqual(['files.skill-shadowed mesh/skills/notes/SKILL.md'])
    await trial.restart()
    expect(trial.findings()).toEqual(['files.skill-shadowed mesh/skills/notes/SKILL.md'])
    for (const [i, scope] of scopes.toReversed().entries()) {
      await trial.remove('skill', 'notes', scope)
      await trial.settled()
      const next = scopes[scopes.length - 2 - i]
      if (next !== undefined) expect(await trial.read('mesh/skills/notes/SKILL.md')).toContain(`from ${next}`)
    }
    expect(await trial.tree()).toEqual([])
    expect(trial.findings()).toEqual([])
  })

  test('what OpenClaw would skip is written and said', async () => {
    await trial.putSkill('My Skill', skillText('My Skill'))
    await trial.putSkill('bare', '# Bare\n')
    await trial.settled()
    expect(await trial.tree()).toEqual(['skills/+my%20+skill/SKILL.md', 'skills/bare/SKILL.md'])
    expect(trial.findings().sort()).toEqual([
      'files.skill-name mesh/skills/+my%20+skill/SKILL.md',
      'files.skill-name mesh/skills/bare/SKILL.md',
    ])
    expect(trial.view.findings().every(({ severity }) => severity === 'info')).toBe(true)
    await trial.putSkill('bare', skillText('bare'))
    await trial.settled()
    expect(trial.findings()).toEqual(['files.skill-name mesh/skills/+my%20+skill/SKILL.md'])
  })

  test('names that clash on a case-blind disk or with the flat form have folders of their own (S-19)', async () => {
    await trial.restart({ flatSkills: true })
    for (const name of ['notes', 'Notes', 'notes.md', 'con', 'x'.repeat(200)]) await trial.putSkill(name, `# ${name}\n`)
    await trial.settled()
    const tree = await trial.tree()
    expect(tree).toHaveLength(10)
    expect(tree.slice(0, 8)).toEqual([
      'skills/%63on.md',
      'skills/%63on/SKILL.md',
      'skills/+notes.md',
      'skills/+notes/SKILL.md',
      'skills/notes%2emd.md',
      'skills/notes%2emd/SKILL.md',
      'skills/notes.md',
      'skills/notes/SKILL.md',
    ])
  })

  test('the flat form comes and goes with its setting', async () => {
    await trial.putSkill('notes', skillText('notes'))
    await trial.settled()
    await trial.restart({ flatSkills: true })
    expect(await trial.tree()).toEqual(['skills/notes.md', 'skills/notes/SKILL.md'])
    await trial.restart({ flatSkills: false })
    expect(await trial.tree()).toEqual(['skills/notes/SKILL.md'])
  })
})

describe('following', () => {
  test('what was committed while the view was stopped is caught up with', async () => {
    await trial.put('a', 'one')
    await trial.put('b', 'two')
    await trial.settled()
    await trial.restart({}, async () => {
      await trial.put('a', 'changed')
      await trial.remove('memory', 'b')
      await trial.put('c', 'new')
    })
    expect(await trial.tree()).toEqual(['memory/mesh/a.md', 'memory/mesh/c.md'])
    expect(await trial.read('mesh/memory/mesh/a.md')).toContain('changed')
  })

  test('a burst of commits to one entry and to many ends in the latest of each', async () => {
    const puts: Promise<void>[] = []
    for (let i = 0; i < 300; i++) puts.push(trial.put('hot', `version ${i}`), trial.put(`cold-${i}`, i))
    await Promise.all(puts)
    await trial.settled()
    expect(await trial.tree()).toHaveLength(301)
    expect(await trial.read('mesh/memory/mesh/hot.md')).toContain('version 299')
  })

  test('who waits for a position is answered while more is written', async () => {
    let more = true
    const writing = (async () => {
      for (let i = 0; more; i++) await trial.put(`key-${i % 20}`, i)
    })()
    await trial.put('mine', 'here')
    await trial.settled()
    expect(await trial.read('mesh/memory/mesh/mine.md')).toContain('here')
    more = false
    await writing
  })

  test('stopping is idempotent in every state, and what comes after says so', async () => {
    await trial.view.stop()
    await trial.view.stop()
    await expect(trial.view.settled(0)).rejects.toMatchObject({ code: 'STOPPING' })
    await expect(trial.view.check()).rejects.toMatchObject({ code: 'STOPPING' })
    await expect(trial.view.start()).rejects.toMatchObject({ code: 'STOPPING' })
    expect(trial.view.findings()).toEqual([])
  })

  test('who waits for a position that never comes is told when the view stops', async () => {
    const waiting = expect(trial.view.settled(1_000)).rejects.toMatchObject({ code: 'STOPPING' })
    await trial.view.stop()
    await waiting
  })
})
