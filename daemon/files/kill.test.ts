import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { MemoryRow, SkillRow } from '../../crdt/entry/index.ts'
import { createReplica, openReplica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import { LONG } from '../../test/support/long.ts'
import { createFileView } from './index.ts'
import { parseMemoryFile, renderMemory } from './memory-file.ts'
import { memoryPath, skillPath } from './units.ts'
import { filesBelow, viewPaths } from './view-suite.ts'

const KILLS = LONG ? 100 : 5
const SEED = new Uint8Array(32).fill(7)

/** A daemon's heart: a replica and its files, with more written than can ever be caught up with. */
const WRITER = `
import { pino } from 'pino'
const { openReplica } = await import(${JSON.stringify(new URL('../../crdt/replica/index.ts', import.meta.url))})
const { createSigner } = await import(${JSON.stringify(new URL('../../crdt/signing.ts', import.meta.url))})
const { createFileView } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url))})
const [paths, database, round] = JSON.parse(process.argv[1])
const store = await openReplica({ signer: createSigner(new Uint8Array(32).fill(7)) }, { path: database })
const init = { ...paths, memoryJson: true, flatSkills: true, timing: { memoryJsonMs: 5 } }
const view = createFileView({ store, log: pino({ level: 'silent' }) }, init)
await view.start()
await store.putMemory({ scope: 'mesh', key: 'start', value: round, nodeId: 'ceo' })
await view.settled(store.position)
process.stdout.write('running')
for (let i = 0; ; i++) {
  const text = ('round ' + round + ' turn ' + i + '\\n').repeat(1 + (i % 400))
  const key = 'key-' + (i % 40)
  await Promise.all([
    i % 7 === 3 ? store.remove({ kind: 'memory', scope: 'mesh', key }, 'ceo')
      : store.putMemory({ scope: 'mesh', key, value: text, nodeId: 'ceo' }),
    store.putSkill({ scope: 'mesh', name: 'skill-' + (i % 5), content: text + 'end', nodeId: 'ceo' }),
    i % 11 === 5 ? store.remove({ kind: 'skill', scope: 'mesh', key: 'skill-4' }, 'ceo') : undefined,
  ])
}
`

let home: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'mesh-kill-'))
  await mkdir(join(home, 'meshd'))
  await createReplica(join(home, 'meshd', 'db'), { meshId: 'a'.repeat(32), records: [] })
})
afterEach(() => rm(home, { recursive: true, force: true }))

test(`killed in the middle ${KILLS} times: no file is torn, none is taken for an edit, all show what is stored`, {
  timeout: KILLS * 10_000,
}, async () => {
  for (let round = 0; round < KILLS; round++) {
    await writeUntilKilled(round)
    await expectWholeFiles()
    // Every second time the next writer has to find its way alone.
    if (round % 2 === 0) await expectCaughtUp()
  }
  await expectCaughtUp()
})

async function writeUntilKilled(round: number): Promise<void> {
  const argument = JSON.stringify([viewPaths(home), join(home, 'meshd', 'db'), round])
  const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, argument], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
  })
  const gone = once(child, 'exit')
  await Promise.race([
    once(child.stdout, 'data'),
    gone.then(() => {
      throw new Error('the writer ended before it was killed')
    }),
  ])
  // Any moment will do, and each round has another one.
  setTimeout(() => child.kill('SIGKILL'), 20 + ((round * 37) % 300))
  await gone
}

async function expectWholeFiles(): Promise<void> {
  for (const path of await filesBelow(join(home, 'mesh'))) {
    const bytes = await readFile(join(home, 'mesh', path))
    if (path.startsWith('memory/') && path.endsWith('.md')) expect(parseMemoryFile(bytes), path).toBeDefined()
    if (path.startsWith('skills/') && path.endsWith('.md')) expect(bytes.toString(), path).toMatch(/^round .*\nend$/s)
  }
  expect(JSON.parse(await readFile(join(home, 'mesh-memory.json'), 'utf8'))).toHaveProperty('mesh:start')
}

async function expectCaughtUp(): Promise<void> {
  const store = await openReplica({ signer: createSigner(SEED) }, { path: join(home, 'meshd', 'db') })
  const init = { ...viewPaths(home), memoryJson: true, flatSkills: true }
  const view = createFileView({ store, log: pino({ level: 'silent' }) }, init)
  try {
    await view.start()
    await view.settled(store.position)
    await view.check()
    expect(view.findings().filter(({ severity }) => severity !== 'info')).toEqual([])
    const expected = new Map<string, string>()
    for await (const { id, row } of store.list('memory')) {
      expected.set(memoryPath(id.scope, id.key), renderMemory(row as MemoryRow).toString())
    }
    for await (const { row } of store.list('skill')) {
      const { name, content } = row as SkillRow
      expected.set(skillPath(name), content as string).set(`skills/${name}.md`, content as string)
    }
    const found = await filesBelow(join(home, 'mesh'))
    expect(found).toEqual([...expected.keys()].sort())
    for (const path of found) expect(await readFile(join(home, 'mesh', path), 'utf8')).toBe(expected.get(path))
  } finally {
    await view.stop()
    await store.close()
  }
}
